"""What makes a validation the best, and what a run does with it."""

import json
import math

import pytest
from datasets import disable_progress_bars

from dataset.cot.training_rows import TrainingData
from models.policy.checkpoint import load_checkpoint
from models.sft.training import Validation
from tests.models.sft.sft_runs import run_supervise
from utils.errors import InputError
from utils.metrics import criteria
from utils.metrics.criteria import CRITERIA, METRICS, lower_is_better


@pytest.fixture(autouse=True)
def quiet():
    disable_progress_bars()


def test_lower_is_better_but_for_cider():
    assert CRITERIA["loss"].badness({"eval_loss": 2.0}) == 2.0
    assert CRITERIA["FID"].badness({"eval_FID": 0.5, "eval_loss": 9.0}) == 0.5
    assert CRITERIA["CIDEr"].badness({"eval_CIDEr": 2.0}) < CRITERIA["CIDEr"].badness({"eval_CIDEr": 1.0})


def test_what_could_not_be_computed_is_never_the_best():
    assert CRITERIA["FID"].badness({}) == math.inf
    assert CRITERIA["CIDEr"].badness({"eval_CIDEr": math.nan}) == math.inf


def test_every_list_of_metrics_names_metrics_of_its_task():
    for listed in (criteria.COMPARED, criteria.SWEPT, criteria.DRAWN, criteria.VALIDATED):
        for task, names in listed.items():
            assert [name for name in names if task not in METRICS[name].tasks] == []
    assert set(criteria.OF_REAL_MOTION) <= set(METRICS)
    assert lower_is_better("FID") and not lower_is_better("CIDEr") and not lower_is_better("held_out_reward/total")


class Replies:
    """Metrics of replies as given, one after the other; None: not computed."""

    def __init__(self, name, values):
        self.name, self.values, self.models = name, iter(values), []

    def __call__(self, model):
        self.models.append(model.training)
        value = next(self.values)
        return {} if value is None else {self.name: value}


@pytest.mark.parametrize(
    ("name", "values", "best"), [("FID", [3.0, None, 1.0, 2.0], 1.0), ("CIDEr", [1.0, 4.0, 2.0, 0.5], 4.0)]
)
def test_the_best_checkpoint_is_the_one_of_the_best_replies(cot_jsonl, backbone, tmp_path, name, values, best):
    replies = Replies(name, values)
    validation = Validation(best_by=name, replies=replies)
    run_supervise(cot_jsonl, backbone, tmp_path, None, epochs=4, validation=validation)
    kept = load_checkpoint(tmp_path / "motionllm_t2m_best.pth").metrics
    assert kept[f"val_{name}"] == best and kept["val_loss"] > 0 and 0 < kept["val_token_accuracy"] <= 1
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    logged = [row.get(f"eval_{name}") for row in rows if "eval_loss" in row]
    assert logged == values
    # The weights are those of that epoch: a second look with the loss of the same data gives the loss it was kept with.
    epoch = values.index(best)
    assert kept["val_loss"] == pytest.approx([row["eval_loss"] for row in rows if "eval_loss" in row][epoch])
    assert (tmp_path / "learning_curves.png").is_file()


def test_a_run_whose_metric_was_never_computed_keeps_the_latest(cot_jsonl, backbone, tmp_path, caplog):
    validation = Validation(best_by="FID", replies=Replies("FID", [None]))
    run_supervise(cot_jsonl, backbone, tmp_path, None, epochs=1, validation=validation)
    assert "no validation could compute FID" in caplog.text
    assert [path.name for path in tmp_path.glob("*.pth")] == ["motionllm_t2m_latest.pth"]


def test_patience_counts_by_the_same_metric(cot_jsonl, backbone, tmp_path):
    replies = Replies("FID", [3.0, 1.0, 2.0, 2.0, 0.5, 0.5])
    run_supervise(
        cot_jsonl, backbone, tmp_path, None, epochs=6, validation=Validation(patience=2, best_by="FID", replies=replies)
    )
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["eval_FID"] for row in rows if "eval_FID" in row] == [3.0, 1.0, 2.0, 2.0]


def test_a_share_needs_two_tasks():
    with pytest.raises(InputError, match="--t2m-share"):
        TrainingData(None, None, ("t2m",), 0.5)
