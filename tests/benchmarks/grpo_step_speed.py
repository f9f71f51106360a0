"""One GRPO step at the sizes of the published baseline (tests/benchmarks/baseline_sizes.py), and where its time goes.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.grpo_step_speed [--steps 5 --lora-r 64]

The policy under LoRA answers one caption 8 times with 160 new tokens each (the end of sequence is off), behind the t2m
rewards format, physical and consistency.

Prints the median over the steps after a first one that warms up, each part beside the whole step, in CPU seconds.
"""

import argparse
import statistics
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset, disable_progress_bars
from peft import LoraConfig
from transformers import TrainerCallback
from trl import GRPOConfig

from models.language.motion_language import MotionLanguage
from models.language.prompts import PLAIN, Query
from models.policy.adapters import LORA_TARGETS
from models.policy.backbone import load_backbone
from rewards.grpo.prompts import prompt_row
from rewards.grpo.scoring import GrpoRewards
from rewards.grpo.trainer import MotionGRPOTrainer
from tests.benchmarks.baseline_sizes import (
    BASELINE,
    CAPTION,
    NB_CODE,
    VOCABULARY,
    Endless,
    Sizes,
    Stopwatch,
    random_motion_tokenizer,
    random_rewards,
    replies,
    tiny_backbone,
)

GROUP = 8
WHOLE = "whole step"


class MeasuredTrainer(MotionGRPOTrainer):
    """Notes what each part of a step takes; `replies` stand in for what was sampled (see the module's docstring)."""

    def __init__(self, sizes: Sizes, **named: Any) -> None:
        super().__init__(**named)
        self.watch, self.sizes = Stopwatch(), sizes
        self.draw = np.random.default_rng(0)

    def _generate_single_turn(self, *given: Any, **named: Any) -> tuple[list[list[int]], Any]:
        with self.watch.over("sampling"):
            sampled, extra = super()._generate_single_turn(*given, **named)
        assert {len(ids) for ids in sampled} == {self.sizes.new_tokens}
        return replies(self._language.vocabulary, self.draw, len(sampled), self.sizes), extra

    def _calculate_rewards(self, *given: Any, **named: Any) -> Any:
        with self.watch.over("decoding and rewards"):
            return super()._calculate_rewards(*given, **named)

    def _get_per_token_logps_and_entropies(self, *given: Any, **named: Any) -> Any:
        name = "log-probs of the policy" if torch.is_grad_enabled() else "log-probs of the reference"
        with self.watch.over(name):
            return super()._get_per_token_logps_and_entropies(*given, **named)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=5, help="steps that are measured, after one that is not")
    parser.add_argument("--lora-r", type=int, default=64, help="rank of the adapter")
    given = parser.parse_args()
    medians = parts_of_a_step(given.steps, given.lora_r)
    whole = medians.pop(WHOLE)
    print(
        f"one GRPO step, {GROUP} replies x {BASELINE.new_tokens} tokens, LoRA r {given.lora_r}, "
        f"{torch.get_num_threads()} thread(s), median of {given.steps} steps: {whole:.2f} CPU seconds"
    )
    for name, seconds in medians.items():
        print(f"  {name:28} {seconds:6.3f} s  {seconds / whole:4.0%}")
    print(f"  sampling: {GROUP * BASELINE.new_tokens / medians['sampling']:.0f} tokens/s")


def parts_of_a_step(steps: int, lora_r: int = 64, group: int = GROUP, sizes: Sizes = BASELINE) -> dict[str, float]:
    """CPU seconds of `WHOLE` and of its parts, each the median over the steps after a first one."""
    torch.manual_seed(0)
    disable_progress_bars()
    motion_tokenizer = random_motion_tokenizer(sizes)
    rewards = random_rewards(motion_tokenizer, sizes)
    with tempfile.TemporaryDirectory() as folder:
        model, vocabulary, _ = load_backbone(tiny_backbone(Path(folder)), NB_CODE, seed=0)
        assert len(vocabulary.tokenizer) == VOCABULARY
        query = Query("t2m", CAPTION)
        language = MotionLanguage(Endless(vocabulary.tokenizer, NB_CODE), motion_tokenizer, PLAIN)
        rows = [prompt_row(query, language, ())] * (steps + 1)
        trainer = MeasuredTrainer(
            sizes,
            model=model,
            language=language,
            scorer=GrpoRewards(rewards, language),
            args=GRPOConfig(
                output_dir=folder, per_device_train_batch_size=group, num_generations=group, num_train_epochs=1,
                max_completion_length=sizes.new_tokens, reward_weights=list(rewards.weights), beta=0.02,
                learning_rate=1e-5, use_cpu=True, bf16=False, gradient_checkpointing=False, save_strategy="no",
                report_to="none", disable_tqdm=True, remove_unused_columns=False, dataloader_pin_memory=False,
                top_k=0, logging_strategy="no",
            ),
            train_dataset=Dataset.from_list(rows),
            peft_config=LoraConfig(
                r=lora_r, lora_alpha=lora_r, target_modules=list(LORA_TARGETS), task_type="CAUSAL_LM"
            ),
        )  # fmt: skip
        measured = measure(trainer)
    for step in measured:
        step["optimiser and the rest"] = 2 * step[WHOLE] - sum(step.values())
    return {name: statistics.median(step[name] for step in measured) for name in measured[-1]}


def measure(trainer: MeasuredTrainer) -> list[dict[str, float]]:
    """CPU seconds of each part, one dict a step; the first step is left out."""
    steps: list[dict[str, float]] = []

    class EachStep(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            trainer.watch = Stopwatch()
            self.start = time.process_time()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            steps.append({**trainer.watch.seconds, WHOLE: time.process_time() - self.start})

    trainer.add_callback(EachStep())
    backward = trainer.accelerator.backward
    trainer.accelerator.backward = lambda *given, **named: trainer.watch.around("backward", backward)(*given, **named)
    with redirect_stdout(None):
        trainer.train()
    return steps[1:]


if __name__ == "__main__":
    main()
