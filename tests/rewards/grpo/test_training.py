"""GRPO: the KL reference is the start of training, checkpoints are written, an interrupted run goes on."""

import json
import shutil

import pytest
import torch
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer

from dataset.cot.samples import read_cot_jsonl
from models.language.decoding import Sampling
from models.policy.checkpoint import load_checkpoint
from options.trainer_file import CHECKPOINTING
from rewards.grpo.epochs import EpochSampler
from rewards.grpo.prompts import draw_prompts
from rewards.grpo.rules import Reflecting, ReplyRules
from rewards.grpo.trainer import MotionGRPOTrainer
from rewards.grpo.validation import GrpoValidation, HeldOut
from tests.rewards.grpo.grpo_runs import TASKS, policy_of, run_grpo, short_replies, trainer_of
from utils.errors import InputError
from utils.run.folder import RunFolder
from utils.run.interrupt import InterruptFlag


@pytest.fixture
def run(cot_jsonl, backbone, motion_tokenizer, tmp_path):
    def start(name="run", backbone=backbone, **fields):
        folder = tmp_path / name
        summary = run_grpo(folder, cot_jsonl, backbone, motion_tokenizer, **fields)
        rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        return folder, summary, [row for row in rows if "kl" in row]

    return start


def test_reference_is_the_start_and_the_policy_leaves_it(run):
    folder, summary, rows = run()
    assert rows[0]["kl"] == 0.0
    assert rows[-1]["kl"] > 0.0
    for name in ("epoch_0", "epoch_1", "latest", "best"):
        saved = load_checkpoint(folder / f"motionllm_rlvr_{name}.pth")
        assert [(part.stage, part.finetune) for part in saved.parts] == [("sft", "full"), ("rlvr", "lora")]
        assert saved.rewarded_by("t2m") == ("judge",)
        assert saved.reply_tokens("t2m") == 20 and saved.parts[0].reply_tokens is None
    # The best checkpoint is the epoch with the highest held-out reward, and the summary reports that one.
    totals = [
        load_checkpoint(folder / f"motionllm_rlvr_epoch_{epoch}.pth").metrics["held_out_reward/total"]
        for epoch in range(2)
    ]
    assert summary["held_out_reward"] == max(totals)


def test_prompts_are_drawn_in_turn_with_all_references(cot_jsonl):
    samples = read_cot_jsonl(cot_jsonl, nb_code=16)
    prompts = draw_prompts(samples, TASKS, 10, seed=4)
    assert [query.task for query in prompts.queries] == ["t2m", "m2t"] * 5
    assert all(len(references) == 3 for references in prompts.references)
    assert draw_prompts(samples, TASKS, 10, seed=4) == prompts
    assert len(draw_prompts(samples, ("t2m",), None, seed=4).queries) == 45


def test_no_prompt_of_the_commoner_task_is_left_out(tmp_path):
    lines = [
        {"id": str(n), "caption": f"walks {n}", "motion_tokens": [n], "task": task}
        for n, task in enumerate(["t2m", "t2m", "t2m", "m2t"])
    ]
    (tmp_path / "cot.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    prompts = draw_prompts(read_cot_jsonl(tmp_path / "cot.jsonl", nb_code=16), TASKS, None, seed=0)
    assert [query.task for query in prompts.queries] == ["t2m", "m2t", "t2m", "t2m"]


def test_held_out_prompts_are_answered_as_often_as_asked(cot_jsonl, backbone, motion_tokenizer, tmp_path):
    """The mean is over different replies to each prompt, the first of which are those of a single round."""
    start = policy_of(backbone, motion_tokenizer)
    prompts, sampling = draw_prompts(read_cot_jsonl(cot_jsonl, nb_code=16), TASKS, 4, 0), Sampling(1.0, 1.0, 20)
    earned = {}
    for samples in (1, 3):
        rewards, seen = short_replies(), []
        score = rewards.rewards[0].reward.score_applicable
        rewards.rewards[0].reward.score_applicable = lambda rollouts, seen=seen, score=score: (
            seen.extend(score(rollouts)) or score(rollouts)
        )
        validation = GrpoValidation(
            HeldOut(prompts, samples=samples), rewards, start.language, sampling, RunFolder(tmp_path)
        )
        total = validation.measure(start.model, -1)["held_out_reward/total"]
        earned[samples] = seen
        assert total == pytest.approx(sum(seen) / len(seen))
    assert len(earned[1]) == 4 and len(earned[3]) == 12
    assert earned[3][:4] == earned[1] and len(set(earned[3])) > len(set(earned[1]))


class StopAfter:
    """Ctrl-C while step `step` is logged, so that the step after it is the last."""

    def __init__(self, step):
        self.flag, self.step = InterruptFlag(), step

    def __call__(self, row):
        self.flag.raised = self.flag.raised or row["step"] >= self.step


def weights_of(folder):
    return load_checkpoint(folder / "motionllm_rlvr_latest.pth").parts[-1].weights


@pytest.mark.parametrize(
    ("logged", "last_step", "fields"),
    [
        (2, 3, {}),  # in the middle of the second of three epochs
        (3, 4, {}),  # at its end
        (2, 3, {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 2}),
        (2, 3, {"rules": ReplyRules(reflecting=Reflecting(0.5, 1.0))}),
        (2, 3, {"drawn_for": 2}),  # other prompts in the second epoch, and those of the first again in the third
        (4, 6, {"num_iterations": 2}),  # the replies of steps 5 and 6 are the same and are not saved
    ],
)
def test_a_resumed_run_is_a_straight_one(run, logged, last_step, fields):
    """Weights, prompts and numbers: the sampler's order, the random state and the optimiser all go on."""
    fields = {"num_train_epochs": 3, **fields}
    straight, expected, rows = run("straight", **fields)
    stop = StopAfter(logged)
    _, nothing, before = run("stopped", extra_log=stop, interrupt=stop.flag, **fields)
    assert nothing is None and [row["step"] for row in before] == list(range(1, last_step + 1))
    resumed, summary, after = run("stopped", **fields)
    assert [row["step"] for row in after] == list(range(1, len(rows) + 1)) and len(rows) in (6, 12)
    for row, other in zip(rows, after, strict=True):
        names = ("reward", "kl", "entropy", "grad_norm", "learning_rate", "num_tokens", "epoch")
        assert {name: row.get(name) for name in names} == {name: other.get(name) for name in names}
    ours = weights_of(straight)
    assert all(torch.equal(ours[name], weight) for name, weight in weights_of(resumed).items()) and ours
    same = ("held_out_reward_before", "held_out_reward", "training_reward_first_epoch")
    assert {name: summary[name] for name in same} == {name: expected[name] for name in same}


@pytest.mark.parametrize("drawn_for", [1, 2])
def test_prompts_or_their_order_change_by_epoch(run, monkeypatch, drawn_for):
    asked = []
    tokenize = MotionGRPOTrainer._tokenize_prompts

    def spy(self, prompts):
        asked.append(tuple(prompts[::4]))
        return tokenize(self, prompts)

    monkeypatch.setattr(MotionGRPOTrainer, "_tokenize_prompts", spy)
    run(drawn_for=drawn_for)
    first, second = asked[0] + asked[1], asked[2] + asked[3]
    assert len(first) == len(second) == 8 and first != second
    assert (sorted(first) == sorted(second)) == (drawn_for == 1)


def rows_by_epoch(total, epoch_size, epochs, shuffle=True):
    sampler = EpochSampler(range(total), 2, 3, 1, shuffle, 5, epoch_size)
    seen = []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        rows = list(sampler)
        assert len(rows) == len(sampler) and rows[::2] == rows[1::2]
        seen.append(rows[::2])
    return seen


def test_an_epoch_asks_the_next_prompts_and_begins_again_after_the_last():
    assert [sorted(rows) for rows in rows_by_epoch(9, 6, 3)] == [
        [0, 1, 2, 3, 4, 5],
        [0, 1, 2, 6, 7, 8],
        [3, 4, 5, 6, 7, 8],
    ]
    assert rows_by_epoch(9, 3, 4, shuffle=False) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 1, 2]]
    assert rows_by_epoch(9, 6, 3) == rows_by_epoch(9, 6, 3)
    for alone in (None, 9, 50):  # all of them, in another order each time
        first, second = rows_by_epoch(9, alone, 2)
        assert sorted(first) == sorted(second) == list(range(9)) and first != second


