"""A run is known by what it reads, and by nothing else: what it does not read may have moved or gone."""

import shutil

import pytest

from options.evaluate import EvalSettings
from options.train import TrainSettings
from utils.errors import InputError


@pytest.fixture
def place(tmp_path):
    """Two folders that stand for models and a data set, and a jsonl; no run gets so far as to open them."""
    for name in ("nli", "data", "evaluator"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(f'"{name}"')
    (tmp_path / "cot.jsonl").write_text("{}\n")
    (tmp_path / "predictions.jsonl").write_text('{"id": "a", "motion": "a.npy"}\n')
    (tmp_path / "a.npy").write_bytes(b"motion")
    return tmp_path


def begun(place, kind, *given):
    """A run of these flags that has been finished; what is run again must be the same."""
    run = kind.parse("", [*map(str, given), "--out-dir", str(place), "--exp-name", "run", "--device", "cpu"]).open_run()

    def work(begin):
        begin("data")
        return {}

    return run.complete(work)


def sft(place, **named):
    given = {"cot_train_jsonl": place / "cot.jsonl", "data_root": place / "data", **named}
    return [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", value)]


def test_what_a_stage_does_not_read_may_have_another_path(place):
    begun(place, TrainSettings, *sft(place))
    assert begun(place, TrainSettings, *sft(place, data_root=place / "gone")).already


@pytest.mark.parametrize(("task", "read"), [("t2m", False), ("m2t", True)])
def test_models_of_rewards_that_judge_the_other_task_are_not_read(place, task, read):
    def given(model):
        flags = sft(place, train_stage="rlvr", training_task=task, reward_align_weight=0, nli_model_name=model)
        return [*flags, "--semantic-model-name", place / "nli"]

    begun(place, TrainSettings, *given(place / "nli"))
    shutil.copytree(place / "nli", place / "other")
    assert begun(place, TrainSettings, *given(place / "other")).already  # the same content
    (place / "other/config.json").write_text("changed")
    if read:
        with pytest.raises(InputError, match="--nli-model-name"):
            begun(place, TrainSettings, *given(place / "other"))
    else:
        assert begun(place, TrainSettings, *given(place / "other")).already


def test_rewards_of_a_users_file_may_read_all_that_is_named(place):
    (place / "own.py").write_text("")
    flags = sft(place, train_stage="rlvr", training_task="t2m", rewards=f"{place / 'own.py'}:Own=1")
    begun(place, TrainSettings, *flags, "--nli-model-name", place / "nli")
    with pytest.raises(InputError, match="nli_model_name was"):
        begun(place, TrainSettings, *flags, "--nli-model-name", place / "other")


def test_motions_that_predictions_name_are_read_with_them(place):
    given = ("--eval-task", "t2m", "--from-predictions", place / "predictions.jsonl", "--data-root", place / "data")
    begun(place, EvalSettings, *given)
    assert begun(place, EvalSettings, *given).already
    (place / "a.npy").write_bytes(b"another motion")
    with pytest.raises(InputError, match="--from-predictions"):
        begun(place, EvalSettings, *given)
