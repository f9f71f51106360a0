"""One GRPO step at the sizes of the published baseline, and where its time goes.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.grpo_step_speed [--steps 5 --lora-r 64]

A random Qwen3 (hidden 128, 2 layers, 512 motion codes in a vocabulary of 1032) under LoRA answers one caption 8 times
with 160 new tokens each (the end of sequence is off), with the full-size motion tokenizer and evaluator (random
weights, published sizes) behind the t2m rewards format, physical and consistency.

A random policy writes no motions. So that decoding and rewards have all their work, what is handed on after sampling
are 8 new replies of 160 tokens that hold 48 codes each; sampling itself is done and paid for in full.

Prints the median over the steps after a first one that warms up, each part beside the whole step.
"""

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset, disable_progress_bars
from peft import LoraConfig
from transformers import Qwen3Config, Qwen3ForCausalLM, TrainerCallback
from trl import GRPOConfig

from dataset.toy_motions import toy_clips
from models.co_embedding import build_networks
from models.motion_tokenizer import MotionTokenizer
from models.motion_vocabulary import (
    ANSWER_CLOSE,
    ANSWER_OPEN,
    MARKERS,
    THINK_CLOSE,
    MotionVocabulary,
    write_codes,
)
from models.policy import LORA_TARGETS, load_backbone
from models.prompts import PLAIN, Query
from models.text_motion_evaluator import TextMotionEvaluator
from models.vq_network import MotionVQ, NetworkConfig
from prepare.make_tiny_llm import train_tokenizer
from rewards.base import RewardContext
from rewards.build import WeightedRewards
from rewards.grpo_adapter import GrpoRewards
from rewards.grpo_prompts import prompt_row
from rewards.grpo_trainer import RenderedPromptTrainer
from utils.caption_tagger import CaptionTagger
from utils.skeleton import T2M
from utils.word_vectorizer import make_word_vectors

GROUP, NEW_TOKENS, CODES = 8, 160, 48
NB_CODE, VOCABULARY = 512, 1032
CAPTION = "a person walks forward slowly, turns left and waves with the right hand."
REWARDS = {"format": 0.2, "physical": 0.5, "consistency": 0.5}


class Stopwatch:
    """Seconds by the name of a part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def over(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - start

    def around(self, name: str, function: Callable) -> Callable:
        def timed(*given: Any, **named: Any) -> Any:
            with self.over(name):
                return function(*given, **named)

        return timed


class MeasuredTrainer(RenderedPromptTrainer):
    """Notes what each part of a step takes; `replies` stand in for what was sampled (see the module's docstring)."""

    watch: Stopwatch
    draw: np.random.Generator

    def _generate_single_turn(self, *given: Any, **named: Any) -> tuple[list[list[int]], Any]:
        with self.watch.over("sampling"):
            sampled, extra = super()._generate_single_turn(*given, **named)
        assert [len(ids) for ids in sampled] == [NEW_TOKENS] * GROUP
        return replies(self.vocabulary, self.draw), extra

    def _calculate_rewards(self, *given: Any, **named: Any) -> Any:
        with self.watch.over("decoding and rewards"):
            return super()._calculate_rewards(*given, **named)

    def _get_per_token_logps_and_entropies(self, *given: Any, **named: Any) -> Any:
        name = "log-probs of the policy" if torch.is_grad_enabled() else "log-probs of the reference"
        with self.watch.over(name):
            return super()._get_per_token_logps_and_entropies(*given, **named)


def tiny_backbone(folder: Path) -> str:
    """A random Qwen3 of the baseline's sizes, whose text tokens leave room for the codes in `VOCABULARY`."""
    text = (caption.text for clip in toy_clips(60, seed=0) for caption in clip.captions)
    tokenizer = train_tokenizer(text, VOCABULARY - NB_CODE - len(MARKERS))
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=128, intermediate_size=384, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=4, head_dim=32, tie_word_embeddings=True, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, bos_token_id=None,
    )  # fmt: skip
    Qwen3ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def replies(vocabulary: MotionVocabulary, draw: np.random.Generator) -> list[list[int]]:
    """`GROUP` different replies of `NEW_TOKENS` tokens: random words as reasoning, then `CODES` random codes."""
    written = []
    for _ in range(GROUP):
        motion = write_codes(draw.integers(NB_CODE, size=CODES))
        answer = vocabulary.encode(f"{THINK_CLOSE}{ANSWER_OPEN}{motion}{ANSWER_CLOSE}")
        reasoning = draw.integers(VOCABULARY - NB_CODE - len(MARKERS), size=NEW_TOKENS - len(answer))
        reasoning[np.isin(reasoning, vocabulary.tokenizer.all_special_ids)] = vocabulary.encode(" a")[0]
        written.append([*reasoning.tolist(), *answer])
    return written


