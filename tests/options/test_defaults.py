"""What train_mllm.py takes where no flag says: by task, by an earlier version's run, by the model and the data."""

import json
import logging
from pathlib import Path

import pytest

from models.policy.rates import RATES
from options.flags.com import ComFlags
from options.flags.recipes import MEASURED, PUBLISHED
from options.flags.rewards import CONTRADICTION_IN_SEARCH, FACTS_IN_SEARCH, RewardFlags
from options.grpo import GrpoSettings
from options.sft import SftSettings
from options.train import TrainSettings
from utils.errors import InputError
from utils.files.json_files import write_json

RLVR = ("--train-stage", "rlvr", "--cot-train-jsonl", "x")


def flags(*words, kind=TrainSettings):
    return kind.parse("", list(map(str, words))).with_defaults().as_dict()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("task", ["t2m", "m2t", "both"])
def test_the_recipe_is_the_measured_one_of_the_task(task):
    found = flags(*RLVR, "--training-task", task)
    assert {name: found[name] for name in vars(MEASURED[task])} == vars(MEASURED[task])
    assert found["rl_best_by"] == "reward" and found["published_rl"] is False


def test_the_published_values_are_one_flag_away_and_a_flag_that_is_given_wins():
    found = flags(*RLVR, "--published-rl")
    assert {name: found[name] for name in vars(PUBLISHED)} == vars(PUBLISHED) and found["learning_rate"] == 1e-5
    given = ("--rl-kl-coef", 0.1, "--disable-rl-component-norm", "--learning-rate", 1e-3, "--lr-schedule", "cosine")
    found = flags(*RLVR, "--published-rl", *given)
    named = {"rl_kl_coef": 0.1, "disable_rl_component_norm": True, "lr_schedule": "cosine"}
    assert {name: found[name] for name in vars(PUBLISHED)} == {**vars(PUBLISHED), **named}
    assert found["learning_rate"] == 1e-3
    found = flags(*RLVR, "--training-task", "m2t", "--rl-temperature", 1, "--rl-new-prompts", "false")
    assert found["rl_temperature"] == 1 and found["rl_new_prompts"] is False and found["rl_kl_coef"] == 0.05


def test_normalised_components_are_not_scaled_again():
    assert flags(*RLVR, "--disable-rl-component-norm", "false")["rl_scale_rewards"] == "group"
    for given in (("--published-rl",), ("--disable-rl-component-norm", "false")):
        with pytest.raises(InputError, match="--rl-scale-rewards batch needs --disable-rl-component-norm"):
            flags(*RLVR, *given, "--rl-scale-rewards", "batch")


def test_a_judge_chooses_the_best_epoch_where_there_is_one():
    assert flags(*RLVR, "--val-evaluator", "judge")["rl_best_by"] == "judge"
    assert flags(*RLVR, "--val-evaluator", "judge", "--rl-best-by", "last")["rl_best_by"] == "last"
    with pytest.raises(InputError, match="--rl-best-by judge needs --val-evaluator"):
        flags(*RLVR, "--rl-best-by", "judge")


