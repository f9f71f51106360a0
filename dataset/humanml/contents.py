"""Which files of a data set folder a reading depends on: for whoever must know whether they have changed since."""

from collections.abc import Iterable
from pathlib import Path

from dataset.humanml.layout import FEATURES_FOLDER, MEAN_FILE, STD_FILE, TEXTS_FOLDER, read_split_ids
from utils.errors import InputError


def files_read(
    root: str | Path, motions: Iterable[str] = (), texts: Iterable[str] = (), statistics: bool = False
) -> list[str]:
    """Names below `root`; a file that is missing is named too.

    Args:
        motions: splits of which the features are read.
        texts: splits of which the captions are read.
        statistics: whether Mean.npy and Std.npy are read.
    """
    names = dict.fromkeys((MEAN_FILE, STD_FILE) if statistics else ())  # keeps the order, each once
    for splits, folder, ending in ((motions, FEATURES_FOLDER, "npy"), (texts, TEXTS_FOLDER, "txt")):
        for split in splits:
            names[f"{split}.txt"] = None
            names.update(dict.fromkeys(f"{folder}/{id}.{ending}" for id in _ids(root, split)))
    return list(names)


def _ids(root: str | Path, split: str) -> list[str]:
    try:
        return read_split_ids(root, split)
    except InputError:  # whoever reads the split says what is wrong with it
        return []
