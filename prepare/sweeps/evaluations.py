"""The evaluations of a sweep: each is a run of eval_mllm.py of its own, which is continued and never made twice."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from utils.errors import InputError
from utils.files.json_files import read_jsonl
from utils.metrics.comparison import GENERATED
from utils.metrics.criteria import SWEPT
from utils.metrics.paired import score_differences
from utils.metrics.report import MetricValue, read_results
from utils.run.command import EXIT_INTERRUPTED

EVAL = Path(__file__).resolve().parents[2] / "eval_mllm.py"


def split_line(given: Sequence[str], ours: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words before and behind ``--``: those of the sweep, and those that go on to eval_mllm.py.

    Args:
        ours: flags of eval_mllm.py that the sweep sets itself.

    Raises InputError where one of those is behind it.
    """
    at = given.index("--") if "--" in given else len(given)
    evaluation = list(given[at + 1 :])
    spelled = {word.partition("=")[0].replace("_", "-") for word in evaluation if word.startswith("--")}
    if taken := [name for name in ours if name in spelled]:
        raise InputError(f"{', '.join(taken)} after --: the sweep sets these itself")
    return list(given[:at]), evaluation


def evaluate(folder: Path, flags: Sequence[str]) -> None:
    """Have eval_mllm.py evaluate into a folder. Raises InputError where it fails."""
    line = [sys.executable, str(EVAL), *flags, "--out-dir", str(folder.parent), "--exp-name", folder.name]
    status = subprocess.run(line, check=False, stdout=subprocess.DEVNULL).returncode
    if status == EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    if status:
        raise InputError(
            f"eval_mllm.py ended with status {status} for {folder} (its message is above): where that holds another "
            "evaluation, give another --out-dir, or remove it"
        )


def metrics_of(folder: Path, row: str = GENERATED) -> dict[str, MetricValue]:
    """A row of an evaluation; empty where it has none, as real motion for captions that no evaluator judges."""
    return read_results(folder / "results.json").get(row, {})


def differences(folder: Path, other: Path, task: str) -> list[str]:
    """Each metric that clips have scores of, the first minus the other; ``*`` where the interval does not hold 0."""
    found = []
    every = score_differences(*(read_jsonl(one / "predictions.jsonl") for one in (folder, other)))
    for name in SWEPT[task]:
        difference = every.get(name)
        if difference and difference.interval is not None:  # else there are no two clips with a score on both sides
            clear = " *" if difference.clear else ""
            found.append(f"{name} {difference.number()}{clear}")
    return found
