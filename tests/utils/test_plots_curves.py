"""Learning curves: which numbers of a run become which line."""

import json

from PIL import Image

from utils.plots import curves_of, plot_learning_curves

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


def test_a_picture_is_drawn_where_there_are_numbers(tmp_path):
    file, picture = tmp_path / "metrics.jsonl", tmp_path / "curves.png"
    plot_learning_curves(file, picture, "nothing yet")
    assert not picture.exists()
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    plot_learning_curves(file, picture, "SFT t2m")
    with Image.open(picture) as image:
        assert image.width > 3 * 300  # three panels
        assert len(set(image.convert("L").getdata())) > 10
