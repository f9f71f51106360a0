"""One page of evaluations and trainings: tables, curves, motions to look at. It needs no network and no other file."""

import html
import logging
from collections.abc import Sequence
from pathlib import Path

from models.reporting.gallery import Gallery
from models.reporting.learning import learning_curves
from models.reporting.runs import ShownRun
from utils.errors import InputError
from utils.files.atomic import write_text
from utils.metrics.comparison import GENERATED, INTERVALS, TITLES
from utils.metrics.criteria import COMPARED
from utils.metrics.report import Rows
from utils.report.player import page
from utils.report.tables import html_table, merged

# Whatever files of a run that are damaged, moved away or of an older version can lead to.
_CANNOT_BE_DRAWN = (
    InputError, OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError, MemoryError,
)  # fmt: skip
REPORT_FILE = "results.html"
SAMPLES = 12


def write_report(path: str | Path, runs: Sequence[ShownRun], samples: int = SAMPLES, title: str = "Results") -> Path:
    """Write the page (see `report_text`)."""
    write_text(path, report_text(runs, samples, title))
    return Path(path)


def report_text(runs: Sequence[ShownRun], samples: int = SAMPLES, title: str = "Results") -> str:
    """The page, as HTML.

    Args:
        runs: evaluations (tables, gallery) and trainings (curves), in the order in which they are shown.
        samples: clips in the gallery of each task.
        title: of the page.
    """
    parts, sections = [], []

    def add(heading: str, body: str) -> None:
        sections.append(f"<a href='#part{len(parts)}'>{html.escape(heading)}</a>")
        parts.append(f"<h2 id='part{len(parts)}'>{html.escape(heading)}</h2>{body}")

    for task, columns in COMPARED.items():
        own = [run for run in runs if run.is_evaluation and run.task == task]
        if own:
            add(TITLES[task], _table(own, columns))
    for run in runs:
        if not run.is_evaluation and (curves := learning_curves(run.metrics)):
            add(f"{run.name}: learning", f"{curves}{_asked(run)}")
    if samples:
        for task in COMPARED:
            own = [run for run in runs if run.is_evaluation and run.task == task]
            gallery = Gallery.of(task, own) if own else None
            if gallery is not None:
                add(f"{TITLES[task]}: to look at", f"<p class='soft'>{_KEYS}</p>{gallery.cards(samples)}")
    head = f"<h1>{html.escape(title)}</h1><nav>{''.join(sections)}</nav>"
    return page(title, "\n".join([head, *parts]))


_KEYS = (
    "Drag to look around, double click to come back; space plays, the arrow keys step and change the speed, + and - "
    "zoom. The left side is blue, the right side red. Marks under the bar, a row for each motion: turns and raised "
    "hands as measured, red where the caption says otherwise."
)


def report_of_run(folder: Path, already: bool) -> Path | None:
    """The page of one finished run, in its folder. None, with a warning, where it cannot be made: the run is finished.

    Args:
        already: it was finished before, so that a page that is there is its page.

    Raises:
        OSError: there is no room to write it, or the like; the same command makes it later.
    """
    path = folder / REPORT_FILE
    if already and path.is_file():
        return path
    try:
        if path.is_dir():
            raise InputError("a folder stands in its place")
        text = report_text([ShownRun(folder.name, folder)], title=folder.name)
    except _CANNOT_BE_DRAWN as error:
        logging.warning("%s could not be made (%s: %s)", path, type(error).__name__, error)
        return None
    write_text(path, text)
    return path


def where_to_look(folder: Path, already: bool) -> list[str]:
    """A line about the page of a finished run, made now if need be; none where it cannot be made."""
    page = report_of_run(folder, already)
    return [] if page is None else [f"look at it: {page}"]


def task_tables(runs: Sequence[ShownRun]) -> dict[str, Rows]:
    """The merged table of each task that was evaluated."""
    tables = {}
    for task, columns in COMPARED.items():
        own = [(run.name, run.rows) for run in runs if run.is_evaluation and run.task == task]
        if own:
            tables[task] = merged(own, GENERATED, columns)
    return tables


def _table(runs: Sequence[ShownRun], columns: Sequence[str]) -> str:
    table = html_table(merged([(run.name, run.rows) for run in runs], GENERATED, columns))
    asked = "".join(map(_asked, runs))
    remarks = "".join(f"<li>{html.escape(f'{run.name}: {one}')}</li>" for run in runs for one in run.remarks)
    remarks = f"<ul class='soft'>{remarks}</ul>" if remarks else ""
    return (
        f"{table}<p class='soft'>{INTERVALS.replace('+-', '±')}. Arrows point to better values; → is nearer to "
        f"real motion.</p>{remarks}{asked}"
    )


def _asked(run: ShownRun) -> str:
    """Where a run is and what it was asked, behind a click."""
    shown = {name: value for name, value in run.arguments.items() if name != "inputs" and value is not None}
    lines = "".join(f"<li><code>{html.escape(f'{name}: {value}')}</code></li>" for name, value in shown.items())
    where = f"<code>{html.escape(run.path.as_posix())}</code>"
    return f"<details><summary>what {html.escape(run.name)} was asked</summary><p>{where}</p><ul>{lines}</ul></details>"
