"""``Mean.npy`` and ``Std.npy`` that our commands wrote are told from those that somebody put in their place.

Those of somebody else are never replaced: models may have been trained with them.
"""

from pathlib import Path

import numpy as np

from dataset.humanml.layout import MEAN_FILE, STD_FILE, write_mean_std
from dataset.sources.record import ConversionRecord
from utils.errors import InputError
from utils.files.arrays import read_npy


def others_files(root: Path, record: ConversionRecord) -> list[str]:
    """Names of the statistics files in a data set folder that hold other values than our commands wrote there last.

    A damaged file holds none. Where the record knows of no statistics at all, as that of earlier versions, or of a
    folder that no conversion made, nobody's are told apart.
    """
    if not record.statistics:
        return []
    return [name for name in (MEAN_FILE, STD_FILE) if (root / name).exists() and not _is_ours(root / name, record)]


def check_pair(root: Path, record: ConversionRecord) -> None:
    """Refuse a folder with one statistics file of somebody else where the other one is lacking: ours do not fit it."""
    others = others_files(root, record)
    lacking = [name for name in (MEAN_FILE, STD_FILE) if not (root / name).exists()]
    if others and lacking:
        raise InputError(
            f"{root / others[0]}: holds values that this program did not write, and {lacking[0]}, which belongs to "
            "it, is lacking (nothing was changed): put both there, or delete it to have both computed"
        )


def write_statistics(root: Path, record: ConversionRecord, mean: np.ndarray, std: np.ndarray) -> None:
    """Write both files as ours."""
    record.put_statistics(mean, std, besides=True)  # a kill in between leaves nothing that is taken for somebody else's
    write_mean_std(root, mean, std)
    record.put_statistics(mean, std)


def is_same(path: Path, values: np.ndarray) -> bool:
    """Whether a file holds these values, but for rounding."""
    try:
        there = read_npy(path)
    except InputError:
        return False
    return there.shape == values.shape and np.allclose(there, values, rtol=1e-4, atol=1e-6)


def _is_ours(path: Path, record: ConversionRecord) -> bool:
    try:
        return record.wrote_statistics(read_npy(path))
    except InputError:
        return True