def test_the_first_epoch_asks_the_same_prompts_however_many_follow(cot_jsonl):
    samples = read_cot_jsonl(cot_jsonl, nb_code=16)
    one, three = draw_prompts(samples, TASKS, 10, 4), draw_prompts(samples, TASKS, 10, 4, epochs=3)
    assert three.queries[:10] == one.queries and len(three.queries) == len(three.references) == 30
    assert (one.an_epoch, three.an_epoch) == (10, 10)
    few = draw_prompts(samples, ("t2m",), 40, 4, epochs=3)  # there are 45
    assert len(few.queries) == 45 and few.an_epoch == 40
    assert draw_prompts(samples, ("t2m",), None, 4, epochs=3).an_epoch == 45


def test_prompts_are_asked_as_in_sft_whatever_the_tokenizer_adds(run, backbone, tmp_path, monkeypatch):
    """A tokenizer that puts a token in front of every text does so neither in SFT nor here."""
    folder = tmp_path / "with_bos"
    shutil.copytree(backbone, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    start = tokenizer.convert_tokens_to_ids("<|im_start|>")
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|im_start|> $A", special_tokens=[("<|im_start|>", start)]
    )
    tokenizer.save_pretrained(folder)
    assert AutoTokenizer.from_pretrained(folder)("x")["input_ids"][0] == start
    asked = []
    generate = MotionGRPOTrainer._generate_single_turn

    def spy(self, prompt_ids, *more, **named):
        asked.extend(prompt_ids)
        return generate(self, prompt_ids, *more, **named)

    monkeypatch.setattr(MotionGRPOTrainer, "_generate_single_turn", spy)
    run(backbone=str(folder), num_train_epochs=1)
    assert asked and all(start not in ids for ids in asked)


def test_a_mask_that_would_not_be_applied_is_refused(run):
    with pytest.raises(InputError, match="--constrain-grammar does not reach transformers' continuous batching"):
        run(rules=ReplyRules(constrain_grammar=True), use_transformers_continuous_batching=True)


def test_activations_are_computed_again_where_the_flag_says_so(cot_jsonl, backbone, motion_tokenizer, tmp_path):
    steps = []
    for again in (False, True):
        policy, calls = policy_of(backbone, motion_tokenizer), []
        policy.model.model.layers[0].self_attn.register_forward_hook(
            lambda *_, calls=calls: calls.append(torch.is_grad_enabled())
        )
        fields = {"max_steps": 1, CHECKPOINTING: again}
        trainer, _ = trainer_of(tmp_path / str(again), cot_jsonl, policy, {"a": [0.0, 1.0] * 8}, **fields)
        trainer.train()
        steps.append((sum(calls), trainer.state.log_history[0]["grad_norm"]))
    assert [count for count, _ in steps] == [1, 2] and steps[0][1] == steps[1][1]  # never in sampling