def random_rewards(motion_tokenizer: MotionTokenizer) -> WeightedRewards:
    """The rewards of t2m with a random evaluator of the published sizes."""
    tokens = tuple(f"{word}/OTHER" for word in CAPTION.rstrip(".").replace(",", "").split())
    evaluator = TextMotionEvaluator(
        build_networks(T2M.feature_dim), np.zeros(T2M.feature_dim), np.ones(T2M.feature_dim), T2M,
        make_word_vectors(tokens),
    )  # fmt: skip
    tagger = CaptionTagger.from_captions([tokens])
    return WeightedRewards.build(REWARDS, RewardContext(T2M, motion_tokenizer.nb_code, evaluator, tagger))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=5, help="steps that are measured, after one that is not")
    parser.add_argument("--lora-r", type=int, default=64, help="rank of the adapter")
    given = parser.parse_args()
    torch.manual_seed(0)
    disable_progress_bars()
    network = MotionVQ(NetworkConfig(feature_dim=T2M.feature_dim, nb_code=NB_CODE)).eval()
    torch.nn.init.normal_(
        network.vqvae.quantizer.codebook
    )  # an untrained one is all zeros: every motion would be the same
    zeros, ones = np.zeros(T2M.feature_dim, np.float32), np.ones(T2M.feature_dim, np.float32)
    motion_tokenizer = MotionTokenizer(network, zeros, ones, T2M)
    rewards = random_rewards(motion_tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        model, vocabulary, _ = load_backbone(tiny_backbone(Path(folder)), NB_CODE, seed=0)
        assert len(vocabulary.tokenizer) == VOCABULARY
        query = Query("t2m", CAPTION)
        rows = [prompt_row(query, PLAIN, ())] * (given.steps + 1)
        trainer = MeasuredTrainer(
            model=model,
            reward_funcs=GrpoRewards(rewards, vocabulary, motion_tokenizer, PLAIN).functions(),
            args=GRPOConfig(
                output_dir=folder, per_device_train_batch_size=GROUP, num_generations=GROUP, num_train_epochs=1,
                max_completion_length=NEW_TOKENS, generation_kwargs={"min_new_tokens": NEW_TOKENS},
                reward_weights=list(rewards.weights), beta=0.02, learning_rate=1e-5, use_cpu=True, bf16=False,
                activation_checkpointing=False, gradient_checkpointing=None, save_strategy="no", report_to="none",
                disable_tqdm=True, remove_unused_columns=False, dataloader_pin_memory=False, top_k=0,
                logging_strategy="no",
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=vocabulary.tokenizer,
            peft_config=LoraConfig(
                r=given.lora_r, lora_alpha=given.lora_r, target_modules=list(LORA_TARGETS), task_type="CAUSAL_LM"
            ),
        )  # fmt: skip
        trainer.vocabulary, trainer.draw = vocabulary, np.random.default_rng(0)
        report(measure(trainer), given.lora_r)


def measure(trainer: MeasuredTrainer) -> list[dict[str, float]]:
    """Seconds of each part, one dict a step; the first step is left out."""
    steps: list[dict[str, float]] = []

    class EachStep(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            trainer.watch = Stopwatch()
            self.start = time.perf_counter()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            steps.append({**trainer.watch.seconds, "whole step": time.perf_counter() - self.start})

    trainer.watch = Stopwatch()
    trainer.add_callback(EachStep())
    backward = trainer.accelerator.backward
    trainer.accelerator.backward = lambda *given, **named: trainer.watch.around("backward", backward)(*given, **named)
    with redirect_stdout(None):
        trainer.train()
    return steps[1:]


def report(steps: list[dict[str, float]], lora_r: int) -> None:
    for step in steps:
        step["optimiser and the rest"] = 2 * step["whole step"] - sum(step.values())
    medians = {name: statistics.median(step[name] for step in steps) for name in steps[-1]}
    whole = medians.pop("whole step")
    print(
        f"one GRPO step, {GROUP} replies x {NEW_TOKENS} tokens, LoRA r {lora_r}, {torch.get_num_threads()} thread(s), "
        f"median of {len(steps)} steps: {whole:.2f} s"
    )
    for name, seconds in medians.items():
        print(f"  {name:28} {seconds:6.3f} s  {seconds / whole:4.0%}")
    print(f"  sampling: {GROUP * NEW_TOKENS / medians['sampling']:.0f} tokens/s")


if __name__ == "__main__":
    main()
