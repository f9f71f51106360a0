"""A data set is planned before anything is converted: its clips by id, their splits and captions.

What cannot be used is added to `bad`, with the reason by id, and the rest goes on.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from dataset.captions.files import CaptionSet, read_captions
from dataset.humanml.layout import read_split_ids
from dataset.sources.conversion import SourceClip, random_splits
from dataset.sources.mirroring import mirror_caption, mirror_id
from options.flags.dataset import DatasetFlags
from utils.errors import InputError

# A clip in two of these would be a leak.
_DISJOINT = ("train", "val", "test")


def clips_by_id(clips: Iterable[SourceClip], bad: dict[str, str]) -> dict[str, SourceClip]:
    """The clips in order of their ids; an id that several files have is added to `bad`."""
    clips = sorted(clips, key=lambda clip: clip.id)
    by_id = {clip.id: clip for clip in clips}
    for id, times in Counter(clip.id for clip in clips).items():
        if times > 1:
            files = ", ".join(str(clip.paths[0]) for clip in clips if clip.id == id)
            bad[id] = f"{times} files have this id: {files}"
    return by_id


def plan_splits(by_id: dict[str, SourceClip], flags: DatasetFlags, bad: dict[str, str]) -> dict[str, list[str]]:
    """The splits (``all`` included), from their files or by chance; what cannot be in one is added to `bad`."""
    if flags.splits_dir is None:
        if not by_id:
            raise InputError("no motion found to convert")
        return {**random_splits(list(by_id), flags.seed), "all": list(by_id)}
    names = sorted(path.stem for path in Path(flags.splits_dir).glob("*.txt"))
    splits = {name: read_split_ids(flags.splits_dir, name) for name in dict.fromkeys(["train", *names])}
    # Splits of originals alone hold for their mirror images too.
    listed = {id: name for name, members in splits.items() for id in members}
    if flags.mirror and not any(mirror_id(id) in listed for id in listed):
        splits = {name: [*ids, *map(mirror_id, ids)] for name, ids in splits.items()}
    # No clip may be in two of train, val and test, and each that is listed must exist.
    homes: dict[str, list[str]] = {}
    for name in _DISJOINT:
        for id in splits.get(name, []):
            homes.setdefault(id, []).append(f"{name}.txt")
    bad.update({id: f"listed in {' and in '.join(names)}" for id, names in homes.items() if len(names) > 1})
    listed = {id: name for name, members in splits.items() for id in members}
    known = {*by_id, *bad}
    bad.update({id: f"no such file for an id of {name}.txt" for id, name in listed.items() if id not in known})
    splits.setdefault("all", sorted({*by_id, *listed}))
    return splits


def plan_captions(
    by_id: dict[str, SourceClip], flags: DatasetFlags, bad: dict[str, str]
) -> tuple[CaptionSet | None, dict[str, list[Path]]]:
    """The captions of every clip and the files they are from, or None and no files without --texts-dir.

    A mirror image without a text file of its own gets the mirrored captions of its original.
    """
    if flags.texts_dir is None:
        return None, {}
    folder = Path(flags.texts_dir)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    paths = {id: folder / f"{id}.txt" for id in by_id}
    images = {id: mirror_id(id) for id in by_id if mirror_id(id) in by_id and by_id[mirror_id(id)].mirrored}
    made = {id: image for id, image in images.items() if not paths[image].is_file()}
    for id, image in made.items():
        paths[image] = paths[id]
    captions = read_captions(paths, None if flags.lexicon_texts is None else Path(flags.lexicon_texts))
    for image in made.values():
        captions.captions[image] = tuple(map(mirror_caption, captions.captions.get(image, ())))
    bad.update({id: reason for id, reason in captions.problems.items() if id not in bad})
    return captions, {id: [path] for id, path in paths.items()}
