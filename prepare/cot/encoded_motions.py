"""Codes are of the very motions that a data set holds, or the join of the two is refused.

Ids do not tell: every toy data set has the same ones, and a motion may have been changed since it was encoded.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dataset.cot.source import read_cot_source, read_motion_names
from dataset.humanml.layout import MotionRecord
from utils.errors import InputError
from utils.files.fingerprints import fingerprint

# Begins the fingerprint of whole motions; that of earlier versions, of first and last frames, has no beginning.
WHOLE = "whole-"


def fingerprint_motions(motions: Mapping[str, Sequence[MotionRecord]]) -> str:
    """Names ids, splits and whole contents of the motions by split, and their order."""
    digest = hashlib.sha256()
    for split, records in motions.items():
        for record in records:
            digest.update(f"{split}\t{record.id}\t{len(record.features)}\n".encode())
            digest.update(np.ascontiguousarray(record.features).data)
    return WHOLE + digest.hexdigest()[:12]


def motion_names(motions: Mapping[str, Sequence[MotionRecord]]) -> dict[str, str]:
    """A fingerprint of each motion's whole content, by its id."""
    return {record.id: fingerprint(record.features) for records in motions.values() for record in records}


def check_encoded(
    codes: Path, data_root: str, by_split: Mapping[str, Mapping[str, list[int]]], motions: Mapping[str, Sequence]
) -> None:
    """Refuse codes of other motions than those of the data set.

    Files of earlier versions name only all motions together; there a data set that has lost or gained any is another.
    Of codes whose motions nothing is known about, such as somebody else's, nothing is refused.

    Args:
        by_split: codes by id, by split; they may be of a part of the clips.
        motions: of the data set, by the splits of the codes, in their order.
    """
    source = read_cot_source(codes)
    names = read_motion_names(codes)
    if names:
        coded = {
            split: [record for record in records if record.id in names and by_split[split].get(record.id)]
            for split, records in motions.items()
        }
        found = motion_names(coded)
        changed = [id for id, name in found.items() if names[id] != name]
        what = f"{len(changed)} of {len(found)} motions are others, the first is {changed[0]!r}" if changed else ""
    else:
        known = source is not None and str(source.data_fingerprint).startswith(WHOLE)
        is_other = known and fingerprint_motions(motions) != source.data_fingerprint
        what = "the motions, or which of them are in its splits, are others" if is_other else ""
    if what:
        raise InputError(
            f"{codes}: the codes are not of the motions that {data_root} has: {what}; encode them "
            f"(prepare.encode_motions), or give the data set that was encoded (it was {source.data_root})"
        )
