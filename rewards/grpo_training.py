"""Reinforcement learning from a checkpoint to checkpoints: trl's GRPOTrainer under our rewards."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
from datasets import Dataset
from peft import LoraConfig
from transformers.trainer_utils import get_last_checkpoint
from trl import GRPOConfig, GRPOTrainer

from dataset.cot_samples import CotSamples
from models.checkpoints import load_checkpoint, save_checkpoint
from models.motion_llm import MotionLLM, Sampling
from models.motion_tokenizer import MotionTokenizer
from models.motion_vocabulary import MotionVocabulary
from models.policy import LORA_TARGETS, LoraSize, Start, lora_part
from models.prompts import Query, query_of, render_query
from models.training_callbacks import AfterEpoch, RunLog, StopOnInterrupt, TrainingBar
from rewards.build import WeightedRewards
from rewards.grpo_adapter import GrpoRewards, prompt_row
from utils.interrupt import InterruptFlag
from utils.run_folder import RunFolder


@dataclass(frozen=True)
class Prompts:
    """Queries and, for each, every true caption of its clip."""

    queries: tuple[Query, ...]
    references: tuple[tuple[str, ...], ...]


class RenderedPromptTrainer(GRPOTrainer):
    """trl's trainer, but prompts become ids as everywhere else here: whole, with nothing added at the ends.

    Left alone it lets a tokenizer put its beginning-of-sequence token in front, which SFT and evaluation do not.
    """

    vocabulary: MotionVocabulary

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict]:
        return [self.vocabulary.encode(prompt) for prompt in prompts], None, {}


def draw_prompts(samples: CotSamples, tasks: Sequence[str], count: int | None, seed: int) -> Prompts:
    """`count` (None = all) different queries, tasks in turn, in an order drawn by `seed`."""
    by_task = []
    for number, task in enumerate(tasks):
        indices = np.flatnonzero(samples.usable_for(task)).tolist()
        random.Random(seed + number).shuffle(indices)
        by_task.append([(task, index) for index in indices])
    rows = [row for turn in zip(*by_task, strict=False) for row in turn] if len(by_task) > 1 else by_task[0]
    captions = samples.captions_by_clip()
    queries = [query_of(samples.sample(index, task)) for task, index in rows[:count]]
    return Prompts(tuple(queries), tuple(captions[query.id] for query in queries))


def reinforce(
    start: Start,
    tasks: Sequence[str],
    motion_tokenizer: MotionTokenizer,
    rewards: WeightedRewards,
    rewarded_by: str | None,
    train: Prompts,
    held_out: Prompts,
    trainer_config: GRPOConfig,
    lora: LoraSize,
    run: RunFolder,
    interrupt: InterruptFlag,
    extra_log: Callable[[dict], None] | None = None,
) -> dict[str, float | str]:
    """Train and write ``motionllm_rlvr_epoch_{n}.pth``, ``_latest`` and ``_best`` (by held-out reward).

    The policy is the merged model of `start` under a fresh LoRA, so with the adapter off it is the reference:
    the KL divergence is exactly 0 at the first step, and no second copy of the model is held.

    Args:
        start: the policy that is trained; its checkpoint gets one more part.
        tasks: what is trained; one policy answers them all.
        rewarded_by: fingerprint of the evaluator among `rewards`, None without one.
        train, held_out: prompts; the held-out ones choose the best checkpoint.
        extra_log: gets every row of metrics.
    """
    vocabulary, style = start.vocabulary, start.checkpoint.config.style
    use_reasoning = all(part.use_reasoning for part in start.checkpoint.parts_of(tasks[0]))
    adapter = GrpoRewards(rewards, vocabulary, motion_tokenizer, style)
    rows = [
        prompt_row(query, render_query(query, style), references)
        for query, references in zip(train.queries, train.references, strict=True)
    ]
    trainer = RenderedPromptTrainer(
        model=start.model,
        reward_funcs=adapter.functions(),
        args=trainer_config,
        train_dataset=Dataset.from_list(rows),
        processing_class=vocabulary.tokenizer,
        peft_config=LoraConfig(
            r=lora.r,
            lora_alpha=lora.alpha,
            lora_dropout=0.0,  # dropout would make the trained policy another one than the one that sampled
            target_modules=list(LORA_TARGETS),
            task_type="CAUSAL_LM",
        ),
    )
    trainer.vocabulary = vocabulary
    sampling = Sampling(
        temperature=trainer_config.temperature,
        top_p=trainer_config.top_p,
        max_new_tokens=trainer_config.max_completion_length,
        seed=trainer_config.seed,
    )

    def held_out_reward() -> dict[str, float]:
        """Mean reward on prompts that are never trained on, total and by component."""
        llm = MotionLLM(trainer.accelerator.unwrap_model(trainer.model), vocabulary, motion_tokenizer, style)
        rollouts = llm.answer(held_out.queries, sampling, held_out.references)
        llm.model.train()
        table = rewards.table(rollouts)
        columns = {**table, "total": rewards.combine(table)}
        means = {}
        for name, column in columns.items():
            values = [value for value in column if value is not None]
            if values:
                means[f"held_out_reward/{name}"] = fmean(values)
        return means

    def save(path: Path, metrics: dict[str, float]) -> None:
        part = lora_part(trainer.model, tasks, "rlvr", use_reasoning=use_reasoning, rewarded_by=rewarded_by)
        save_checkpoint(path, replace(start.checkpoint.with_part(part), metrics=metrics))

    best_file = run.path / "motionllm_rlvr_best.pth"

    def after_epoch(epoch: int) -> None:
        if not trainer.is_world_process_zero():
            return
        metrics = held_out_reward()
        run.log({"epoch": epoch, **metrics})
        save(run.path / f"motionllm_rlvr_epoch_{epoch}.pth", metrics)
        save(run.path / "motionllm_rlvr_latest.pth", metrics)
        if metrics["held_out_reward/total"] > _total_of(best_file):
            save(best_file, metrics)

    shown = {"reward": "reward", "kl": "kl", "completions/mean_length": "length"}
    TrainingBar("GRPO", shown).attach(trainer)
    trainer.add_callback(RunLog(run, extra_log))
    trainer.add_callback(StopOnInterrupt(interrupt))
    trainer.add_callback(AfterEpoch(after_epoch))
    before = held_out_reward()
    run.log({"epoch": -1, **before})
    state = get_last_checkpoint(trainer_config.output_dir) if Path(trainer_config.output_dir).is_dir() else None
    trainer.train(resume_from_checkpoint=state)
    if interrupt.raised:
        save(run.path / "motionllm_rlvr_latest.pth", {"step": float(trainer.state.global_step)})
        return {}
    best = load_checkpoint(best_file).metrics
    return {
        **_training_reward(trainer.state.log_history),
        "held_out_reward_before": before["held_out_reward/total"],
        "held_out_reward": best["held_out_reward/total"],
        "best": str(best_file),
    }


def _training_reward(history: Sequence[dict]) -> dict[str, float]:
    """Mean training reward of the first and of the last epoch, which see the same prompts."""
    by_epoch: dict[int, list[float]] = {}
    for row in history:
        if "reward" in row:
            by_epoch.setdefault(math.ceil(row["epoch"] - 1e-6), []).append(row["reward"])
    if not by_epoch:
        return {}
    first, last = (fmean(by_epoch[epoch]) for epoch in (min(by_epoch), max(by_epoch)))
    return {"training_reward_first_epoch": first, "training_reward_last_epoch": last}


def _total_of(path: Path) -> float:
    return load_checkpoint(path).metrics["held_out_reward/total"] if path.is_file() else float("-inf")
