"""A data set is planned before anything is converted: its clips by id, their splits and captions.

What cannot be used is added to `bad`, with the reason by id, and the rest goes on.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from dataset.captions.files import read_captions
from dataset.humanml.layout import FEATURES_FOLDER, JOINTS_FOLDER, TEXTS_FOLDER, clip_files
from dataset.humanml.splits import composed, is_mirror_of, mirror_id
from dataset.sources.clip_writer import GivenCaptions
from dataset.sources.conversion import Cut, SourceClip, mirrored, problem_of_id
from dataset.sources.cutting import captions_of_part, cut_takes, goes_beyond
from dataset.sources.mirroring import mirror_caption
from dataset.sources.posture import Postures
from dataset.toy.lexicon import lexicon_pairs
from options.flags.dataset import DatasetFlags
from utils.errors import InputError


@dataclass(frozen=True)
class Captions:
    """The captions of a data set.

    Attributes:
        given: by id, of the clips that --texts-dir has some for.
        kept: clips that it has none for, which keep those of an earlier run.
        about: in words, where the tokens are from; None without --texts-dir.
        late: takes that are cut, with captions of times behind their end.
        advice: how the tokens would become better ones; None where nothing is to be said.
    """

    given: Mapping[str, GivenCaptions] = field(default_factory=dict)
    kept: Sequence[str] = ()
    about: str | None = None
    late: Sequence[str] = ()
    advice: str | None = None


def check_apart(flags: DatasetFlags, clips: Iterable[SourceClip]) -> None:
    """Refuse to read from where the data set is written: what is read would be replaced by what is made of it."""
    out_dir = Path(flags.out_dir)
    for folder in {path.parent for clip in clips for path in clip.paths}:
        for name in (FEATURES_FOLDER, JOINTS_FOLDER):
            if _is_same(folder, out_dir / name):
                raise InputError(f"{folder}: is where --out-dir {out_dir} has its own motions: give another --out-dir")
    if flags.texts_dir is not None and _is_same(Path(flags.texts_dir), out_dir / TEXTS_FOLDER):
        raise InputError(
            f"--texts-dir {flags.texts_dir}: is where --out-dir has its own captions: move the folder to another place "
            "and give that; what is in it then arrives, with tokens"
        )
    if flags.splits_dir is not None and _is_same(Path(flags.splits_dir), out_dir):
        raise InputError(
            f"--splits-dir {flags.splits_dir}: is --out-dir too, whose split files would be replaced: without "
            "--splits-dir every clip stays in the split it is in; or give a folder with copies of the files"
        )


def clips_by_id(
    takes: Iterable[SourceClip],
    mirror: bool,
    cut_seconds: float | None,
    postures: Postures,
    bad: dict[str, str],
) -> dict[str, SourceClip]:
    """The usable clips in order of their ids, with `mirror` their mirror images too; `postures` watches them.

    With `cut_seconds` longer takes are in parts. Bad are an id that several files, or a file and a part, have, and one
    that cannot be the name of a clip's files.
    """
    by_id = _usable(takes, bad)
    if cut_seconds is not None:
        by_id = _usable(cut_takes(by_id.values(), postures.skeleton, cut_seconds), bad)
    if mirror:
        # A mirror image that is there as a file of its own is not made again.
        originals = [clip for id, clip in by_id.items() if not is_mirror_of(id, by_id)]
        for image in (mirrored(clip, postures.skeleton) for clip in originals):
            if image.id not in by_id and image.id not in bad:
                _add(image, by_id, bad)
    return {id: postures.watched(clip) for id, clip in sorted(by_id.items())}


def _usable(clips: Iterable[SourceClip], bad: dict[str, str]) -> dict[str, SourceClip]:
    by_id: dict[str, SourceClip] = {}
    for id, group in groupby(sorted(clips, key=lambda clip: clip.id), key=lambda clip: clip.id):
        first, *more = group
        if more:
            files = ", ".join(f"{'a part of ' if clip.cut else ''}{clip.paths[0]}" for clip in (first, *more))
            bad[id] = f"{1 + len(more)} files have this id: {files}"
        else:
            _add(first, by_id, bad)
    return by_id


def _add(clip: SourceClip, by_id: dict[str, SourceClip], bad: dict[str, str]) -> None:
    problem = problem_of_id(clip.id)
    if problem is None:
        by_id[clip.id] = clip
    else:
        bad[clip.id] = f"{clip.paths[0]}: {problem}"


def one_file_on_disk(ids: Collection[str]) -> dict[str, str]:
    """The reason by id for ids that differ in capitals only, for a disk on which they are one name."""
    names: dict[str, list[str]] = {}
    for id in ids:
        names.setdefault(id.casefold(), []).append(id)
    return {
        id: f"on this disk it is the same name as {', '.join(other for other in group if other != id)}: rename one"
        for group in names.values()
        if len(group) > 1
        for id in group
    }


def plan_captions(by_id: dict[str, SourceClip], flags: DatasetFlags, bad: dict[str, str]) -> Captions:
    """The captions of every clip; none without --texts-dir.

    A mirror image without a text file of its own gets the mirrored captions of its original, a part of a take those of
    its time. A clip without any keeps what an earlier run, or somebody, wrote into the data set.
    """
    if flags.texts_dir is None:
        return Captions()
    folder = Path(flags.texts_dir)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    files = {composed(path.name): path for path in folder.glob("*.txt")}
    texts = {id: _text_of(clip, files, folder) for id, clip in by_id.items()}
    kept = [id for id, text in texts.items() if not text.path.exists() and clip_files(flags.out_dir, id).text.is_file()]
    for id in kept:
        del texts[id]
    # A file whose captions several clips have is read once.
    paths = {str(text.path): text.path for text in texts.values()}
    lexicon = None if flags.lexicon_texts is None else Path(flags.lexicon_texts)
    found = read_captions(paths, lexicon, lexicon_pairs())
    given, late = {}, {}
    ends = {clip.cut.take: clip.cut.end for clip in by_id.values() if clip.cut is not None}
    for id, text in texts.items():
        if reason := found.problems.get(str(text.path)):
            bad.setdefault(id, reason)
            continue
        captions = found.captions[str(text.path)]
        if text.cut is not None:
            if goes_beyond(captions, ends[text.cut.take]):
                late[text.cut.take] = None
            captions = captions_of_part(captions, text.cut)
        if text.mirrored:
            captions = tuple(map(mirror_caption, captions))
        given[id] = GivenCaptions(captions, (text.path,), text.mirrored)
    return Captions(given, kept, str(found), tuple(late), found.advice)


@dataclass(frozen=True)
class _Text:
    """The text file of a clip, and what becomes of its captions.

    Attributes:
        cut: which part of the take they are of; None: all of them are the clip's.
        mirrored: whether they are to be mirrored.
    """

    path: Path
    cut: Cut | None = None
    mirrored: bool = False


def _text_of(clip: SourceClip, files: Mapping[str, Path], folder: Path) -> _Text:
    """Of the text files that a clip can have the first that is there, else the last."""
    original = clip.id.removeprefix(mirror_id("")) if clip.mirrored else clip.id
    options = [(clip.id, None, False)]
    if clip.cut is not None and clip.mirrored:
        options.append((mirror_id(clip.cut.take), clip.cut, False))
    if clip.mirrored:
        options.append((original, None, True))
    if clip.cut is not None:
        options.append((clip.cut.take, clip.cut, clip.mirrored))
    for name, cut, is_mirrored in options:
        text = _Text(files.get(composed(f"{name}.txt"), folder / f"{name}.txt"), cut, is_mirrored)
        if text.path.exists():
            break
    return text


def _is_same(folder: Path, other: Path) -> bool:
    return folder.exists() and other.exists() and folder.samefile(other)
