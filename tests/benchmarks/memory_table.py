"""GPU memory of training and evaluation, by arithmetic: each tensor of a step is made at its size, without values.

    python -m tests.benchmarks.memory_table

prints the table of options/accelerate/README.md; no GPU is needed, and nothing is downloaded. The sizes are those of
the published config.json of Qwen3, with our tokens and adapters. Steps are those of trl, peft and transformers on
torch's fake tensors. The kernels that a GPU has for the head (Triton) write in place; here nothing stands in their
place. What torch's allocator holds beyond its tensors, and CUDA itself (about half a GB), come on top.
"""

import argparse
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Tokenizer, models
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM
from trl.kernels import chunked_logprob
from trl.trainer.utils import add_fused_lm_head

from models.language.sampling import SeededSampling
from models.language.vocabulary import MotionVocabulary
from models.policy.adapters import LORA_TARGETS, LoraSize, add_sft_adapter
from models.policy.token_rows import ROW_MULTIPLE, add_token_rows
from tests.benchmarks.training_hours import HEAD, KV_HEADS, MODELS, Model

# What all Qwen3 of these sizes share: tokens of text, and rows for them in the one matrix of both ends.
TEXT_TOKENS, TEXT_ROWS, CODES = 151_669, 151_936, 512
LORA = LoraSize(64, 64, 0.0)
TOKENS = 512  # of a query with its reply
# Samples at once: the defaults of --batch-size in SFT, of it times --rl-group-size, and of --eval-batch-size.
SFT_BATCH, GRPO_BATCH, EVAL_BATCH = 6, 48, 128


@dataclass(frozen=True)
class Memory:
    """Bytes of one process.

    Attributes:
        weights: the frozen backbone, in bfloat16.
        trained: adapter and token rows in float32, with gradients and both averages of Adam.
        peak: all tensors, when there are most.
    """

    weights: int
    trained: int
    peak: int


class Live(TorchDispatchMode):
    """Counts the bytes of all tensors that are alive, and the most there were."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._seen: dict[int, weakref.ref] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self.note(leaf)
        return out

    def note(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._seen:
            return

        def gone(_: weakref.ref) -> None:
            self._seen.pop(key, None)
            self.now -= size

        self._seen[key] = weakref.ref(storage, gone)
        self.now += size
        self.peak = max(self.peak, self.now)


@contextmanager
def simulated() -> Iterator[Live]:
    """Inside, tensors have no values; in the place of Triton's kernels stands nothing, since they write in place."""
    nothing = {name: lambda *_, **__: None for name in ("_forward_tile", "_backward_tile", "_addmm_fp32")}
    with FakeTensorMode(), patch.multiple(chunked_logprob, **nothing), Live() as live:
        yield live


def vocabulary() -> MotionVocabulary:
    """As many text tokens as Qwen3's, with its two tags of reasoning, and our motion tokens."""
    words = [f"word{number}" for number in range(TEXT_TOKENS - 2)] + ["<think>", "</think>"]
    known = Tokenizer(models.WordLevel({word: id for id, word in enumerate(words)}, unk_token="word0"))
    return MotionVocabulary(PreTrainedTokenizerFast(tokenizer_object=known, eos_token="word1"), CODES)


def on_meta(sizes: Model, adapter: str | None = None) -> PreTrainedModel | PeftModel:
    """A Qwen3 with motion tokens and the adapter of ``sft`` or ``grpo``, on torch's meta device."""
    config = Qwen3Config(
        vocab_size=TEXT_ROWS,
        hidden_size=sizes.hidden,
        intermediate_size=sizes.intermediate,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        num_key_value_heads=KV_HEADS,
        head_dim=HEAD,
        tie_word_embeddings=True,
    )
    words = vocabulary()
    with torch.device("meta"):
        model = Qwen3ForCausalLM(config).to(torch.bfloat16)
        add_token_rows(model, words, seed=0, row_multiple=ROW_MULTIPLE)
        if adapter == "sft":
            return add_sft_adapter(model, words, LORA)
        if adapter == "grpo":
            size = {"r": LORA.r, "lora_alpha": LORA.alpha, "task_type": "CAUSAL_LM"}
            return get_peft_model(model, LoraConfig(target_modules=list(LORA_TARGETS), **size))
    return model


