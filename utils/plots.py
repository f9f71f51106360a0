"""Numbers become pictures, one panel a quantity: the curves of a training run, and histograms of a data set."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from utils.files.atomic import write_atomic
from utils.files.journal import Journal
from utils.files.json_files import is_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Metrics of the training steps and their panels; validation has the same panels, and more.
_TRAINING = {"loss": "loss", "mean_token_accuracy": "token_accuracy", "reward": "reward", "kl": "kl"}
_NOT_DRAWN = {"runtime", "samples_per_second", "steps_per_second", "num_tokens", "model_preparation_time"}
_BINS = 40


def plot_learning_curves(metrics: Path, picture: Path, title: str) -> None:
    """Draw metrics.jsonl of a run of trl's trainers into a PNG; nothing where there is nothing to draw."""
    panels = curves_of(Journal(metrics).rows())
    if not panels:
        return
    figure, all_axes = _row_of_panels(len(panels), title)
    for axes, (panel, lines) in zip(all_axes, panels.items(), strict=True):
        for line, points in lines.items():
            marker = "o" if line == "validation" else None
            axes.plot(*zip(*points, strict=True), label=line, marker=marker, markersize=3)
        axes.set(title=panel, xlabel="step")
    _save(figure, picture)


def curves_of(rows: list[dict[str, float]]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Rows of metrics.jsonl -> panel -> ``training`` | ``validation`` -> points (step, value), in order."""
    panels: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        if not is_number(row.get("step")):  # a line that was torn, and then written on
            continue
        for name, value in row.items():
            if not is_number(value):
                continue
            if name in _TRAINING:
                panel, line = _TRAINING[name], "training"
            elif name.startswith("eval_") and name.removeprefix("eval_") not in _NOT_DRAWN:
                panel, line = name.removeprefix("eval_"), "validation"
            else:
                continue
            panels.setdefault(panel, {}).setdefault(line, []).append((row["step"], value))
    return panels


def plot_histograms(panels: Mapping[str, Mapping[str, Mapping[int, int]]], picture: str | Path, title: str) -> None:
    """Draw ``panel -> group -> value -> count`` into a PNG; a group without counts is left out.

    Raises:
        ValueError: there is no panel.
    """
    if not panels:
        raise ValueError("there is no panel to draw")
    figure, all_axes = _row_of_panels(len(panels), title)
    for axes, (panel, groups) in zip(all_axes, panels.items(), strict=True):
        edges = _edges([value for counts in groups.values() for value in counts])
        for group, counts in groups.items():
            total = sum(counts.values())
            if total:
                shares = [count / total for count in counts.values()]
                axes.hist(list(counts), bins=edges, weights=shares, histtype="step", linewidth=1.5, label=group)
        axes.set(title=panel, ylabel="share")
    _save(figure, picture)


def _edges(values: list[int]) -> list[float]:
    """The edges of bins that hold whole numbers, at most about `_BINS` of them."""
    lowest, highest = (min(values), max(values)) if values else (0, 1)
    width = -(-(highest - lowest + 1) // _BINS)
    bins = -(-(highest - lowest + 1) // width)
    return [lowest - 0.5 + width * number for number in range(bins + 1)]


def _row_of_panels(count: int, title: str) -> tuple["Figure", Sequence["Axes"]]:
    # Imported here: it takes seconds, and only a finished run or command draws.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * count, 3.4), layout="constrained")
    figure.suptitle(title.encode("utf-8", "replace").decode("utf-8"))
    return figure, figure.subplots(1, count, squeeze=False)[0]


def _save(figure: "Figure", picture: str | Path) -> None:
    from matplotlib.text import Text

    for axes in figure.axes:
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[1]:
            axes.legend()
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a name with dollar signs is no formula
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # what the font lacks becomes a box
        write_atomic(picture, lambda stream: figure.savefig(stream, format="png", dpi=110))
