"""GRPO: the KL reference is the start of training, checkpoints are written, an interrupted run goes on."""

import json
import shutil

import pytest
import torch
from datasets import disable_progress_bars
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer
from trl import GRPOConfig

from dataset.cot_samples import read_cot_jsonl
from models.checkpoints import Checkpoint, PolicyConfig, load_checkpoint
from models.policy import LoraSize, Start, full_part, load_backbone
from rewards.base import Reward, RewardContext
from rewards.build import WeightedReward, WeightedRewards
from rewards.grpo_training import RenderedPromptTrainer, draw_prompts, reinforce
from utils.interrupt import InterruptFlag
from utils.run_folder import RunFolder
from utils.skeleton import T2M


class ShortReply(Reward):
    """A reward that a random model can earn."""

    name = "short"

    def score_applicable(self, rollouts):
        return [-len(rollout.token_ids) / 10 for rollout in rollouts]


@pytest.fixture
def run_grpo(cot_jsonl, backbone, motion_tokenizer, tmp_path):
    disable_progress_bars()

    def run(name="run", backbone=backbone, **fields):
        model, vocabulary, text_vocabulary = load_backbone(backbone, 16, seed=0)
        weights = {key: value.clone() for key, value in model.state_dict().items()}
        part = full_part(weights, ("t2m", "m2t"), "sft")
        checkpoint = Checkpoint(PolicyConfig(backbone, 16, text_vocabulary), (part,), motion_tokenizer.state())
        train, held_out = read_cot_jsonl(cot_jsonl, nb_code=16).split(0.2, seed=0)
        rewards = WeightedRewards([WeightedReward("short", ShortReply(RewardContext(T2M, 16)), 1.0)])
        defaults = {
            "output_dir": str(tmp_path / name / "trainer_state"), "per_device_train_batch_size": 16,
            "num_generations": 4, "max_completion_length": 20, "learning_rate": 5e-3, "num_train_epochs": 2,
            "beta": 0.02, "use_cpu": True, "bf16": False, "activation_checkpointing": False,
            "gradient_checkpointing": None, "report_to": "none", "logging_steps": 1, "save_strategy": "epoch",
            "disable_tqdm": True, "remove_unused_columns": False, "dataloader_pin_memory": False, "seed": 3,
        }  # fmt: skip
        folder = RunFolder(tmp_path / name)
        summary = reinforce(
            Start(model, vocabulary, checkpoint), ("t2m", "m2t"), motion_tokenizer, rewards, "judge",
            draw_prompts(train, ("t2m", "m2t"), 8, 0),
            draw_prompts(held_out, ("t2m", "m2t"), 4, 0), GRPOConfig(**{**defaults, **fields}),
            LoraSize(8, 8, 0.0), folder, InterruptFlag(),
        )  # fmt: skip
        rows = [json.loads(line) for line in (folder.path / "metrics.jsonl").read_text().splitlines()]
        return folder.path, summary, [row for row in rows if "kl" in row]

    return run


def test_reference_is_the_start_and_the_policy_leaves_it(run_grpo):
    folder, summary, rows = run_grpo()
    assert rows[0]["kl"] == 0.0
    assert rows[-1]["kl"] > 0.0
    for name in ("epoch_0", "epoch_1", "latest", "best"):
        saved = load_checkpoint(folder / f"motionllm_rlvr_{name}.pth")
        assert [(part.stage, part.finetune) for part in saved.parts] == [("sft", "full"), ("rlvr", "lora")]
        assert saved.rewarded_by("t2m") == ("judge",)
    # The best checkpoint is the epoch with the highest held-out reward, and the summary reports that one.
    totals = [
        load_checkpoint(folder / f"motionllm_rlvr_epoch_{epoch}.pth").metrics["held_out_reward/total"]
        for epoch in range(2)
    ]
    assert summary["held_out_reward"] == max(totals)


def test_prompts_are_drawn_in_turn_with_all_references(cot_jsonl):
    samples = read_cot_jsonl(cot_jsonl, nb_code=16)
    prompts = draw_prompts(samples, ("t2m", "m2t"), 10, seed=4)
    assert [query.task for query in prompts.queries] == ["t2m", "m2t"] * 5
    assert all(len(references) == 3 for references in prompts.references)
    assert draw_prompts(samples, ("t2m", "m2t"), 10, seed=4) == prompts
    assert len(draw_prompts(samples, ("t2m",), None, seed=4).queries) == 45


def test_resumed_run_continues(run_grpo):
    folder, _, first = run_grpo(num_train_epochs=1)
    _, _, both = run_grpo(num_train_epochs=2)
    assert [row["step"] for row in both] == [1, 2, 3, 4]
    assert (folder / "motionllm_rlvr_epoch_1.pth").is_file()
    assert len(first) == 2 and torch.isfinite(torch.tensor([row["reward"] for row in both])).all()


def test_prompts_are_asked_as_in_sft_whatever_the_tokenizer_adds(run_grpo, backbone, tmp_path, monkeypatch):
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
    generate = RenderedPromptTrainer._generate_single_turn

    def spy(self, prompt_ids, *more, **named):
        asked.extend(prompt_ids)
        return generate(self, prompt_ids, *more, **named)

    monkeypatch.setattr(RenderedPromptTrainer, "_generate_single_turn", spy)
    run_grpo(backbone=str(folder), num_train_epochs=1)
    assert asked and all(start not in ids for ids in asked)
