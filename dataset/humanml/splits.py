"""The id of a clip decides which split it is in, so that clips which come later move none that are there.

A clip and its mirror image stay together, and so do the parts that a long take is cut into. What was held out once must
never be trained on: a model that has seen it cannot be measured by it.
"""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from itertools import product

# In the order in which they are believed where a clip is listed in several: what is held out stays held out.
HELD_OUT = ("test", "val")
SPLITS = ("train", "val", "test")
# From so many clips on each split has one.
FEWEST_CLIPS = 3
# HumanML3D's own shares: 15 % test, 5 % val, 80 % train.
_TEST_SHARE, _VAL_SHARE = 0.15, 0.05
# Of a clip that somebody took out of all splits.
NO_SPLIT = ""


def mirror_id(id: str) -> str:
    """The id of a clip's mirror image, as HumanML3D names it."""
    return f"M{id}"


def is_mirror_of(id: str, known: Container[str]) -> bool:
    """Whether `id` is the name of the mirror image of a clip among those `known`: an M alone is no sign of one."""
    return id.startswith(mirror_id("")) and id.removeprefix(mirror_id("")) in known


def composed(id: str) -> str:
    """The id with each letter and its accent as one sign. macOS writes them as two, and both look alike."""
    return unicodedata.normalize("NFC", id)


def original_id(id: str) -> str:
    """The id that a clip and its mirror image share, in either spelling of its accents. Also of a clip whose name
    begins with M by chance: the name that decides must not depend on which other clips there are."""
    return composed(id).lstrip("M")


def place_of(id: str, seed: int) -> float:
    """Where a clip stands between 0 and 1: evenly spread over clips, the same for a clip and its mirror image."""
    digest = hashlib.sha256(f"{seed} {original_id(id)}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def draw_splits(
    ids: Iterable[str],
    seed: int,
    earlier: Mapping[str, str] | None = None,
    short: Collection[str] = (),
    takes: Mapping[str, str] | None = None,
) -> dict[str, list[str]]:
    """Train, val and test of the clips `ids`.

    From three clips on (a clip and its mirror image count as one, and so do the parts of a take) no split is empty;
    fewer are all trained on. Where the ids leave one empty, it gets a clip of those that are new or trained on, never
    one that is held out.

    Args:
        seed: other seeds give other splits.
        earlier: the split of each clip that was in one before, or `NO_SPLIT`; such a clip stays there.
        short: clips that readers leave out; no split is of such clips alone where there are others.
        takes: the take that a clip is a part of, for those that are; its id decides.

    Returns:
        ids by split: first the earlier ones in the order of `earlier`, then the new ones sorted.
    """
    earlier, takes, known = earlier or {}, takes or {}, set(ids)
    names = {id: original_id(takes.get(id, id)) for id in {*known, *earlier}}
    # The members of each clip: what is left of it, and what of it was in a split before.
    clips: dict[str, list[str]] = {}
    for id in [*earlier, *sorted(known - earlier.keys())]:
        clips.setdefault(names[id], []).append(id)
    there = {names[id] for id in known}
    begun = {name: _earlier_split(members, earlier) for name, members in clips.items() if name in there}
    homes = {name: _split_of(name, seed) if split is None else split for name, split in begun.items()}
    new = {name for name, split in begun.items() if split is None}
    if sum(split != NO_SPLIT for split in homes.values()) < FEWEST_CLIPS:
        homes.update(dict.fromkeys(new, "train"))
        moved = set()
    else:
        moved = _fill(homes, new, {names[id] for id in known - set(short)}, seed)
    splits: dict[str, list[str]] = {name: [] for name in SPLITS}
    order = {id: number for number, id in enumerate(earlier)}
    for id in sorted(known, key=lambda id: (order.get(id, len(order)), id)):
        name = names[id]
        split = homes[name] if name in moved else earlier.get(id, homes[name])
        if split != NO_SPLIT:
            splits[split].append(id)
    return splits


def _earlier_split(members: Sequence[str], earlier: Mapping[str, str]) -> str | None:
    """The split that a clip, its mirror image or another part of its take was in; None where all are new."""
    found = {earlier[id] for id in members if id in earlier}
    return next((split for split in (*HELD_OUT, "train", NO_SPLIT) if split in found), None)


def _split_of(name: str, seed: int) -> str:
    place = place_of(name, seed)
    return "test" if place < _TEST_SHARE else "val" if place < _TEST_SHARE + _VAL_SHARE else "train"


def _fill(homes: dict[str, str], new: set[str], usable: set[str], seed: int) -> set[str]:
    """Move a usable clip, else any, into each split of `homes` that has none; the clips that were moved."""
    moved: set[str] = set()
    for counted, empty in product((usable, homes.keys()), (*HELD_OUT, "train")):
        sizes = Counter(split for name, split in homes.items() if name in counted)
        if sizes[empty]:
            continue
        # Who may go: new clips, and into a held-out split those that are trained on; no split is emptied for another.
        able = [
            name
            for name, split in homes.items()
            if name in counted and sizes[split] > 1 and (name in new or (split == "train" and empty in HELD_OUT))
        ]
        if able:
            sign = -1 if empty == "train" else 1  # whose own place is nearest
            spared = set() if counted is usable else usable
            chosen = min(able, key=lambda name: (name in spared, name not in new, sign * place_of(name, seed)))
            homes[chosen] = empty
            moved.add(chosen)
    return moved
