"""The figure for a paper: bars with intervals, curves, the kind of file that its name says."""

import re

import pytest
from PIL import Image

from utils.metrics.report import MetricValue
from utils.report.figure import write_figure


def value(mean, interval=0.02):
    return MetricValue(mean, interval, 64, 20)


TABLES = {
    "text to motion": {
        "real": {"R@1": value(0.9)},
        "SFT": {"R@1": value(0.5), "FID": value(0.4)},
        "RLVR $x$": {"R@1": value(0.6), "FID": value(None, None)},
    }
}
CURVES = {
    "sft": {"loss": {"training": [(1, 2.0), (2, 1.0)], "held out": [(2, 1.5)]}},
    "rlvr": {"loss": {"training": [(1, float("nan")), (2, 1.0)]}, "reward": {"training": [(1, 0.1), (2, 0.4)]}},
}


def test_every_ending_gives_its_kind_of_file(tmp_path):
    for ending, start in ((".pdf", b"%PDF"), (".png", b"\x89PNG"), (".svg", b"<?xml")):
        write_figure(tmp_path / f"figure{ending}", TABLES, CURVES)
        assert (tmp_path / f"figure{ending}").read_bytes().startswith(start)
    with Image.open(tmp_path / "figure.png") as picture:
        assert picture.width == 1400  # 7 inches
        assert len(picture.convert("RGB").getcolors(10**6)) > 100


def test_words_are_text_that_can_be_searched_and_the_same_numbers_give_the_same_file(tmp_path):
    write_figure(tmp_path / "a.svg", TABLES, CURVES)
    svg = (tmp_path / "a.svg").read_text()
    words = set(re.findall(r"<text[^>]*>([^<]*)</text>", svg))
    assert {"R@1 ↑", "FID ↓", "SFT", "RLVR $x$", "real motion", "rlvr"} <= words
    assert "loss" in words and "(training –, held out --)" in words
    write_figure(tmp_path / "a.pdf", TABLES, CURVES)
    write_figure(tmp_path / "b.pdf", TABLES, CURVES)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


@pytest.mark.parametrize(("tables", "curves"), [(TABLES, {}), ({}, CURVES)])
def test_bars_or_curves_alone_are_a_figure(tmp_path, tables, curves):
    write_figure(tmp_path / "a.svg", tables, curves)
    svg = (tmp_path / "a.svg").read_text()
    assert ("FID" in svg) == bool(tables) and ("reward" in svg) == bool(curves)


def test_nothing_to_draw_is_no_file(tmp_path):
    write_figure(tmp_path / "a.pdf", {}, {"sft": {}})
    assert not (tmp_path / "a.pdf").exists()
