"""Several runs become one figure for a paper: bars with their intervals, then curves of the trainings."""

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from utils.files.atomic import write_atomic
from utils.files.outputs import MARK
from utils.metrics.criteria import with_arrow
from utils.metrics.report import MetricValue, Rows
from utils.report.curves import Points
from utils.report.tables import REAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURE_ENDINGS = (".pdf", ".png", ".svg")
# The palette of Okabe and Ito: told apart by people who do not see red or green, and in print.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000")
_DASHES = ("-", "--", "-.", ":")
_COLUMNS, _WIDTH_IN, _ROW_IN = 4, 7.0, 1.75  # the width of a page of text; four panels beside each other
# Fonts that a reader can select and search, as publishers want them.
_STYLE = {
    "font.size": 8, "axes.titlesize": 8, "legend.fontsize": 7.5, "xtick.labelsize": 7, "ytick.labelsize": 7,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.6, "lines.linewidth": 1.2,
    "pdf.fonttype": 42, "svg.fonttype": "none",
}  # fmt: skip

Panels = Mapping[str, Mapping[str, Points]]


def write_figure(path: str | Path, tables: Mapping[str, Rows], trainings: Mapping[str, Panels]) -> None:
    """Write the figure as what the name ends in (`FIGURE_ENDINGS`); nothing is written where nothing can be drawn.

    Args:
        tables: title -> system -> metric -> value; real motion, where it is a system, becomes a line.
        trainings: run -> title -> line -> points; the first line of a title is drawn, and the second dashed.
    """
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    # What is drawn: the bars of a task begin a row of their own, and the curves come last.
    systems = list(dict.fromkeys(name for rows in tables.values() for name in rows if name != REAL))
    colours = {name: _COLOURS[number % len(_COLOURS)] for number, name in enumerate([*systems, *trainings])}
    blocks = [[(title, rows, name) for name in _metrics(rows)] for title, rows in tables.items()]
    titles = list(dict.fromkeys(title for panels in trainings.values() for title in panels))
    bars = [line for block in blocks for line in _lines(block)]
    curves = _lines(titles)
    if not bars and not curves:
        return
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH_IN, _ROW_IN * (len(bars) + len(curves)) + 0.4), layout="constrained")
        places = figure.subplots(len(bars) + len(curves), _COLUMNS, squeeze=False)
        for axes in places.flat:
            axes.set_visible(False)
        for row, line in zip(places, bars, strict=False):
            for place, (_, rows, name) in zip(row, line, strict=False):
                _draw_bars(place, rows, name, colours)
            row[0].set_ylabel(line[0][0])
        for row, line in zip(places[len(bars) :], curves, strict=True):
            for place, title in zip(row, line, strict=False):
                _draw_curves(place, title, trainings, colours)
        handles = {label: handle for axes in figure.axes for handle, label in zip(*_legend(axes), strict=True)}
        if handles:
            shown = min(len(handles), 4)
            figure.legend(handles.values(), handles, loc="outside lower center", ncols=shown, frameon=False)
        for text in figure.findobj(Text):
            text.set_parse_math(False)  # a name with dollar signs is no formula
        ending = Path(path).suffix.lower().removeprefix(".")
        metadata = {
            "pdf": {"CreationDate": None, "Creator": MARK},
            "svg": {"Date": None, "Creator": MARK},
            "png": {"Software": MARK},
        }.get(ending)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph")  # what the font lacks becomes a box
            write_atomic(path, lambda stream: figure.savefig(stream, format=ending, dpi=200, metadata=metadata))


def _metrics(rows: Rows) -> list[str]:
    """Metrics that some system has a value of."""
    own = [values for system, values in rows.items() if system != REAL]
    return list(dict.fromkeys(name for values in own for name, value in values.items() if value.mean is not None))


def _lines(panels: Sequence) -> list[Sequence]:
    """As many beside each other as a page is wide."""
    return [panels[start : start + _COLUMNS] for start in range(0, len(panels), _COLUMNS)]


def _draw_bars(axes: "Axes", rows: Rows, name: str, colours: Mapping[str, str]) -> None:
    axes.set_visible(True)
    systems = [system for system in rows if system != REAL]
    for number, system in enumerate(systems):
        value = rows[system].get(name, MetricValue(None, None, 0, 0))
        if value.mean is not None:
            axes.bar(number, value.mean, 0.7, yerr=value.interval, color=colours[system], label=system,
                     error_kw={"elinewidth": 0.8, "capsize": 2})  # fmt: skip
    real = rows.get(REAL, {}).get(name)
    if real is not None and real.mean is not None:
        axes.axhline(real.mean, color="0.35", linewidth=0.9, linestyle=(0, (4, 2)), label="real motion")
    axes.set_xlim(-0.6, len(systems) - 0.4)
    axes.set_xticks([])
    axes.set_title(with_arrow(name))
    axes.locator_params(axis="y", nbins=4)


def _draw_curves(axes: "Axes", title: str, trainings: Mapping[str, Panels], colours: Mapping[str, str]) -> None:
    axes.set_visible(True)
    for run, panels in trainings.items():
        for dash, points in zip(_DASHES, panels.get(title, {}).values(), strict=False):
            kept = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
            label = run if dash == _DASHES[0] else None  # once in the legend
            marker = "o" if len(kept) < 12 else None
            if kept:
                xs, ys = zip(*kept, strict=True)
                axes.plot(xs, ys, color=colours[run], linestyle=dash, label=label, marker=marker, markersize=2.2)
    axes.set_title(_with_lines(title, trainings), fontsize=7)
    axes.locator_params(nbins=4)


def _with_lines(title: str, trainings: Mapping[str, Panels]) -> str:
    """The title, and what its dashed lines are where it has some."""
    lines = max((list(panels.get(title, {})) for panels in trainings.values()), key=len)
    return title if len(lines) < 2 else f"{title}\n({lines[0]} –, {lines[1]} --)"


def _legend(axes: "Axes") -> tuple[Sequence, Sequence]:
    return axes.get_legend_handles_labels()
