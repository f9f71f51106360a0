"""Reinforcement learning from a checkpoint to checkpoints: trl's GRPOTrainer under our rewards."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from accelerate.utils import gather_object
from datasets import Dataset
from peft import LoraConfig
from transformers.trainer_utils import get_last_checkpoint
from trl import GRPOConfig

from models.language.motion_llm import Sampling
from models.policy.adapters import LORA_TARGETS, LoraSize, lora_part
from models.policy.callbacks import AfterEpoch, ReplyLog, RunLog, StopOnInterrupt, TrainingBar
from models.policy.checkpoint import load_checkpoint, save_checkpoint
from models.policy.policy import Start
from models.tokenizer.motion_tokenizer import MotionTokenizer
from rewards.grpo.adapter import GrpoRewards
from rewards.grpo.hacking import HELD_OUT_TOTAL, TRAINING_REWARD
from rewards.grpo.logs import shown_replies
from rewards.grpo.prompts import Prompts, prompt_row
from rewards.grpo.reflection import NO_REFLECTIONS, Reflecting, Reflections, check_can_reflect
from rewards.grpo.trainer import RenderedPromptTrainer, check_can_constrain
from rewards.grpo.validation import GrpoValidation, HeldOut
from rewards.mixture.weighted import WeightedRewards
from utils.run.folder import RunFolder
from utils.run.interrupt import InterruptFlag

BEFORE = -1  # the epoch before the first


def reinforce(
    start: Start,
    tasks: Sequence[str],
    motion_tokenizer: MotionTokenizer,
    rewards: WeightedRewards,
    rewarded_by: str | None,
    train: Prompts,
    held_out: HeldOut,
    trainer_config: GRPOConfig,
    lora: LoraSize,
    run: RunFolder,
    interrupt: InterruptFlag,
    extra_log: Callable[[dict], None] | None = None,
    constrain_grammar: bool = False,
    reflecting: Reflecting = NO_REFLECTIONS,
    advantage_clip: float | None = None,
) -> dict[str, float | str]:
    """Train and write ``motionllm_rlvr_epoch_{n}.pth``, ``_latest`` and ``_best`` (by held-out reward).

    The policy is the merged model of `start` under a fresh LoRA, so with the adapter off it is the reference:
    the KL divergence is exactly 0 at the first step, and no second copy of the model is held.

    Args:
        start: the policy that is trained; its checkpoint gets one more part.
        tasks: what is trained; one policy answers them all.
        rewarded_by: fingerprint of the evaluator among `rewards`, None without one.
        train: prompts.
        held_out: what the validation before training and after each epoch asks; it chooses the best checkpoint.
        extra_log: gets every row of metrics.
        constrain_grammar: sample the replies that are trained on under `models.language.grammar`; validations never
            are.
        reflecting: the share of prompts that show an earlier attempt; `trainer_config` must weigh `improvement` after
            `rewards` where that is rewarded.
        advantage_clip: see `RenderedPromptTrainer`.

    Raises:
        InputError: a grammar mask or reflections where replies are sampled by something that these do not reach.
    """
    if constrain_grammar:
        check_can_constrain(trainer_config)
    if reflecting.share:
        check_can_reflect(trainer_config)
    vocabulary, style = start.vocabulary, start.checkpoint.config.style
    use_reasoning = all(part.use_reasoning for part in start.checkpoint.parts_of(tasks[0]))
    steps_per_batch = _steps_per_batch(trainer_config)
    adapter = GrpoRewards(rewards, vocabulary, motion_tokenizer, style, steps_per_batch, reflecting.rewards_improvement)
    rows = [
        prompt_row(query, style, references) for query, references in zip(train.queries, train.references, strict=True)
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
    trainer.vocabulary, trainer.constrain_grammar = vocabulary, constrain_grammar
    trainer.advantage_clip = advantage_clip
    if reflecting.share:
        trainer.reflections = Reflections(
            reflecting.share, trainer_config.seed, trainer_config.num_generations, rewards, vocabulary,
            motion_tokenizer, style,
        )  # fmt: skip
    sampling = Sampling(
        temperature=trainer_config.temperature,
        top_p=trainer_config.top_p,
        max_new_tokens=trainer_config.max_completion_length,
        seed=trainer_config.seed,
    )

    validation = GrpoValidation(held_out, rewards, vocabulary, motion_tokenizer, style, sampling, run)
    log = RunLog(run, extra_log)

    def save(path: Path, metrics: dict[str, float]) -> None:
        part = lora_part(trainer.model, tasks, "rlvr", use_reasoning=use_reasoning, rewarded_by=rewarded_by)
        save_checkpoint(path, replace(start.checkpoint.with_part(part), metrics=metrics))

    best_file = run.path / "motionllm_rlvr_best.pth"

    def validate(epoch: int) -> None:
        last = epoch + 1 >= trainer_config.num_train_epochs
        numbers = validation.measure(trainer.accelerator.unwrap_model(trainer.model), epoch, last)
        earned = gather_object(adapter.take_totals())
        if not trainer.is_world_process_zero():
            return
        row = {"step": trainer.state.global_step, **validation.add(epoch, numbers, earned)}
        if epoch == BEFORE:
            log.scalars.log(row)  # `extra_log` begins with the first step
            return
        log.write(row)
        save(run.path / f"motionllm_rlvr_epoch_{epoch}.pth", numbers)
        save(run.path / "motionllm_rlvr_latest.pth", numbers)
        if numbers[HELD_OUT_TOTAL] > _total_of(best_file):
            save(best_file, numbers)

    shown = {"reward": "reward", "kl": "kl", "completions/mean_length": "length"}
    TrainingBar("GRPO", shown).attach(trainer)
    trainer.add_callback(log)
    trainer.add_callback(
        ReplyLog(
            run.path / "samples" / "replies.jsonl",
            lambda: shown_replies(trainer.last_replies(), trainer_config.num_generations, rewards),
        )
    )
    trainer.add_callback(StopOnInterrupt(interrupt, steps_per_batch))
    trainer.add_callback(AfterEpoch(validate))
    if BEFORE not in validation:
        validate(BEFORE)
    state = get_last_checkpoint(trainer_config.output_dir) if Path(trainer_config.output_dir).is_dir() else None
    trainer.train(resume_from_checkpoint=state)
    if interrupt.raised:
        save(run.path / "motionllm_rlvr_latest.pth", {"step": float(trainer.state.global_step)})
        return {}
    if not trainer.is_world_process_zero():
        return {}
    earned = [row[TRAINING_REWARD] for row in validation.history if TRAINING_REWARD in row]
    return {
        **({"training_reward_first_epoch": earned[0], "training_reward_last_epoch": earned[-1]} if earned else {}),
        "held_out_reward_before": validation.history[0][HELD_OUT_TOTAL],
        "held_out_reward": load_checkpoint(best_file).metrics[HELD_OUT_TOTAL],
        "best": str(best_file),
    }


def _steps_per_batch(config: GRPOConfig) -> int:
    """Optimiser steps that learn from the same replies; these are not saved, so only after the last can one resume."""
    return max(1, config.steps_per_generation * config.num_iterations // config.gradient_accumulation_steps)


def _total_of(path: Path) -> float:
    return load_checkpoint(path).metrics[HELD_OUT_TOTAL] if path.is_file() else float("-inf")
