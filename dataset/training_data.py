"""The rows a language model is trained on and those it is validated on, from one CoT jsonl or two."""

import logging

from dataset.cot_samples import CotSamples, read_cot_jsonl
from utils.errors import InputError


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
    """(training, validation) rows.

    Args:
        train, validation: CoT jsonl files; without the second, `val_fraction` of the training clips are held out.
        nb_code, task, skip_bad_lines: as in `dataset.cot_samples.read_cot_jsonl`.
        max_codes: longer motions are dropped and counted.
        seed: draws the held-out clips.
    """

    def read(path: str) -> CotSamples:
        samples = read_cot_jsonl(path, nb_code, task, skip_bad_lines)
        fitting = samples.at_most(max_codes)
        if len(fitting) == 0:
            raise InputError(f"{path}: every motion is longer than --max-motion-len {max_codes}")
        if samples.dropped or len(fitting) < len(samples):
            logging.warning(
                "%s: %d malformed line(s) skipped, %d sample(s) above --max-motion-len %d dropped",
                path, samples.dropped, len(samples) - len(fitting), max_codes,
            )  # fmt: skip
        return fitting

    rows = read(train)
    return rows.split(val_fraction, seed) if validation is None else (rows, read(validation))
