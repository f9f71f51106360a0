"""Hours of training by arithmetic: nothing is run, and nothing of it was measured.

    python -m tests.benchmarks.training_hours [--lines 140000 --share 0.2]

An epoch of SFT (LoRA) over all lines, and GRPO with one group of replies to each line, on 1, 8 and 64 GPUs. Prints a
table in Markdown: hours, optimiser steps, and what a step mostly waits for. The assumptions are flags.

A step of SFT on one GPU takes the longer of two times, and then the gradients are summed over the GPUs:

    arithmetic    6 x weights x tokens / (peak x share)    forward, once more for checkpointing, gradients back
    launches      3 x layers x launch                      the GPU waits for the CPU where a batch is small
    sum           2 x bytes of the adapter's gradients / link

A step of GRPO adds the replies, token by token, and the reference's forward pass (8 instead of 6 above):

    one token     layers x launch of replies + bytes of weights, keys and values / (bandwidth x share of bandwidth)

A vLLM server of its own draws the replies of all GPUs that train, and one of its GPUs serves 8 of them. What is added
is the way of the adapter, which the first process writes and the server reads:

    adapter       2 x bytes of the adapter / file system
"""

import argparse
from dataclasses import dataclass
from functools import partial

GPUS = (1, 8, 64)
A_MACHINE = 8
VOCABULARY, KV_HEADS, HEAD = 152_000, 8, 128
FORWARD, PASSES = 2, 3  # floating-point operations a weight and token; passes over the layers in a step
BYTES, GRADIENT_BYTES = 2, 4  # of a weight (bf16) and of an adapter's gradient (fp32)


@dataclass(frozen=True)
class Model:
    """A Qwen3 by the sizes in its config.json."""

    name: str
    layers: int
    hidden: int
    heads: int
    intermediate: int

    @property
    def projections(self) -> list[tuple[int, int]]:
        """(in, out) of the matrices of a layer: attention, then the MLP."""
        inner, kv = self.heads * HEAD, KV_HEADS * HEAD
        mlp = [(self.hidden, self.intermediate)] * 3
        return [(self.hidden, inner), (self.hidden, kv), (self.hidden, kv), (inner, self.hidden), *mlp]

    @property
    def weights(self) -> int:
        """Head and embedding are one matrix."""
        return self.layers * sum(rows * columns for rows, columns in self.projections) + VOCABULARY * self.hidden

    def adapter(self, rank: int) -> int:
        return self.layers * rank * sum(rows + columns for rows, columns in self.projections)

    @property
    def kv_bytes(self) -> int:
        """Keys and values of a token."""
        return 2 * self.layers * KV_HEADS * HEAD * BYTES


MODELS = (
    Model("Qwen3-0.6B", 28, 1024, 16, 3072),
    Model("Qwen3-1.7B", 28, 2048, 16, 6144),
    Model("Qwen3-4B", 36, 2560, 32, 9728),
)


@dataclass(frozen=True)
class Assumed:
    """What the arithmetic assumes; each is a flag. The GPU is an H100."""

    lines: int = 140_000  # samples of an epoch of SFT, prompts of GRPO
    tokens: int = 200  # of a sample, question and reply
    reply: int = 100  # tokens of a reply
    batch: int = 6  # samples, or prompts, a step on each GPU
    group: int = 8  # replies to a prompt
    rank: int = 64  # of the adapter
    peak: float = 989e12  # operations a second in bf16
    share: float = 0.2  # of the peak that is reached
    bandwidth: float = 3.35e12  # bytes a second of the GPU's memory
    bandwidth_share: float = 0.6
    launch_ms: float = 0.9  # a layer, by transformers
    engine_launch_ms: float = 0.05  # a layer of an engine that records its graphs
    link: float = 50e9  # bytes a second between machines, for each GPU
    link_inside: float = 300e9  # inside one
    disk: float = 1e9  # bytes a second of the file system that trainers and server share


