"""Histograms side by side: one panel a quantity, one line a group, as shares so that groups of any size compare."""

from collections.abc import Mapping
from pathlib import Path

_BINS = 40


def plot_histograms(panels: Mapping[str, Mapping[str, Mapping[int, int]]], picture: str | Path, title: str) -> None:
    """Draw ``panel -> group -> value -> count`` into a PNG; a group without counts is left out.

    Raises:
        ValueError: there is no panel.
    """
    # Imported here: it takes seconds, and only a finished command draws.
    from matplotlib.figure import Figure

    if not panels:
        raise ValueError("there is no panel to draw")
    figure = Figure(figsize=(4.2 * len(panels), 3.4), layout="constrained")
    figure.suptitle(title)
    for axes, (panel, groups) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        edges = _edges([value for counts in groups.values() for value in counts])
        for group, counts in groups.items():
            total = sum(counts.values())
            if total:
                shares = [count / total for count in counts.values()]
                axes.hist(list(counts), bins=edges, weights=shares, histtype="step", linewidth=1.5, label=group)
        axes.set(title=panel, ylabel="share")
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[1]:
            axes.legend()
    figure.savefig(picture, dpi=110)


def _edges(values: list[int]) -> list[float]:
    """Bins of whole numbers, at most about `_BINS` of them."""
    lowest, highest = (min(values), max(values)) if values else (0, 1)
    width = -(-(highest - lowest + 1) // _BINS)
    bins = -(-(highest - lowest + 1) // width)
    return [lowest - 0.5 + width * number for number in range(bins + 1)]
