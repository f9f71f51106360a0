"""Training reads its rows from CoT jsonl, for training and validation, and mixes them by task."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from datasets import Dataset

from dataset.cot.sample import TASKS
from dataset.cot.samples import CotSamples, read_cot_jsonl
from dataset.cot.source import common_source
from utils.errors import InputError
from utils.files.fingerprints import fingerprint


@dataclass(frozen=True)
class CotFiles:
    """The CoT jsonl files of a run, and what of them is read.

    Attributes:
        train, validation: paths; without the second, `val_fraction` of the training clips are held out.
        val_fraction, seed: how many clips, and what draws them.
        task: keep only the lines of this task; None: of both.
        max_codes: longer motions are dropped and counted.
        skip_bad_lines: drop and count malformed lines instead of stopping at the first.
    """

    train: str
    validation: str | None
    val_fraction: float
    seed: int
    task: str | None
    max_codes: int
    skip_bad_lines: bool


@dataclass(frozen=True)
class TrainingData:
    """Rows that are trained on and validated; each serves every task of `tasks` that it is usable for.

    Attributes:
        t2m_share: share of t2m among the rows of an epoch of both tasks; None: as many as there are.
    """

    train: CotSamples
    validation: CotSamples
    tasks: tuple[str, ...]
    t2m_share: float | None = None

    def __post_init__(self) -> None:
        if self.t2m_share is not None and len(self.tasks) < 2:
            raise InputError(f"--t2m-share mixes two tasks, but only {self.tasks[0]} is trained")


def read_training_data(
    files: CotFiles, nb_code: int, tasks: tuple[str, ...], t2m_share: float | None = None
) -> TrainingData:
    """What a run trains on.

    Args:
        nb_code: size of the codebook that the codes are of.
        tasks, t2m_share: see `TrainingData`.

    Raises:
        InputError: a file that cannot be read, or two files of different motion tokenizers.
    """
    common_source([files.train, *([files.validation] if files.validation else [])])
    train = _read(files.train, files, nb_code)
    if files.validation is None:
        train, validation = _held_out(train, files)
    else:
        validation = _read(files.validation, files, nb_code)
    return TrainingData(train, validation, tasks, t2m_share)


def _held_out(samples: CotSamples, files: CotFiles) -> tuple[CotSamples, CotSamples]:
    """(to train on, to validate on). One clip alone is both, with a warning."""
    try:
        return samples.split(files.val_fraction, files.seed)
    except InputError as error:
        logging.warning(
            "%s: %s: it is trained and validated on, so the validation loss says nothing about other motions; "
            "--cot-val-jsonl gives some",
            files.train,
            error,
        )
        return samples, samples


def _read(path: str, files: CotFiles, nb_code: int) -> CotSamples:
    """The samples of one file whose motions are short enough; what is left out is counted in a warning."""
    samples = read_cot_jsonl(path, nb_code, files.task, files.skip_bad_lines)
    fitting = samples.at_most(files.max_codes)
    too_long = len(samples) - len(fitting)
    if len(fitting) == 0:
        raise InputError(f"{path}: every motion is longer than --max-motion-len {files.max_codes}")
    if samples.dropped or too_long:
        skipped = f"{samples.dropped} malformed line(s) skipped"
        dropped = f"{too_long} sample(s) above --max-motion-len {files.max_codes} dropped"
        logging.warning("%s: %s, %s", path, skipped, dropped)
    return fitting


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
