"""The numbers of a run go to metrics.jsonl, and to TensorBoard where its package is installed."""

from pathlib import Path
from typing import Any

from utils.run.folder import RunFolder

TENSORBOARD_FOLDER = "tensorboard"


class ScalarLog:
    """Writes rows of numbers by name; every row has a ``step``.

    TensorBoard reads `TENSORBOARD_FOLDER` in the run's folder, one scalar for each number. A run that continues hides
    the points of its killed predecessor from its own first row on.
    """

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._writer: Any = None
        self._opened = False

    def forget_after(self, step: int) -> None:
        """Drop the rows of later steps: a run that continues from there writes them again."""
        self._run.metrics.forget_after(step)

    def log(self, row: dict[str, float]) -> None:
        """Append one row."""
        self._run.log(row)
        if not self._opened:
            self._writer = _summary_writer(self._run.path / TENSORBOARD_FOLDER, row["step"])
            self._opened = True
        if self._writer is None:
            return
        for name, value in row.items():
            if name != "step":
                self._writer.add_scalar(name, value, row["step"])
        self._writer.flush()  # as safe from a kill as the line in metrics.jsonl


def _summary_writer(folder: Path, step: int) -> Any:
    """None where the package tensorboard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step)
