"""The splits of a data set: those of given files, or drawn by the ids of the clips, of which none changes its split."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dataset.humanml.layout import read_split_ids
from dataset.humanml.splits import HELD_OUT, NO_SPLIT, SPLITS, composed, draw_splits, is_mirror_of, mirror_id
from dataset.sources.record import ConversionRecord
from options.flags.dataset import DatasetFlags
from utils.errors import InputError


@dataclass(frozen=True)
class GivenSplits:
    """Splits that somebody chose.

    Attributes:
        members: ids by split.
    """

    members: Mapping[str, list[str]]

    def of(self, ids: Iterable[str], short: Collection[str] = ()) -> dict[str, list[str]]:
        """The splits of those clips that could be made, in the given order; ``all`` are all of them."""
        ids = set(ids)
        # All three, so that none of an earlier run stays beside them with clips that are in another one now.
        given = {name: self.members.get(name, []) for name in dict.fromkeys((*self.members, *SPLITS))}
        splits = {name: [id for id in members if id in ids] for name, members in given.items()}
        return {**splits, "all": splits.get("all", sorted(ids))}


@dataclass(frozen=True)
class DrawnSplits:
    """Splits by the ids of the clips.

    Attributes:
        seed: other seeds, other splits.
        earlier: the split of each clip that was in one before.
        takes: the take that a clip is a part of.
    """

    seed: int
    earlier: Mapping[str, str]
    takes: Mapping[str, str] = field(default_factory=dict)

    def of(self, ids: Iterable[str], short: Collection[str] = ()) -> dict[str, list[str]]:
        """The splits of those clips that could be made; of `short` ones no split consists."""
        ids = sorted(ids)
        return {**draw_splits(ids, self.seed, self.earlier, short, self.takes), "all": ids}


def earlier_splits(root: Path, record: ConversionRecord) -> dict[str, str]:
    """The split of each clip of a data set folder, `NO_SPLIT` where somebody took it out of all.

    What is listed in two counts as held out. A clip that could not be used for a while is in the split it was in last.
    """
    listed = {name: read_split_ids(root, name) for name in (*SPLITS, "all") if (root / f"{name}.txt").is_file()}
    found: dict[str, str] = {}
    for name in (*HELD_OUT, "train"):
        for id in listed.get(name, []):
            found.setdefault(id, name)
    for id, split in record.splits().items():
        if split in SPLITS and split not in listed:  # its file was lost, and nobody took these clips out of it
            found.setdefault(id, split)
    for id in listed.get("all", []):
        found.setdefault(id, NO_SPLIT)
    for id, split in record.splits().items():
        if split in SPLITS:
            found.setdefault(id, split)
    in_order = dict.fromkeys(id for name in listed for id in listed[name])
    order = {id: number for number, id in enumerate(in_order)}
    return dict(sorted(found.items(), key=lambda pair: order.get(pair[0], len(order))))


def plan_splits(
    known: Collection[str],
    flags: DatasetFlags,
    earlier: Mapping[str, str],
    takes: Mapping[str, str],
    looked_for: str,
    bad: dict[str, str],
) -> GivenSplits | DrawnSplits:
    """The splits from their files or by the ids; an id of a file that cannot be in one is added to `bad`.

    Args:
        known: ids of all clips there are, bad ones included.
        earlier: see `earlier_splits`.
        takes: the take that a clip is a part of. A file that lists a take has its parts.
        looked_for: where the motion of an id would be, with ``<id>`` in the id's place.

    Raises:
        InputError: no such folder, no train.txt, or (with ``file:line``) several ids in a line.
    """
    if flags.splits_dir is None:
        return DrawnSplits(flags.seed, earlier, takes)
    folder = Path(flags.splits_dir)
    if not folder.is_dir():
        raise InputError(f"--splits-dir {folder}: no such folder")
    parts: dict[str, list[str]] = {}
    for id in sorted(known, key=lambda id: (len(id), id)):
        if id in takes and not is_mirror_of(id, known):
            parts.setdefault(takes[id], []).append(id)
    splits = {
        name: [part for id in ids for part in ([id] if id in known else parts.get(id, [id]))]
        for name, ids in _read(folder, {*known, *parts}).items()
    }
    # Splits of originals alone hold for their mirror images too.
    listed = {id for members in splits.values() for id in members}
    if flags.mirror and not any(mirror_id(id) in listed for id in listed):
        splits = {name: [*ids, *map(mirror_id, ids)] for name, ids in splits.items()}
    # Each clip that is listed must exist. One may be in several splits: whose files they are decides that.
    for name, members in splits.items():
        for id in members:
            if id not in known and id not in bad:
                bad[id] = _unknown(folder / f"{name}.txt", id, known, looked_for)
    return GivenSplits(splits)


def _read(folder: Path, known: Collection[str]) -> dict[str, list[str]]:
    """The ids by split, in the spelling of those `known`."""
    spelling = {composed(id): id for id in known}
    names = sorted(path.stem for path in folder.glob("*.txt") if not path.name.startswith("."))
    splits: dict[str, list[str]] = {}
    for name in dict.fromkeys(["train", *names]):
        try:
            listed = read_split_ids(folder, name, known.__contains__ if name in SPLITS else lambda _: False)
        except InputError:
            if name in SPLITS:
                raise
            continue
        ids = [id if id in known else spelling.get(composed(id), id) for id in listed]
        # Other text files than train, val and test may be no splits at all.
        if name in SPLITS or not set(ids).isdisjoint(known):
            splits[name] = ids
    return splits


def _unknown(path: Path, id: str, known: Collection[str], looked_for: str) -> str:
    """Why an id of a split file is bad."""
    ending = Path(looked_for).suffix
    hint = f"; it is listed with {ending}" if ending and id.removesuffix(ending) in known else ""
    return f"no such file for an id of {path.name}: looked for {looked_for.replace('<id>', id)}{hint}"
