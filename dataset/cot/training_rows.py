"""Training reads its rows from CoT jsonl, for training and validation, and mixes them by task."""

import logging
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from datasets import Dataset

from dataset.cot.sample import TASKS
from dataset.cot.samples import CotSamples, read_cot_jsonl
from utils.errors import InputError
from utils.files.fingerprints import fingerprint


def read_training_data(
    train: str,
    validation: str | None,
    nb_code: int,
    task: str | None,
    max_codes: int,
    skip_bad_lines: bool,
    val_fraction: float,
    seed: int,
) -> tuple[CotSamples, CotSamples]:
    """Read the samples of a run and return (training, validation).

    Args:
        train, validation: CoT jsonl files; without the second, `val_fraction` of the training clips are held out.
        nb_code, task, skip_bad_lines: as in `dataset.cot.samples.read_cot_jsonl`.
        max_codes: longer motions are dropped and counted.
        seed: draws the held-out clips.
    """

    def read(path: str) -> CotSamples:
        samples = read_cot_jsonl(path, nb_code, task, skip_bad_lines)
        fitting = samples.at_most(max_codes)
        if len(fitting) == 0:
            raise InputError(f"{path}: every motion is longer than --max-motion-len {max_codes}")
        if samples.dropped or len(fitting) < len(samples):
            too_long = len(samples) - len(fitting)
            logging.warning(
                f"{path}: {samples.dropped} malformed line(s) skipped, "
                f"{too_long} sample(s) above --max-motion-len {max_codes} dropped"
            )
        return fitting

    rows = read(train)
    return rows.split(val_fraction, seed) if validation is None else (rows, read(validation))


def task_rows(samples: CotSamples, tasks: Sequence[str], t2m_share: float | None = None, seed: int = 0) -> Dataset:
    """One row {"row": int, "task": str} for each sample and each task that it is usable for.

    A trainer gets these rows in place of the samples, and its collator looks the samples up by their number: so a
    process holds some bytes a row instead of texts.

    Args:
        samples: N samples.
        tasks: tasks of the run.
        t2m_share: the part of the rows that shall be t2m, in (0, 1), exact to one row. The rows of the task that has
            too few are repeated: all of them as often as that fits, then a random part of them once more. No row of
            either task is left out, so an epoch grows with a share far from the data's own. None: as the data are.
        seed: draws that random part.

    Returns:
        rows in the order of the samples, repeats after them; 11 bytes a row

    Raises:
        ValueError: a share outside (0, 1), or without both tasks.
        InputError: a share, but no sample at all for one of the tasks.
    """
    usable = np.stack([samples.usable_for(task) for task in tasks], axis=1)
    row, task = (part.astype(kind) for part, kind in zip(np.nonzero(usable), (np.int32, np.int8), strict=True))
    if t2m_share is not None:
        if set(tasks) != set(TASKS) or not 0 < t2m_share < 1:
            raise ValueError(f"t2m_share is a part of both tasks in (0, 1), found {t2m_share} of {', '.join(tasks)}")
        repeats = _repeats(task == tasks.index("t2m"), t2m_share, seed)
        row, task = (np.concatenate([part, part[repeats]]) for part in (row, task))
    names = pa.DictionaryArray.from_arrays(task, pa.array(tasks)).cast(pa.string())
    # Given no fingerprint, datasets pickles the whole table for one, several times its size in memory.
    return Dataset(pa.table({"row": row, "task": names}), fingerprint=fingerprint(row, task, " ".join(tasks)))


def _repeats(is_t2m: np.ndarray, t2m_share: float, seed: int) -> np.ndarray:
    """Positions of the rows to add so that t2m has its share; (R,) `is_t2m` tells the tasks of the rows."""
    t2m, m2t = np.flatnonzero(is_t2m), np.flatnonzero(~is_t2m)
    for name, own in (("t2m", t2m), ("m2t", m2t)):
        if len(own) == 0:
            raise InputError(f"no line is usable for {name}, so t2m cannot be {t2m_share:g} of the rows")
    wanted = len(m2t) * t2m_share / (1 - t2m_share)
    if wanted >= len(t2m):
        scarce, missing = t2m, round(wanted) - len(t2m)
    else:
        scarce, missing = m2t, round(len(t2m) * (1 - t2m_share) / t2m_share) - len(m2t)
    whole, rest = divmod(missing, len(scarce))
    part = np.random.default_rng(seed).choice(scarce, rest, replace=False)
    return np.concatenate([np.tile(scarce, whole), part])
