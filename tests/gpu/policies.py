"""What stands before training and sampling: settings as train_mllm.py reads them, policies, samples, rewards."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from dataset.captions.tagger import CaptionTagger
from dataset.captions.tags import ANSWER_CLOSE, ANSWER_OPEN, THINK_CLOSE
from dataset.captions.word_vectors import make_word_vectors
from dataset.toy.lexicon import lexicon_pairs
from models.language.prompts import Query
from models.language.vocabulary import MotionVocabulary, write_codes
from models.policy.policy import Policy
from models.text_motion.evaluator import TextMotionEvaluator
from models.text_motion.networks import build_networks
from options.grpo import GrpoSettings
from options.sft import SftSettings
from options.train import TrainSettings
from rewards.mixture.loading import load_rewards
from rewards.mixture.weighted import WeightedRewards
from tests.gpu.bench import Bench
from tests.gpu.motion_tokenizer import motion_tokenizer_of
from tests.gpu.shapes import LEARNED_TOKENS, NB_CODE
from utils.motion.skeleton import T2M

Kind = TypeVar("Kind", bound=TrainSettings)


def samples_file(bench: Bench) -> Path:
    """A CoT jsonl of the toy clips; the codes are drawn by chance, as many as the clip has."""
    file = bench.folder / "cot.jsonl"
    if not file.is_file():
        draw = np.random.default_rng(0)
        rows = [
            {
                "id": clip.id,
                "caption": caption.text,
                "motion_tokens": draw.integers(NB_CODE, size=len(clip.joints) // 4).tolist(),
                "reasoning": clip.reasoning[number % len(clip.reasoning)],
            }
            for clip in bench.clips
            for number, caption in enumerate(clip.captions)
        ]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def settings_of(kind: type[Kind], bench: Bench, stage: str, *flags: str) -> Kind:
    """The flags of train_mllm.py, with the defaults that it chooses by task, model and data where none is given."""
    argv = [
        "--train-stage", stage, "--cot-train-jsonl", str(samples_file(bench)), "--llm-backbone", bench.backbone,
        "--nb-code", str(NB_CODE), "--device", bench.device.type, "--precision", bench.precision,
        "--out-dir", str(bench.folder), "--exp-name", stage, "--no-resume", "--print-iter", "1", *flags,
    ]  # fmt: skip
    settings = kind.parse("", argv).with_defaults()
    logging.getLogger().setLevel(logging.WARNING)
    return settings


def policy_of(bench: Bench) -> Policy:
    """The backbone with motion tokens, as LoRA starts from it."""
    settings = settings_of(SftSettings, bench, "sft", "--finetune", "lora", "--prompt-style", "plain")
    policy, _ = settings.start(None, motion_tokenizer_of(bench), NB_CODE)
    policy.model.to(bench.device)
    return policy


def queries_of(bench: Bench, count: int) -> list[Query]:
    """`count` questions of t2m, different while there are captions."""
    captions = [caption.text for clip in bench.clips for caption in clip.captions]
    return [Query("t2m", captions[number % len(captions)], id=str(number)) for number in range(count)]


def evaluator_folder(bench: Bench) -> Path:
    """A text-motion evaluator of the published sizes with random weights, for --reward-evaluator."""
    folder = bench.folder / "evaluator"
    if not folder.is_dir():
        torch.manual_seed(0)
        tokens = sorted({token for clip in bench.clips for caption in clip.captions for token in caption.tokens})
        zeros, ones = np.zeros(T2M.feature_dim), np.ones(T2M.feature_dim)
        words = make_word_vectors(tuple(tokens))
        TextMotionEvaluator(build_networks(T2M.feature_dim), zeros, ones, T2M, words).save(folder)
    return folder


def replies_with_motions(vocabulary: MotionVocabulary, seed: int, length: int) -> Callable[[], list[int]]:
    """What draws replies of `length` tokens: words, then a motion, in about equal parts.

    A random policy writes no motion. So that decoding and scoring have all their work, these are judged instead of
    what was sampled; sampling itself is done and paid for in full.
    """
    draw = np.random.default_rng(seed)

    def reply() -> list[int]:
        codes = draw.integers(NB_CODE, size=max(1, length // 2))
        answer = vocabulary.encode(f"{THINK_CLOSE}{ANSWER_OPEN}{write_codes(codes)}{ANSWER_CLOSE}")
        words = draw.integers(LEARNED_TOKENS // 2, LEARNED_TOKENS - 10, size=max(1, length - len(answer) - 1))
        return [*words.tolist(), *answer, vocabulary.eos_id]

    return reply


def grpo_settings(bench: Bench, policy: Policy, engine: str) -> GrpoSettings:
    """GRPO of t2m, with learning rate and lengths."""
    work, evaluator = bench.work, str(evaluator_folder(bench))
    sizes = ("--batch-size", str(work.prompts), "--rl-group-size", str(work.group))
    rewards = ("--reward-evaluator", evaluator, "--reward-device", bench.device.type)
    settings = settings_of(GrpoSettings, bench, "rlvr", "--training-task", "t2m", *sizes, *rewards, "--engine", engine)
    return settings.settled(policy.checkpoint)


def rewards_of(settings: GrpoSettings, policy: Policy) -> WeightedRewards:
    """The rewards of t2m and the evaluator behind them; captions are tagged by the words of the toy clips."""
    models = settings.rewards.models(str(settings.device))
    tokenizer, weights = policy.language.motion_tokenizer, settings.reward_weights()
    return load_rewards(weights, tokenizer, models, lambda: CaptionTagger.from_pairs(lexicon_pairs())).rewards
