"""Parts with a language model or a motion tokenizer: sampling, Chain-of-Motion, GRPO, SFT, tokenizer."""

import time
from argparse import Namespace
from collections.abc import Iterator

import torch

from tests.benchmarks.baseline_sizes import NB_CODE, random_motion_tokenizer
from tests.benchmarks.com_speed import CANDIDATES, ROUNDS, plain_rate, random_llm, seconds_a_caption
from tests.benchmarks.grpo_step_speed import GROUP, WHOLE, parts_of_a_step
from tests.benchmarks.measuring import Figure, Machine, median, scaling
from tests.benchmarks.tokenizer_speed import toy_features, training_steps
from tests.gpu.bench import Bench
from tests.gpu.sft import sft as steps_of_sft
from tests.gpu.shapes import SHAPES

# The published code on this baseline (tests/benchmarks/baseline_sizes.py), one thread.
PUBLISHED_GRPO_S, PUBLISHED_COM_S = 5.1, 8.75


def sampling(machine: Machine) -> Iterator[Figure]:
    """Plain replies by batch."""
    sizes, llm = machine.amounts.sizes, random_llm(machine.amounts.sizes)
    weights = sum(weight.numel() for weight in llm.model.parameters())
    for batch in machine.amounts.batches:
        plain_rate(llm, batch, sizes)
        rate = max(plain_rate(llm, batch, sizes) for _ in range(machine.amounts.repeats))
        # A token takes two operations a weight; a step of the batch reads each weight once.
        limit = min(machine.peak / (2 * weights), batch * machine.copied / (4 * weights))
        how = (
            f"{sizes.new_tokens} tokens a reply, parsing included; {4 * weights / batch:,.0f} bytes of weights a token"
        )
        yield Figure(f"sampling, batch {batch}", rate, "tokens/s", how, limit)
    seconds = []
    for length in machine.amounts.lengths:
        own = type(sizes)(length, sizes.codes, sizes.width, sizes.evaluator)
        seconds.append(length * GROUP / plain_rate(llm, GROUP, own))
    yield scaling("sampling by length", machine.amounts.lengths, seconds, f"tokens of {GROUP} replies")


def com(machine: Machine) -> Iterator[Figure]:
    """Chain-of-Motion, one caption alone and many together."""
    amounts, llm = machine.amounts, random_llm(machine.amounts.sizes)
    least = None
    for captions in amounts.captions:
        repeats = max(1, amounts.repeats // captions)
        whole, generation, scoring = seconds_a_caption(llm, captions, repeats, amounts.sizes)
        if least is None:
            least = machine.least(lambda: seconds_a_caption(llm, 1, 1, amounts.sizes)) / 2  # one of two batches
        how = f"{CANDIDATES} x {ROUNDS}; generation {generation:.3g} s, scoring {scoring:.3g} s"
        yield Figure(f"caption, {captions} together", whole, "s", how, least, published=PUBLISHED_COM_S)
    seconds = [seconds_a_caption(llm, 1, 1, amounts.sizes, count)[0] for count in amounts.candidates]
    yield scaling("caption by candidates", amounts.candidates, seconds, "candidates a round")


def grpo(machine: Machine) -> Iterator[Figure]:
    """A step with its parts."""
    amounts = machine.amounts
    medians = parts_of_a_step(amounts.repeats, sizes=amounts.sizes)
    whole = medians.pop(WHOLE)
    least = machine.least(lambda: parts_of_a_step(1, sizes=amounts.sizes)) / 2  # one of two steps
    how = f"{GROUP} replies x {amounts.sizes.new_tokens} tokens, LoRA 64, median of {amounts.repeats} steps"
    yield Figure(WHOLE, whole, "s", how, least, published=PUBLISHED_GRPO_S)
    for part, seconds in medians.items():
        yield Figure(f"step: {part}", seconds, "s", f"{seconds / whole:.0%} of the step")
    seconds = [parts_of_a_step(1, group=group, sizes=amounts.sizes)[WHOLE] for group in amounts.groups]
    yield scaling("step by group", amounts.groups, seconds, "replies")


def sft(machine: Machine) -> Iterator[Figure]:
    """Steps of SFT as tests/gpu measures them."""
    bench = Bench(
        SHAPES[machine.amounts.sft_shape], torch.device("cpu"), "fp32", machine.folder, time.monotonic() + 3600
    )
    for figure in steps_of_sft(bench):
        limit = None if not figure.flops else figure.value * machine.peak / figure.flops
        yield Figure(f"SFT: {figure.what}", figure.value, figure.unit, f"{figure.how}, by the clock on the wall", limit)


def tokenizer(machine: Machine) -> Iterator[Figure]:
    """Training steps of the VQ-VAE, encoding and decoding of toy clips."""
    amounts = machine.amounts
    flags = Namespace(device="cpu", width=amounts.sizes.width, nb_code=NB_CODE, batch_size=amounts.windows)
    for name, ours, plain in training_steps(flags):
        least = machine.least(ours)
        seconds = median(ours, amounts.repeats)
        yield Figure(name, seconds, "s", f"median of {amounts.repeats}", least, median(plain, amounts.repeats))
    network = random_motion_tokenizer(amounts.sizes)
    seconds = []
    for count in amounts.clips:
        clips = toy_features(count)
        together = median(lambda clips=clips: network.encode_batch(clips), 1)
        seconds.append(together)
    alone = median(lambda: [network.encode(clip) for clip in clips], 1)
    least = machine.least(lambda: network.encode_batch(clips))
    how = f"{len(clips)} toy clips together; plain: one after the other"
    yield Figure("encoding", len(clips) / together, "clips/s", how, len(clips) / least, len(clips) / alone)
    yield scaling("encoding by clips", amounts.clips, seconds, "clips")
