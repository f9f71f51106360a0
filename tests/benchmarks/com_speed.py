"""Chain-of-Motion at the sizes of the published baseline (tests/benchmarks/baseline_sizes.py): seconds a caption.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.com_speed [--captions 16 --repeats 3]

8 candidates in each of 2 rounds to every caption of a batch, 160 new tokens each (the end of sequence is off), float32;
ranked by format, physical and consistency. Prints generation and scoring apart, and beside it the tokens per second of
plain generation by batch size: what the model itself can do.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from com.reply_search import ComConfig, QueryBatch, search_replies
from com.scorers import Ranking
from models.engines.engine import Drawn
from models.engines.transformers_engine import TransformersEngine
from models.inference.motion_llm import MotionLLM
from models.language.decoding import Sampling
from models.language.motion_language import MotionLanguage
from models.language.prompts import PLAIN, Query
from models.policy.backbone import load_backbone
from rewards.lacking import Lacking
from tests.benchmarks.baseline_sizes import (
    BASELINE,
    CAPTION,
    NB_CODE,
    Endless,
    Sizes,
    random_motion_tokenizer,
    random_rewards,
    replies,
    tiny_backbone,
)
from utils.run.command import quiet_libraries

CANDIDATES, ROUNDS = 8, 2
BATCH_SIZES = (1, 8, 32, 128, 256)


class MeasuredEngine(TransformersEngine):
    """Samples in full, and hands on replies with motions (see baseline_sizes)."""

    draw, sizes = np.random.default_rng(0), BASELINE

    def generate(self, prompts: list[list[int]], keys, sampling: Sampling, *more) -> list[Drawn]:
        sampled = super().generate(prompts, keys, sampling, *more)
        assert {len(one.ids) for one in sampled} == {sampling.max_new_tokens}
        if sampling.max_new_tokens != self.sizes.new_tokens:
            return sampled
        return [Drawn(ids) for ids in replies(self.vocabulary, self.draw, len(sampled), self.sizes)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=int, default=16, help="captions of one batch")
    parser.add_argument("--repeats", type=int, default=3, help="measured batches, after one that is not")
    given = parser.parse_args()
    quiet_libraries()
    torch.manual_seed(0)
    llm = random_llm()
    whole, generation, scoring = seconds_a_caption(llm, given.captions, given.repeats)
    tokens = CANDIDATES * ROUNDS * BASELINE.new_tokens
    print(
        f"Chain-of-Motion {CANDIDATES}x{ROUNDS}, {given.captions} captions, {torch.get_num_threads()} thread(s), "
        f"median of {given.repeats}: {whole:.2f} CPU seconds a caption"
    )
    print(f"  generation  {generation:.2f} s  ({tokens / generation:.0f} tokens/s, parsing and decoding included)")
    print(f"  scoring     {scoring:.2f} s")
    print("plain generation by batch size, tokens/s:")
    for size in BATCH_SIZES:
        print(f"  {size:4d}  {plain_rate(llm, size):.0f}")


def random_llm(sizes: Sizes = BASELINE) -> MotionLLM:
    """The policy of the baseline, none of whose replies ends by itself."""
    with tempfile.TemporaryDirectory() as folder:
        model, vocabulary, _ = load_backbone(tiny_backbone(Path(folder)), NB_CODE, seed=0)
    language = MotionLanguage(Endless(vocabulary.tokenizer, NB_CODE), random_motion_tokenizer(sizes), PLAIN)
    engine = MeasuredEngine(model, language.vocabulary)
    engine.sizes = sizes
    return MotionLLM(model, language, engine=engine)


def seconds_a_caption(
    llm: MotionLLM, captions: int, repeats: int, sizes: Sizes = BASELINE, candidates: int = CANDIDATES
) -> tuple[float, float, float]:
    """CPU seconds of Chain-of-Motion for each of the captions of a batch: whole, generation, scoring; medians."""
    motion_tokenizer = llm.language.motion_tokenizer
    rewards = random_rewards(motion_tokenizer, sizes)
    rank = Ranking(rewards.table, dict(zip(rewards.names, rewards.weights, strict=True)))
    com = ComConfig(candidates, ROUNDS, rank, Lacking(motion_tokenizer.skeleton, NB_CODE))
    queries = [Query("t2m", f"{CAPTION} {number}", id=str(number)) for number in range(captions)]
    sampling = Sampling(max_new_tokens=sizes.new_tokens, batch_size=candidates * captions)
    runs = []
    for number in range(repeats + 1):
        started, on_the_wall = time.process_time(), time.perf_counter()
        found = search_replies(llm, QueryBatch.all(queries), sampling, com, f"batch {number}")
        whole, passed = time.process_time() - started, time.perf_counter() - on_the_wall
        # The search tells its parts by the clock on the wall.
        parts = [sum(one[part] for one in found[0].record["cost"]) for part in ("generation_s", "scoring_s")]
        runs.append([whole / captions, *(part * whole / passed for part in parts)])
    return tuple(statistics.median(column) for column in zip(*runs[1:], strict=True))


def plain_rate(llm: MotionLLM, batch: int, sizes: Sizes = BASELINE) -> float:
    """Tokens a CPU second of plain replies in one batch."""
    one_batch = Sampling(max_new_tokens=sizes.new_tokens - 1, batch_size=batch)
    started = time.process_time()
    llm.answer([Query("t2m", f"{CAPTION} {number}") for number in range(batch)], one_batch)
    return batch * one_batch.max_new_tokens / (time.process_time() - started)


if __name__ == "__main__":
    main()
