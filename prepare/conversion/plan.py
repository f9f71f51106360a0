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
from dataset.sources.conversion import SourceClip, mirrored, problem_of_id
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
        advice: how the tokens would become better ones; None where nothing is to be said.
    """

    given: Mapping[str, GivenCaptions] = field(default_factory=dict)
    kept: Sequence[str] = ()
    about: str | None = None
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
    clips: Iterable[SourceClip], mirror: bool, postures: Postures, bad: dict[str, str]
) -> dict[str, SourceClip]:
    """The usable clips in order of their ids, with `mirror` their mirror images too; `postures` watches them.

    Bad are an id that several files have, and one that cannot be the name of a clip's files.
    """
    by_id: dict[str, SourceClip] = {}
    for id, group in groupby(sorted(clips, key=lambda clip: clip.id), key=lambda clip: clip.id):
        first, *more = group
        if more:
            files = ", ".join(str(clip.paths[0]) for clip in (first, *more))
            bad[id] = f"{1 + len(more)} files have this id: {files}"
        else:
            _add(first, by_id, bad)
    if mirror:
        # A mirror image that is there as a file of its own is not made again.
        originals = [clip for id, clip in by_id.items() if not is_mirror_of(id, by_id)]
        for image in (mirrored(clip, postures.skeleton) for clip in originals):
            if image.id not in by_id and image.id not in bad:
                _add(image, by_id, bad)
    return {id: postures.watched(clip) for id, clip in sorted(by_id.items())}


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

    A mirror image without a text file of its own gets the mirrored captions of its original. A clip without any keeps
    what an earlier run, or somebody, wrote into the data set.
    """
    if flags.texts_dir is None:
        return Captions()
    folder = Path(flags.texts_dir)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    files = {composed(path.name): path for path in folder.glob("*.txt")}
    paths = {id: files.get(composed(f"{id}.txt"), folder / f"{id}.txt") for id in by_id}
    images = {id: mirror_id(id) for id in by_id if mirror_id(id) in by_id and by_id[mirror_id(id)].mirrored}
    made = {image: id for id, image in images.items() if not paths[image].exists()}
    for image, id in made.items():
        paths[image] = paths[id]
    kept = [id for id, path in paths.items() if not path.exists() and clip_files(flags.out_dir, id).text.is_file()]
    for id in kept:
        del paths[id]
    found = read_captions(paths, None if flags.lexicon_texts is None else Path(flags.lexicon_texts), lexicon_pairs())
    bad.update({id: reason for id, reason in found.problems.items() if id not in bad})
    given = {}
    for id, captions in found.captions.items():
        seen = tuple(map(mirror_caption, captions)) if id in made else captions
        given[id] = GivenCaptions(seen, (paths[id],), mirrored=id in made)
    return Captions(given, kept, str(found), found.advice)


def _is_same(folder: Path, other: Path) -> bool:
    return folder.exists() and other.exists() and folder.samefile(other)
