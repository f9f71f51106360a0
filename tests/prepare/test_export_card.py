"""The card of an exported folder shows the results of its own evaluations, in words and as the hub's model-index."""

import json

import pytest
from huggingface_hub import ModelCard

from models.evaluation.saved_motions import KINDS
from models.inference.motion_llm import MotionLLM
from models.policy.checkpoint import load_checkpoint
from prepare import export_hf
from tests.test_eval_mllm import save_policy
from utils.errors import InputError
from utils.metrics.report import MetricValue, Signature, write_results


@pytest.fixture
def checkpoint(tmp_path, backbone, motion_tokenizer):
    return save_policy(tmp_path / "c.pth", backbone, motion_tokenizer, ("t2m", "m2t"))


def export(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["export_hf", *map(str, arguments)])
    export_hf.main()


def evaluation(folder, checkpoint, task="t2m", fingerprint=None, com=None):
    """What eval_mllm.py leaves of an evaluation, made-up numbers in it."""
    folder.mkdir()
    rows = {
        "real": {"R@1": MetricValue(0.8, 0.01, 128, 20)},
        "generated": {
            "Skating": MetricValue(0.25, None, 128, 1),
            "R@1": MetricValue(0.534, 0.03, 128, 20),
            "FID": MetricValue(1.0171234567, 0.079, 128, 20),
            "MultiModality": MetricValue(None, None, 0, 0),
        },
    }
    known = fingerprint or load_checkpoint(checkpoint).fingerprint(task)
    signature = Signature("t2m", "test", 0, "judge", known, com)
    write_results(folder / "results.json", rows, signature, {"task": task})
    (folder / "args.json").write_text(json.dumps({"data_root": "data/toy"}))
    return folder


def test_the_results_are_valid_metadata(checkpoint, tmp_path, monkeypatch):
    runs = [evaluation(tmp_path / "plain", checkpoint), evaluation(tmp_path / "com", checkpoint, com="8x2")]
    given = [runs[0], runs[1] / "results.json"]
    export(monkeypatch, "--ckpt", checkpoint, "--out-dir", tmp_path / "out", "--results", *given)
    card = ModelCard.load(tmp_path / "out" / "README.md")
    assert card.data.library_name == "transformers" and card.data.pipeline_tag == "text-generation"
    assert card.data.base_model is None  # the backbone is a folder of this machine, which the hub does not know
    assert {"motion"} < set(card.data.tags) and card.data.model_name == "MoRL policy: text to motion and motion to text"
    found = [
        (one.task_type, one.task_name, one.dataset_name, one.dataset_split, one.metric_name, one.metric_value)
        for one in card.data.eval_results
    ]
    assert found[:3] == [
        ("text-to-motion", "text to motion", "toy", "test", "R@1", 0.534),
        ("text-to-motion", "text to motion", "toy", "test", "FID", 1.017123),
        ("text-to-motion", "text to motion", "toy", "test", "Skating", 0.25),
    ]  # in the order in which the task is read; what was not computed is left out
    assert [name[4] for name in found[3:]] == [f"{name[4]} with Chain-of-Motion 8x2" for name in found[:3]]
    index = card.data.to_dict()["model-index"]
    assert [entry["name"] for entry in index] == [card.data.model_name] and len(index[0]["results"]) == 1


def test_the_results_are_told_in_the_text(checkpoint, tmp_path, monkeypatch):
    run = evaluation(tmp_path / "run", checkpoint)
    export(monkeypatch, "--ckpt", checkpoint, "--out-dir", tmp_path / "out", "--results", run)
    text = ModelCard.load(tmp_path / "out" / "README.md").text
    assert "## Results: text to motion" in text and "0.534 +- 0.030" in text and "0.800 +- 0.010" in text
    assert "split of `toy`" in text and "data:t2m|split:test|n:128" in text and "MotionLLM.load" in text


def test_a_card_without_results_has_no_index(checkpoint, tmp_path, monkeypatch):
    export(monkeypatch, "--ckpt", checkpoint, "--out-dir", tmp_path / "out")
    card = ModelCard.load(tmp_path / "out" / "README.md")
    assert card.data.eval_results is None and "model-index" not in card.data.to_dict()
    assert set(MotionLLM.load(tmp_path / "out", device="cpu").tasks) == {"t2m", "m2t"} and KINDS


def test_results_can_be_added_to_a_finished_export(checkpoint, tmp_path, monkeypatch, capsys):
    """Nothing but the card is written; without --results not even that, since somebody may have edited it."""
    folder = tmp_path / "out"
    export(monkeypatch, "--ckpt", checkpoint, "--out-dir", folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    capsys.readouterr()
    run = evaluation(tmp_path / "run", checkpoint)
    export(monkeypatch, "--ckpt", checkpoint, "--out-dir", folder, "--results", run)
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert "exported already" in capsys.readouterr().out
    assert {name for name in after if after[name] != before.get(name)} == {"README.md"}
    (folder / "README.md").write_text("# my own words\n")
    export(monkeypatch, "--ckpt", checkpoint, "--out-dir", folder)
    assert (folder / "README.md").read_text() == "# my own words\n"


def test_results_of_something_else_are_refused(checkpoint, tmp_path, monkeypatch):
    out = ["--ckpt", checkpoint, "--out-dir", tmp_path / "out", "--results"]
    with pytest.raises(InputError, match=r"other.*results of another checkpoint \(deadbeef\)"):
        export(monkeypatch, *out, evaluation(tmp_path / "other", checkpoint, fingerprint="deadbeef"))
    with pytest.raises(InputError, match="results of m2t, but what is exported does t2m"):
        export(monkeypatch, *out, evaluation(tmp_path / "m2t", checkpoint, "m2t"), "--task", "t2m")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/results.json").write_text('{"rows": {}}')
    with pytest.raises(InputError, match=r"results\.json: not the results of eval_mllm\.py"):
        export(monkeypatch, *out, tmp_path / "broken")
    with pytest.raises(InputError, match="nobody"):
        export(monkeypatch, *out, tmp_path / "nobody")
    assert not (tmp_path / "out").exists()
