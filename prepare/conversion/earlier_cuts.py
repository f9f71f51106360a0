"""Clips of an earlier run whose take is cut otherwise by now are found, so that no data set mixes two cuttings."""

from collections.abc import Collection, Iterable, Sequence

from dataset.humanml.splits import is_mirror_of, mirror_id
from dataset.sources.record import ConversionRecord
from utils.errors import InputError
from utils.wording import listed


def cut_otherwise(
    ids: Iterable[str], made: Collection[str], takes: Collection[str], record: ConversionRecord
) -> list[str]:
    """Of clips that this run does not make those whose take is there: parts that it has no more, or all of it.

    Mirror images whose original is made are not among them: they stay without --mirror.

    Args:
        ids: of clips of an earlier run that are not made now.
        made: ids of the clips that are.
        takes: ids of the whole takes that are there.
    """
    take_of = record.takes()
    return [
        id
        for id in ids
        if not is_mirror_of(id, made)
        and not {take := take_of.get(id, id), take.removeprefix(mirror_id(""))}.isdisjoint(takes)
    ]


def check_all_are_cut(gone: Sequence[str], before: float | None, now: float | None, record: ConversionRecord) -> None:
    """Refuse another cutting where clips of the one before would stay that cannot be made anew.

    Raises InputError, which names them.
    """
    take_of = record.takes()
    parts = [id for id in gone if id in take_of]
    if parts:
        raise InputError(
            f"--cut-seconds {now:g}: the data set was cut with {before:g}, and {len(parts)} of its clips "
            f"({listed(parts)}) cannot be cut anew: their takes are not there any more, or they are mirror images "
            "and --mirror is not given; remove their new_joint_vecs/<id>.npy, or give another --out-dir"
        )
