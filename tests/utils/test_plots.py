"""Pictures of numbers: which ones of a run become which line, and histograms."""

import json

import pytest
from PIL import Image

from utils.plots import _edges, curves_of, plot_histograms, plot_learning_curves

ROWS = [
    {"step": 10, "loss": 2.0, "mean_token_accuracy": 0.4, "learning_rate": 1e-3},
    {"step": 12, "eval_loss": 1.5, "eval_token_accuracy": 0.5, "eval_runtime": 3.0},
    {"step": 20, "loss": 1.0, "mean_token_accuracy": 0.6, "learning_rate": 1e-4},
    {"step": 24, "eval_loss": 1.2, "eval_token_accuracy": 0.55, "eval_FID": 3.0},
    {"step": 24, "train_runtime": 9.0, "train_loss": 1.5},
]


def test_training_and_validation_share_a_panel():
    assert curves_of(ROWS) == {
        "loss": {"training": [(10, 2.0), (20, 1.0)], "validation": [(12, 1.5), (24, 1.2)]},
        "token_accuracy": {"training": [(10, 0.4), (20, 0.6)], "validation": [(12, 0.5), (24, 0.55)]},
        "FID": {"validation": [(24, 3.0)]},
    }


def test_curves_are_drawn_where_there_are_numbers(tmp_path):
    file, picture = tmp_path / "metrics.jsonl", tmp_path / "curves.png"
    plot_learning_curves(file, picture, "nothing yet")
    assert not picture.exists()
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    plot_learning_curves(file, picture, "SFT t2m")
    with Image.open(picture) as image:
        assert image.width > 3 * 300  # three panels
        assert len(set(image.convert("L").getdata())) > 10


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


@pytest.mark.parametrize("name", ["a$b$ 100% \\frac", "$", "\U0001f600 \u4e2d", "\udc80"])
def test_names_are_no_formulas_and_need_no_font(tmp_path, name, recwarn):
    rows = [{"step": step, "loss": 1.0, f"eval_{name}".replace("\udc80", "x"): 2.0} for step in (1, 2)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    plot_learning_curves(tmp_path / "metrics.jsonl", tmp_path / "a.png", name)
    plot_histograms({name.replace("\udc80", "x"): {"$": {1: 2}}}, tmp_path / "b.png", name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png", "metrics.jsonl"]
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]