def made(model: nn.Module) -> nn.Module:
    """The model with its weights made where the mode makes them; one that stands in two places stays one."""
    done: dict[int, Tensor] = {}

    def new(weight: Tensor) -> Tensor:
        if id(weight) not in done:
            empty = torch.empty(weight.shape, dtype=weight.dtype)
            done[id(weight)] = nn.Parameter(empty, weight.requires_grad) if isinstance(weight, nn.Parameter) else empty
        return done[id(weight)]

    for module in model.modules():
        for weights in (module._parameters, module._buffers):
            weights.update({name: new(weight) for name, weight in weights.items() if weight is not None})
    return model


def training(sizes: Model, stage: str) -> Memory:
    """A step of ``sft`` or ``grpo`` with LoRA, activations computed again in the backward pass.

    GRPO has one more pass, without gradients, for the reference; and it draws its replies first, which takes less.
    """
    model = on_meta(sizes, stage)
    batch = SFT_BATCH if stage == "sft" else GRPO_BATCH
    with simulated() as live:
        made(model).train()
        add_fused_lm_head(model.get_base_model(), outputs=("log_probs", "entropy", "is_top1"))
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(trained, fused=True)
        for _ in range(2):  # from the second on there are Adam's averages
            ids = torch.zeros(batch, TOKENS, dtype=torch.long)
            with torch.autocast("cpu", torch.bfloat16):
                if stage == "grpo":
                    with torch.no_grad(), model.disable_adapter():
                        reference = model(input_ids=ids, labels=ids, fused_lm_head=True).log_probs
                log_probs = model(input_ids=ids, labels=ids, use_cache=False, fused_lm_head=True).log_probs
            loss = -log_probs.mean() if stage == "sft" else (reference - log_probs).exp().mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        return Memory(_bytes(model, False), 4 * sum(weight.nbytes for weight in trained), live.peak)


def evaluation(sizes: Model, batch: int = EVAL_BATCH) -> Memory:
    """The last token of a batch of replies: keys and values of all before, logits, and the draw."""
    model = on_meta(sizes).eval().requires_grad_(False)
    with simulated() as live, torch.no_grad():
        made(model)
        cache = DynamicCache(config=model.config)
        for layer in range(sizes.layers):
            keys, values = (torch.empty(batch, KV_HEADS, TOKENS - 1, HEAD, dtype=torch.bfloat16) for _ in range(2))
            cache.update(keys, values, layer)
        del keys, values
        draw = SeededSampling(0.7, 1.0, 0, range(batch), TOKENS - 1)
        live.peak = live.now
        ids = torch.zeros(batch, TOKENS, dtype=torch.long)
        logits = model(input_ids=ids[:, -1:], past_key_values=cache, use_cache=True, logits_to_keep=1).logits
        draw(ids, logits[:, -1].float()).argmax(-1)
        return Memory(_bytes(model, False), 0, live.peak)


def _bytes(model: nn.Module, trained: bool) -> int:
    return sum(weight.nbytes for weight in model.parameters() if weight.requires_grad == trained)


def row(sizes: Model) -> list[float]:
    """Of a model, in GB: its weights, what SFT trains, and the peaks of SFT, GRPO and evaluation."""
    sft, grpo, replies = training(sizes, "sft"), training(sizes, "grpo"), evaluation(sizes)
    return [number / 1e9 for number in (sft.weights, sft.trained, sft.peak, grpo.peak, replies.peak)]


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    print("| | weights | trained | SFT | GRPO | evaluation |\n| --- | --- | --- | --- | --- | --- |")
    for sizes in MODELS:
        print(f"| {sizes.name} | " + " | ".join(f"{number:.3g}" for number in row(sizes)) + " |")


if __name__ == "__main__":
    main()
