"""One page of evaluations and trainings: tables, curves, motions to look at. It needs no network and no other file."""

import html
from collections.abc import Sequence
from pathlib import Path

from models.reporting.gallery import Gallery
from models.reporting.learning import learning_curves
from models.reporting.runs import ShownRun
from utils.files.atomic import write_text
from utils.metrics.comparison import GENERATED, INTERVALS, TITLES
from utils.metrics.criteria import COMPARED
from utils.metrics.report import Rows
from utils.report.player import page
from utils.report.tables import html_table, merged

REPORT_FILE = "results.html"
SAMPLES = 12


def write_report(path: str | Path, runs: Sequence[ShownRun], samples: int = SAMPLES, title: str = "Results") -> Path:
    """Write the page.

    Args:
        path: of the file.
        runs: evaluations (tables, gallery) and trainings (curves), in the order in which they are shown.
        samples: clips in the gallery of each task.
        title: of the page.
    """
    parts = [f"<h1>{html.escape(title)}</h1>"]
    for task, columns in COMPARED.items():
        own = [run for run in runs if run.is_evaluation and run.task == task]
        if own:
            parts.append(_table(task, own, columns))
    trainings = [run for run in runs if not run.is_evaluation]
    for run in trainings:
        if curves := learning_curves(run.metrics):
            parts.append(f"<h2>{html.escape(run.name)}: learning</h2>{curves}")
    if samples:
        for task in COMPARED:
            own = [run for run in runs if run.is_evaluation and run.task == task]
            gallery = Gallery.of(task, own) if own else None
            if gallery is not None:
                cards = gallery.cards(samples)
                parts.append(f"<h2>{TITLES[task]}: to look at</h2><p class='soft'>{_KEYS}</p>{cards}")
    write_text(path, page(title, "\n".join(parts)))
    return Path(path)


_KEYS = (
    "Drag to look around, double click to come back; space plays, the arrow keys step and change the speed, + and - "
    "zoom. The left side is blue, the right side red. Marks under the bar, a row for each motion: turns and raised "
    "hands as measured, red where the caption says otherwise."
)


def task_tables(runs: Sequence[ShownRun]) -> dict[str, Rows]:
    """The merged table of each task that was evaluated."""
    tables = {}
    for task, columns in COMPARED.items():
        own = [(run.name, run.rows) for run in runs if run.is_evaluation and run.task == task]
        if own:
            tables[task] = merged(own, GENERATED, columns)
    return tables


def _table(task: str, runs: Sequence[ShownRun], columns: Sequence[str]) -> str:
    table = html_table(merged([(run.name, run.rows) for run in runs], GENERATED, columns))
    signatures = "".join(f"<li><code>{html.escape(run.path.as_posix())}</code></li>" for run in runs)
    return (
        f"<h2>{TITLES[task]}</h2>{table}<p class='soft'>{INTERVALS}. Arrows point to better values; → is nearer to "
        f"real motion.</p><details><summary>runs</summary><ul>{signatures}</ul></details>"
    )
