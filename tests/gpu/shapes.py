"""The models that are measured: random weights of published shapes, and how much each part computes with them.

Nothing is downloaded. The text tokenizer is one of `prepare.make_tiny_llm`, learned from toy captions; made-up words
fill it up to as many tokens as Qwen3's has, so that embedding, head and the rows of motion tokens have their real size.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from dataset.captions.tags import THINK_CLOSE, THINK_OPEN
from dataset.toy.clips import ToyClip
from prepare.make_tiny_llm import END_OF_TEXT, TURN_END, train_tokenizer
from tests.benchmarks.memory_table import CODES, EVAL_BATCH, TEXT_ROWS, TEXT_TOKENS, TOKENS
from tests.benchmarks.training_hours import HEAD, KV_HEADS, MODELS, Model

NB_CODE = CODES
LEARNED_TOKENS = 1000  # of the text tokenizer, before made-up words


@dataclass(frozen=True)
class Shape:
    """A Qwen3: its layers, tokens of its text tokenizer, rows for them (None: those that were learned)."""

    model: Model
    kv_heads: int = KV_HEADS
    head: int = HEAD
    tokens: int | None = TEXT_TOKENS
    rows: int | None = TEXT_ROWS

    @property
    def name(self) -> str:
        return self.model.name


SHAPES = {
    "tiny": Shape(Model("tiny", 2, 64, 2, 128), kv_heads=2, head=32, tokens=None, rows=None),
    # That of tests/benchmarks/baseline_sizes.py.
    "baseline": Shape(Model("baseline", 2, 128, 4, 384), kv_heads=4, head=32, tokens=None, rows=None),
    **{model.name.rpartition("-")[2].lower(): Shape(model) for model in MODELS},
}


@dataclass(frozen=True)
class Work:
    """How much each part computes.

    Attributes:
        clips: toy clips, of which samples and questions are made.
        matmul: rows and columns of the matrices whose product gives the peak.
        sft_batches: samples a step.
        sft_steps, grpo_steps, tokenizer_steps: (steps that are not measured, steps that are measured after them).
        new_tokens: of a reply in rollouts and Chain-of-Motion.
        batches: replies at once.
        prompts, group: of a GRPO step.
        captions, candidates, rounds: of Chain-of-Motion.
        replies, tokens: of the measurement of memory: replies at once of an evaluation, tokens of a sample.
        width, windows: of the motion tokenizer, and of a step of its training.
    """

    clips: int = 300
    matmul: int = 8192
    sft_batches: tuple[int, ...] = (6, 24)
    sft_steps: tuple[int, int] = (2, 4)
    grpo_steps: tuple[int, int] = (1, 2)
    tokenizer_steps: tuple[int, int] = (3, 20)
    new_tokens: int = 96
    batches: tuple[int, ...] = (1, 8, 48, 256)
    prompts: int = 6
    group: int = 8
    captions: int = 16
    candidates: int = 8
    rounds: int = 2
    replies: int = EVAL_BATCH
    tokens: int = TOKENS
    width: int = 512
    windows: int = 256


TINY_WORK = Work(
    clips=30, matmul=256, sft_batches=(2,), sft_steps=(1, 1), grpo_steps=(1, 1), tokenizer_steps=(1, 2), new_tokens=8,
    batches=(1, 3), prompts=2, group=2, captions=2, candidates=2, rounds=2, replies=3, tokens=128, width=32, windows=8,
)  # fmt: skip


def work_of(shape: Shape) -> Work:
    return TINY_WORK if shape.name == "tiny" else Work()


def text_tokenizer(clips: list[ToyClip], tokens: int | None) -> PreTrainedTokenizerFast:
    """Learned from captions and reasoning of the clips; filled up to `tokens`."""
    text = (text for clip in clips for text in (*(caption.text for caption in clip.captions), *clip.reasoning))
    learned = train_tokenizer(text, LEARNED_TOKENS)
    if tokens is None:
        return learned
    state = json.loads(learned.backend_tokenizer.to_str())
    words = state["model"]["vocab"]
    # The tags of reasoning stand after all words, as in Qwen3.
    tags = [token for token in state["added_tokens"] if token["content"] in (THINK_OPEN, THINK_CLOSE)]
    for number in range(tokens - len(words) - len(tags)):
        words[f"Ġmade{number}"] = len(words)
    for place, tag in enumerate(tags):
        tag["id"] = len(words) + place
    filled = Tokenizer.from_str(json.dumps(state))
    return PreTrainedTokenizerFast(tokenizer_object=filled, eos_token=TURN_END, pad_token=END_OF_TEXT)


def config_of(shape: Shape, tokenizer: PreTrainedTokenizerFast) -> Qwen3Config:
    return Qwen3Config(
        vocab_size=shape.rows or len(tokenizer),
        hidden_size=shape.model.hidden,
        intermediate_size=shape.model.intermediate,
        num_hidden_layers=shape.model.layers,
        num_attention_heads=shape.model.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )


def write_backbone(place: Path, shape: Shape, clips: list[ToyClip], device: torch.device, dtype: torch.dtype) -> None:
    """A folder for --llm-backbone; the weights are drawn on `device` and kept in `dtype`."""
    tokenizer = text_tokenizer(clips, shape.tokens)
    torch.manual_seed(0)
    with torch.device(device):
        model = Qwen3ForCausalLM._from_config(config_of(shape, tokenizer), dtype=dtype)
    model.save_pretrained(place)
    tokenizer.save_pretrained(place)
