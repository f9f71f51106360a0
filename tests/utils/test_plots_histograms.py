"""Histograms as a picture."""

import pytest
from PIL import Image

from utils.plots import _edges, plot_histograms


def test_bins_are_whole_numbers_and_hold_every_value():
    assert _edges([3, 4, 5]) == [2.5, 3.5, 4.5, 5.5]
    edges = _edges([0, 511])
    assert len(edges) <= 41 and edges[0] < 0 and edges[-1] > 511 and (edges[1] - edges[0]) % 1 == 0
    assert _edges([]) == [-0.5, 0.5, 1.5]


def test_groups_are_drawn_where_they_have_counts(tmp_path):
    panels = {"lengths": {"train": {1: 5, 2: 9}, "val": {2: 1}}, "words": {"train": {}, "val": {}}}
    plot_histograms(panels, tmp_path / "a.png", "title")
    plot_histograms({**panels, "lengths": {"train": {1: 5, 2: 9}, "val": {}}}, tmp_path / "b.png", "title")
    with Image.open(tmp_path / "a.png") as both, Image.open(tmp_path / "b.png") as one:
        assert both.width > 2 * 300
        assert len(both.convert("RGB").getcolors(1 << 20)) > len(one.convert("RGB").getcolors(1 << 20))
    with pytest.raises(ValueError, match="no panel"):
        plot_histograms({}, tmp_path / "c.png", "title")
