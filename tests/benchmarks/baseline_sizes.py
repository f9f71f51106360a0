"""The sizes that the published code was timed at: a random Qwen3 (hidden 128, 2 layers, 512 motion codes in a
vocabulary of 1032), replies of 160 tokens with 48 codes, the full-size motion tokenizer and evaluator with random
weights.

A random policy writes no motions. So that decoding and scoring have all their work, the benchmarks hand on `replies`
after sampling; sampling itself is done and paid for in full.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from dataset.captions.tagger import CaptionTagger
from dataset.captions.tags import ANSWER_CLOSE, ANSWER_OPEN, MARKERS, THINK_CLOSE
from dataset.captions.word_vectors import make_word_vectors
from dataset.toy.clips import toy_clips
from models.language.vocabulary import MotionVocabulary, write_codes
from models.text_motion.evaluator import TextMotionEvaluator
from models.text_motion.networks import build_networks
from models.text_motion.sizes import PUBLISHED_SIZES, EvaluatorSizes
from models.tokenizer.motion_tokenizer import MotionTokenizer
from models.tokenizer.network import MotionVQ, NetworkConfig
from prepare.make_tiny_llm import train_tokenizer
from rewards.base import RewardContext
from rewards.mixture.loading import build_rewards
from rewards.mixture.weighted import WeightedRewards
from utils.motion.skeleton import T2M

NB_CODE, VOCABULARY = 512, 1032
NEVER = 10**9  # an id that no token has
CAPTION = "a person walks forward slowly, turns left and waves with the right hand."
REWARDS = {"format": 0.2, "physical": 0.5, "consistency": 0.5}


@dataclass(frozen=True)
class Sizes:
    """How much is computed; the defaults are those of the published baseline.

    Attributes:
        new_tokens, codes: of a reply.
        width: of the motion tokenizer.
        evaluator: of the rewards.
    """

    new_tokens: int = 160
    codes: int = 48
    width: int = 512
    evaluator: EvaluatorSizes = PUBLISHED_SIZES


BASELINE = Sizes()
TINY = Sizes(24, 6, 32, EvaluatorSizes(16, 16, 16, 16, 16, 16))


class Endless(MotionVocabulary):
    """No reply ends by itself."""

    eos_id = NEVER


class Stopwatch:
    """CPU seconds by the name of a part: with one thread those of a clock on the wall, also where others compute."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def over(self, name: str) -> Iterator[None]:
        start = time.process_time()
        try:
            yield
        finally:
            self.seconds[name] += time.process_time() - start

    def around(self, name: str, function: Callable) -> Callable:
        def timed(*given: Any, **named: Any) -> Any:
            with self.over(name):
                return function(*given, **named)

        return timed


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


def random_motion_tokenizer(sizes: Sizes = BASELINE) -> MotionTokenizer:
    """Random weights and codebook (an untrained one is all zeros: every motion would be the same)."""
    width = sizes.width
    config = NetworkConfig(
        feature_dim=T2M.feature_dim, nb_code=NB_CODE, width=width, code_dim=width, output_emb_width=width
    )
    network = MotionVQ(config).eval()
    torch.nn.init.normal_(network.vqvae.quantizer.codebook)
    zeros, ones = np.zeros(T2M.feature_dim, np.float32), np.ones(T2M.feature_dim, np.float32)
    return MotionTokenizer(network, zeros, ones, T2M)


def replies(
    vocabulary: MotionVocabulary, draw: np.random.Generator, count: int, sizes: Sizes = BASELINE
) -> list[list[int]]:
    """`count` different replies: random words as reasoning, then random codes."""
    written = []
    for _ in range(count):
        motion = write_codes(draw.integers(NB_CODE, size=sizes.codes))
        answer = vocabulary.encode(f"{THINK_CLOSE}{ANSWER_OPEN}{motion}{ANSWER_CLOSE}")
        reasoning = draw.integers(VOCABULARY - NB_CODE - len(MARKERS), size=sizes.new_tokens - len(answer))
        reasoning[np.isin(reasoning, vocabulary.tokenizer.all_special_ids)] = vocabulary.encode(" a")[0]
        written.append([*reasoning.tolist(), *answer])
    return written


def random_rewards(motion_tokenizer: MotionTokenizer, sizes: Sizes = BASELINE) -> WeightedRewards:
    """The rewards of t2m with a random evaluator."""
    tokens = tuple(f"{word}/OTHER" for word in CAPTION.rstrip(".").replace(",", "").split())
    evaluator = TextMotionEvaluator(
        build_networks(T2M.feature_dim, sizes.evaluator), np.zeros(T2M.feature_dim), np.ones(T2M.feature_dim), T2M,
        make_word_vectors(tokens, sizes.evaluator.word_size),
    )  # fmt: skip
    tagger = CaptionTagger.from_pairs([("", tokens)])
    return build_rewards(REWARDS, RewardContext(T2M, motion_tokenizer.nb_code, evaluator, tagger))
