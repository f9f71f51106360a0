"""GRPO at the smallest sizes: a random policy, and trainers and runs around it."""

from pathlib import Path

import torch
from datasets import Dataset, disable_progress_bars
from peft import LoraConfig
from trl import GRPOConfig

from dataset.cot.samples import read_cot_jsonl
from models.language.prompts import PLAIN, render_query
from models.language.vocabulary import MOTION_OPEN
from models.policy.adapters import LORA_TARGETS, LoraSize, full_part
from models.policy.backbone import load_backbone
from models.policy.checkpoint import Checkpoint, PolicyConfig
from models.policy.policy import Start
from rewards.base import Reward, RewardContext
from rewards.grpo.prompts import draw_prompts
from rewards.grpo.reflection import NO_REFLECTIONS
from rewards.grpo.trainer import RenderedPromptTrainer
from rewards.grpo.training import reinforce
from rewards.grpo.validation import HeldOut
from rewards.mixture.weighted import WeightedReward, WeightedRewards
from utils.motion.skeleton import T2M
from utils.run.folder import RunFolder
from utils.run.interrupt import InterruptFlag

TASKS = ("t2m", "m2t")


class ShortReply(Reward):
    """A reward that a random model can earn."""

    name = "short"

    def score_applicable(self, rollouts):
        return [-len(rollout.token_ids) / 10 for rollout in rollouts]


def short_replies():
    return WeightedRewards([WeightedReward("short", ShortReply(RewardContext(T2M, 16)), 1.0)])


def start_of(backbone, motion_tokenizer):
    """A random policy for both tasks."""
    model, vocabulary, text_vocabulary = load_backbone(backbone, 16, seed=0)
    part = full_part({key: value.clone() for key, value in model.state_dict().items()}, TASKS, "sft")
    checkpoint = Checkpoint(PolicyConfig(backbone, 16, text_vocabulary), (part,), motion_tokenizer.state())
    return Start(model, vocabulary, checkpoint)


def config(folder: Path, **fields):
    """16 replies a step to 4 prompts."""
    defaults = {
        "output_dir": str(folder / "trainer_state"), "per_device_train_batch_size": 16, "num_generations": 4,
        "max_completion_length": 20, "learning_rate": 5e-3, "num_train_epochs": 2, "beta": 0.02, "use_cpu": True,
        "bf16": False, "activation_checkpointing": False, "gradient_checkpointing": None, "report_to": "none",
        "logging_steps": 1, "save_strategy": "epoch", "disable_tqdm": True, "remove_unused_columns": False,
        "dataloader_pin_memory": False, "seed": 3, "top_k": 0,
    }  # fmt: skip
    return GRPOConfig(**{**defaults, **fields})


def run_grpo(
    folder, cot_jsonl, backbone, motion_tokenizer, rewards=None, replies=None, every=1, extra_log=None,
    interrupt=None, constrain=False, reflecting=NO_REFLECTIONS, **fields,
):  # fmt: skip
    """8 prompts, so 2 steps an epoch. Returns the summary."""
    disable_progress_bars()
    train, held_out = read_cot_jsonl(cot_jsonl, nb_code=16).split(0.2, seed=0)
    return reinforce(
        start_of(backbone, motion_tokenizer), TASKS, motion_tokenizer, rewards or short_replies(), "judge",
        draw_prompts(train, TASKS, 8, 0), HeldOut(draw_prompts(held_out, TASKS, 4, 0), replies, every),
        config(folder, **fields), LoraSize(8, 8, 0.0), RunFolder(folder), interrupt or InterruptFlag(), extra_log,
        constrain, reflecting,
    )  # fmt: skip


def trainer_of(folder, cot_jsonl, start, scores, **fields):
    """A trainer of a policy one step away from its reference, with reward functions that give fixed scores.

    Args:
        scores: name -> one score for each reply of the batch.

    Returns:
        (trainer, rows of the first batch, each prompt as often as it is answered)
    """
    disable_progress_bars()

    def function(name):
        def give(completions, log_extra, **columns):
            log_extra("text", completions)
            return list(scores[name])

        give.__name__ = name
        return give

    prompts = draw_prompts(read_cot_jsonl(cot_jsonl, nb_code=16), TASKS, 8, 0)
    rows = [{"prompt": render_query(query, PLAIN)} for query in prompts.queries]
    trainer = RenderedPromptTrainer(
        model=start.model, reward_funcs=[function(name) for name in scores], args=config(folder, **fields),
        train_dataset=Dataset.from_list(rows), processing_class=start.vocabulary.tokenizer,
        peft_config=LoraConfig(r=4, lora_alpha=4, target_modules=list(LORA_TARGETS), task_type="CAUSAL_LM"),
    )  # fmt: skip
    trainer.vocabulary = start.vocabulary
    trainer.current_gradient_accumulation_steps = 1  # what `train` sets before the first step
    generator = torch.Generator().manual_seed(0)
    for name, weight in trainer.model.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn(weight.shape, generator=generator) * 0.05
    trainer.model.train()
    group = trainer.num_generations
    count = len(next(iter(scores.values()))) // group
    return trainer, [row for row in rows[:count] for _ in range(group)]


def like_motions(start):
    """Change the policy so that it often begins a motion: its row of the head points where its states point."""
    model, vocabulary = start.model, start.vocabulary
    marker = vocabulary.marker_id(MOTION_OPEN)
    ids = torch.tensor([vocabulary.encode("a person walks forward slowly. someone jumps twice.")])
    with torch.no_grad():
        states = model.model(ids).last_hidden_state[0]
        middle = states.mean(dim=0)
        model.get_input_embeddings().weight[marker] = middle * 4.0 / (states @ middle).mean()
    return marker
