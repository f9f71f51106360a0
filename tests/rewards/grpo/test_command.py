"""`train_mllm.py --train-stage rlvr` with a grammar mask and an independent judge."""

import json
import sys

import pytest

import train_mllm
from models.policy.checkpoint import save_checkpoint
from tests.prepare.random_motions import random_evaluator, write_motions
from tests.rewards.grpo.grpo_runs import policy_of
from utils.run.command import run_command

pytestmark = pytest.mark.pipeline


@pytest.fixture
def rlvr(tmp_path, cot_jsonl, backbone, motion_tokenizer, monkeypatch, capsys):
    write_motions(tmp_path / "data", {"train": 8, "val": 34})
    for name, family in (("judge", "guo"), ("transformer", "tmr")):
        random_evaluator(family=family).save(tmp_path / name)
    save_checkpoint(tmp_path / "sft.pth", policy_of(backbone, motion_tokenizer).checkpoint)
    common = {
        "train-stage": "rlvr", "training-task": "both", "cot-train-jsonl": cot_jsonl, "out-dir": tmp_path,
        "device": "cpu", "print-iter": 1, "max-motion-len": 10, "max-text-len": 10, "rl-prompts": 4,
        "rl-eval-prompts": 2, "rl-group-size": 2, "batch-size": 2, "rl-epochs": 1, "data-root": tmp_path / "data",
        "rl-reference-ckpt": tmp_path / "sft.pth", "val-clips": 33, "rewards": "format=1",
    }  # fmt: skip

    def run(name, *switches, **flags):
        given = {**common, "exp-name": name, **{flag.replace("_", "-"): value for flag, value in flags.items()}}
        words = [word for flag, value in given.items() for word in (f"--{flag}", str(value))]
        monkeypatch.setattr(sys, "argv", ["train_mllm.py", *words, *switches])
        run_command(train_mllm.main)
        rows = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        return [row for row in rows if "held_out_reward/total" in row]

    run.folder, run.errors = tmp_path, lambda: capsys.readouterr().err
    return run


def test_held_out_metrics_by_another_evaluator(rlvr):
    before, after = rlvr("judged", "--constrain-grammar", val_evaluator=rlvr.folder / "judge")
    assert {"held_out/well_formed_t2m", "held_out/well_formed_m2t", "held_out/CIDEr"} <= before.keys() & after.keys()
    assert (rlvr.folder / "judged" / "samples" / "replies.jsonl").is_file()
    assert json.loads((rlvr.folder / "judged" / "args.json").read_text())["constrain_grammar"] is True


@pytest.mark.parametrize(("ranker", "judge"), [("judge", "transformer"), ("transformer", "judge")])
def test_evaluators_of_two_families_reward_and_judge(rlvr, ranker, judge):
    folder = rlvr.folder
    rewarded = {"rewards": "consistency=1", "reward_evaluator": folder / ranker, "val_evaluator": folder / judge}
    before, after = rlvr("families", **rewarded)
    assert {"held_out/well_formed_t2m", "held_out/CIDEr"} <= before.keys() & after.keys()


def test_without_a_judge_there_are_none(rlvr):
    before, after = rlvr("plain")
    assert not any(name.startswith("held_out/") for name in before.keys() | after.keys())


def test_the_rewarding_evaluator_may_not_judge(rlvr):
    judge = rlvr.folder / "judge"
    with pytest.raises(SystemExit) as end:
        rlvr("circular", rewards="consistency=1", reward_evaluator=judge, val_evaluator=judge)
    assert end.value.code == 2 and "judge gives the reward" in rlvr.errors()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("generation_kwargs: {top_k: -3}", "trl cannot train with these settings: `top_k` has to be"),
        ("cast_lm_head_to_fp32: true", "trl cannot train with these settings: AttributeError: "),
        ("torch_compile_mode: foo", "trl cannot train with these settings: RuntimeError: Unrecognized mode=foo"),
        ("cache_implementation: foo", "Invalid `cache_implementation` (foo)"),
        ("sync_ref_model: true", "trl cannot train with these settings: You passed `sync_ref_model=True`"),
        ("top_p: 3", "top_p: must not be above 1"),
    ],
)
def test_a_setting_that_only_a_step_refuses_is_one_line(rlvr, text, said):
    (rlvr.folder / "odd.yaml").write_text(text)
    with pytest.raises(SystemExit) as end:
        rlvr("odd", trainer_config=rlvr.folder / "odd.yaml")
    told = rlvr.errors()
    assert end.value.code == 2 and said in told and "--trainer-config" in told and "Traceback" not in told