def test_help_shows_both_values(capsys):
    with pytest.raises(SystemExit):
        TrainSettings.parse("", ["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "default 0.3, for m2t alone 0.05; published 0.02" in shown and "default 0.8; published 1.0" in shown
    for stage, kind in RATES:
        assert f"{stage} {kind} {RATES[stage, kind][0]:g} ({RATES[stage, kind][1]:g})" in shown


OLDER = {
    "learning_rate": 1e-5, "lr_schedule": None, "max_text_len": 256, "max_motion_len": 200, "rl_kl_coef": 0.02,
    "rl_temperature": 1.0, "disable_rl_component_norm": False, "rl_scale_rewards": "group", "rl_eval_samples": 1,
}  # fmt: skip


@pytest.mark.parametrize("stage", ["sft", "rlvr"])
def test_a_run_of_an_earlier_version_goes_on_with_its_defaults(tmp_path, stage):
    write_json(tmp_path / "experiments/test/args.json", OLDER)
    (tmp_path / "experiments/test/metrics.jsonl").touch()
    found = flags("--train-stage", stage, "--cot-train-jsonl", "x")
    assert {name: found[name] for name in ("learning_rate", "max_text_len", "max_motion_len")} == {
        "learning_rate": 1e-5, "max_text_len": 256, "max_motion_len": 200,
    }  # fmt: skip
    assert found["lr_schedule"] is None and found["token_learning_rate"] is None  # that is, the learning rate
    if stage == "rlvr":
        assert {name: found[name] for name in OLDER} == OLDER
        assert found["rl_new_prompts"] is False and found["rl_best_by"] == "reward"
        assert flags(*RLVR, "--rl-kl-coef", 0.5)["rl_kl_coef"] == 0.5  # which such a run is then refused for
    assert flags("--train-stage", stage, "--cot-train-jsonl", "x", "--no-resume")["max_text_len"] is None


@pytest.mark.parametrize("stage", ["sft", "rlvr"])
def test_it_goes_on_with_them_however_often_it_is_interrupted(tmp_path, cot_jsonl, stage):
    file = tmp_path / "experiments/test/args.json"
    write_json(file, OLDER)
    (tmp_path / "experiments/test/metrics.jsonl").touch()
    words = ["--train-stage", stage, "--cot-train-jsonl", str(cot_jsonl), "--device", "cpu"]
    kind = {"sft": SftSettings, "rlvr": GrpoSettings}[stage]
    for _ in range(3):
        run = kind.parse("", words).with_defaults().open_run()
        with pytest.raises(KeyboardInterrupt):
            run.complete(lambda begin: begin("data") and _interrupted())
        asked = json.loads(file.read_text())
        assert asked["learning_rate"] == 1e-5 and "published_rl" not in asked


def _interrupted():
    raise KeyboardInterrupt


@pytest.fixture
def world(tmp_path, cot_jsonl, backbone):
    def settle(*words, kind=SftSettings, begun_with=None):
        stage = "rlvr" if kind is GrpoSettings else "sft"
        given = ("--train-stage", stage, "--cot-train-jsonl", cot_jsonl, "--llm-backbone", backbone, *words)
        settings = kind.parse("", list(map(str, given))).with_defaults()
        write_json(settings.folder.path / "environment.json", {"seed": 1})
        settled = settings.settled(begun_with, settings.folder)
        about = json.loads((settings.folder.path / "environment.json").read_text())
        return settled.as_dict(), about

    return settle


def test_lengths_are_those_of_the_data_and_rates_those_of_the_model(world, cot_jsonl, caplog):
    with caplog.at_level(logging.INFO):
        found, about = world()
    rows = [json.loads(line) for line in Path(cot_jsonl).read_text().splitlines()]
    longest = max(len(row["motion_tokens"]) for row in rows)
    assert found["max_motion_len"] == -(-longest // 8) * 8 and found["max_text_len"] % 8 == 0
    assert found["learning_rate"] == 3e-3  # all weights of a tiny model
    assert about == {
        "seed": 1,
        "chosen": {name: found[name] for name in ("learning_rate", "max_text_len", "max_motion_len")},
    }
    assert "--learning-rate 0.003" in caplog.text
    assert world("--finetune", "lora")[0]["learning_rate"] == RATES["sft", "lora"][1]
    assert world(kind=GrpoSettings)[0]["learning_rate"] == RATES["rlvr", "lora"][1]
    # An answer of m2t is a caption, which may have more tokens than a motion has codes.
    assert world("--training-task", "m2t")[0]["max_motion_len"] >= found["max_motion_len"]


def test_flags_that_are_given_win(world):
    given = ("--learning-rate", 0.5, "--max-text-len", 3, "--max-motion-len", 999)
    found, about = world(*given)
    assert (found["learning_rate"], found["max_text_len"], found["max_motion_len"]) == (0.5, 3, 999)
    assert about["chosen"] == {}
    assert world("--max-text-len", 3)[1]["chosen"].keys() == {"learning_rate", "max_motion_len"}


def test_a_rate_for_rows_that_are_trained_with_their_matrix_is_refused(world):
    assert world("--finetune", "lora", "--token-learning-rate", 0.1)[0]["token_learning_rate"] == 0.1
    with pytest.raises(InputError, match="--token-learning-rate goes with --finetune lora"):
        world("--token-learning-rate", 0.1)


def test_args_say_what_was_taken(tmp_path, cot_jsonl):
    given = ("--train-stage", "rlvr", "--cot-train-jsonl", cot_jsonl, "--device", "cpu", "--training-task", "m2t")
    run = TrainSettings.parse("", list(map(str, given))).with_defaults().open_run()
    run.complete(lambda begin: begin("data") and {})
    asked = json.loads((tmp_path / "experiments/test/args.json").read_text())
    assert {name: asked[name] for name in vars(MEASURED["m2t"])} == vars(MEASURED["m2t"])
    # The flag is no argument of a run: what it stands for is.
    words = [
        word for name, value in vars(MEASURED["m2t"]).items() for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    again = TrainSettings.parse(
        "", [*map(str, given), "--published-rl", *words, "--learning-rate", "1"]
    ).with_defaults()
    with pytest.raises(InputError, match=r"\(learning_rate was None, now 1.0\)"):
        again.open_run().complete(lambda begin: {})


def test_a_search_that_an_earlier_version_began_reflects_as_that_did():
    for given, before, taken in (
        (None, {}, "revise"),
        (None, {"use_com": True}, "reflect"),
        (None, {"com_refine": "both"}, "revise"),  # which the run then refuses
        ("both", {"use_com": True}, "both"),
    ):
        flags = ComFlags(use_com=True, com_refine=given)
        flags.go_on(before)
        assert flags.com_refine == taken
    assert [ComFlags(use_com=True).label, ComFlags(use_com=True, com_refine_steps=1).label] == ["8x2-revise", "8x1"]
    assert ComFlags(use_com=True, com_tokens=700, com_refine="both").label == "8x2-both-700tokens"
    assert ComFlags(use_com=True, com_cut="fault").label == "8x2-revise-fault"


def test_facts_rank_and_reward_only_where_they_are_asked_to():
    defaults = {"facts": FACTS_IN_SEARCH, "contradiction": CONTRADICTION_IN_SEARCH}
    assert not defaults.keys() & RewardFlags().weights().keys()
    assert defaults.items() <= RewardFlags().weights(searches=True).items()
    assert RewardFlags(reward_facts_weight=1).weights()["facts"] == 1
    assert RewardFlags(reward_contradiction_weight=2).weights()["contradiction"] == 2
    assert "contradiction" not in RewardFlags(reward_contradiction_weight=0).weights(searches=True)
    # A search of an earlier version had none of them, or facts alone.
    facts_only = {"use_com": True, "reward_facts_weight": None}
    for before, wanted in (({}, {*defaults}), ({"use_com": True}, set()), (facts_only, {"facts"})):
        flags = RewardFlags()
        flags.go_on(before)
        assert defaults.keys() & flags.weights(searches=True).keys() == wanted