@dataclass(frozen=True)
class Cost:
    """Seconds of a step, by what they are spent on, and how many steps there are."""

    parts: dict[str, float]
    steps: int

    @property
    def hours(self) -> float:
        return self.steps * sum(self.parts.values()) / 3600

    @property
    def bound(self) -> str:
        """The longest part and its share of a step."""
        name = max(self.parts, key=self.parts.__getitem__)
        return f"{name} {self.parts[name] / sum(self.parts.values()):.0%}"


def sft(model: Model, gpus: int, given: Assumed) -> Cost:
    """An epoch of LoRA over all lines."""
    steps = -(-given.lines // (given.batch * gpus))
    return Cost({**_learning(model, given.batch, PASSES, given), "sum": _sum(model, gpus, given)}, steps)


def grpo(model: Model, gpus: int, given: Assumed, engine: bool = False, servers: int = 0) -> Cost:
    """A group of replies to every line, by transformers or an engine, and one step of learning from them.

    Args:
        servers: GPUs of a vLLM server that draws the replies of all; 0: each of the `gpus` draws its own.
    """
    steps, own = -(-given.lines // (given.batch * gpus)), given.batch * given.group
    replies = own * gpus / servers if servers else own
    # While a reply grows, half of its tokens are there on average; its question always is.
    known = given.tokens - given.reply / 2
    read = BYTES * model.weights + replies * known * model.kv_bytes
    launch_ms = given.engine_launch_ms if engine or servers else given.launch_ms
    token = model.layers * launch_ms / 1e3 + read / (given.bandwidth * given.bandwidth_share)
    learning = _learning(model, own, PASSES + 1, given)  # the reference's forward pass is one more
    moved = {"adapter": 2 * GRADIENT_BYTES * model.adapter(given.rank) / given.disk} if servers else {}
    return Cost({"replies": given.reply * token, **moved, **learning, "sum": _sum(model, gpus, given)}, steps)


def beside_a_server(model: Model, gpus: int, given: Assumed) -> Cost:
    """GRPO with a GPU of a server for every machine that trains."""
    return grpo(model, gpus, given, servers=-(-gpus // A_MACHINE))


def _learning(model: Model, samples: int, passes: int, given: Assumed) -> dict[str, float]:
    arithmetic = passes * FORWARD * model.weights * samples * given.tokens / (given.peak * given.share)
    launches = passes * model.layers * given.launch_ms / 1e3
    return {"arithmetic": arithmetic} if arithmetic >= launches else {"launches": launches}


def _sum(model: Model, gpus: int, given: Assumed) -> float:
    link = given.link if gpus > A_MACHINE else given.link_inside
    return 0.0 if gpus == 1 else 2 * GRADIENT_BYTES * model.adapter(given.rank) / link


def table(given: Assumed) -> str:
    """Hours and steps by stage, model and number of GPUs; then the longest part of a step."""
    numbers = [f"{gpus} GPU{'s' if gpus > 1 else ''}" for gpus in GPUS]
    lines = [f"| | {' | '.join(numbers)} | of a step, {numbers[0]} | {numbers[-1]} |", "| --- " * 6 + "|"]
    by_vllm = (("GRPO by vLLM", partial(grpo, engine=True)), ("GRPO + server", beside_a_server))
    for stage, cost_of in (("SFT", sft), ("GRPO", grpo), *by_vllm):
        for model in MODELS:
            costs: list[Cost | None] = [cost_of(model, gpus, given) for gpus in GPUS]
            if stage == "GRPO by vLLM":
                costs[1:] = [None] * len(costs[1:])  # it works in one process
            hours = " | ".join("-" if cost is None else f"{cost.hours:.2g} h, {cost.steps:,} steps" for cost in costs)
            bounds = ["-" if cost is None else cost.bound for cost in (costs[0], costs[-1])]
            lines.append(f"| {stage}, {model.name} | {hours} | {' | '.join(bounds)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in vars(Assumed()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    print(table(Assumed(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
