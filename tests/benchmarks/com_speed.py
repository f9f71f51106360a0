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
from models.language.vocabulary import MotionVocabulary
from models.policy.backbone import load_backbone
from rewards.lacking import Lacking
from tests.benchmarks.baseline_sizes import (
    CAPTION,
    NB_CODE,
    NEW_TOKENS,
    random_motion_tokenizer,
    random_rewards,
    replies,
    tiny_backbone,
)
from utils.run.command import quiet_libraries

CANDIDATES, ROUNDS = 8, 2
BATCH_SIZES = (1, 8, 32, 128, 256)
NEVER = 10**9  # an id that no token has


class Endless(MotionVocabulary):
    """No reply ends by itself."""

    eos_id = NEVER


class MeasuredEngine(TransformersEngine):
    """Samples in full, and hands on replies with motions (see baseline_sizes)."""

    draw = np.random.default_rng(0)

    def generate(self, prompts: list[list[int]], keys, sampling: Sampling, *more) -> list[Drawn]:
        sampled = super().generate(prompts, keys, sampling, *more)
        assert {len(one.ids) for one in sampled} == {sampling.max_new_tokens}
        if sampling.max_new_tokens != NEW_TOKENS:
            return sampled
        return [Drawn(ids) for ids in replies(self.vocabulary, self.draw, len(sampled))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=int, default=16, help="captions of one batch")
    parser.add_argument("--repeats", type=int, default=3, help="measured batches, after one that is not")
    given = parser.parse_args()
    quiet_libraries()
    torch.manual_seed(0)
    motion_tokenizer = random_motion_tokenizer()
    rewards = random_rewards(motion_tokenizer)
    rank = Ranking(rewards.table, dict(zip(rewards.names, rewards.weights, strict=True)))
    com = ComConfig(CANDIDATES, ROUNDS, rank, Lacking(motion_tokenizer.skeleton, NB_CODE))
    queries = [Query("t2m", f"{CAPTION} {number}", id=str(number)) for number in range(given.captions)]
    with tempfile.TemporaryDirectory() as folder:
        model, vocabulary, _ = load_backbone(tiny_backbone(Path(folder)), NB_CODE, seed=0)
    vocabulary = Endless(vocabulary.tokenizer, NB_CODE)
    language = MotionLanguage(vocabulary, motion_tokenizer, PLAIN)
    llm = MotionLLM(model, language, engine=MeasuredEngine(model, vocabulary))
    sampling = Sampling(max_new_tokens=NEW_TOKENS, batch_size=CANDIDATES * given.captions)
    runs = []
    for number in range(given.repeats + 1):
        started = time.perf_counter()
        found = search_replies(llm, QueryBatch.all(queries), sampling, com, f"batch {number}")
        whole = (time.perf_counter() - started) / len(queries)
        cost = found[0].record["cost"]
        runs.append([whole, *(sum(one[part] for one in cost) for part in ("generation_s", "scoring_s"))])
    whole, generation, scoring = (statistics.median(column) for column in zip(*runs[1:], strict=True))
    tokens = CANDIDATES * ROUNDS * NEW_TOKENS
    print(
        f"Chain-of-Motion {CANDIDATES}x{ROUNDS}, {given.captions} captions, {torch.get_num_threads()} thread(s), "
        f"median of {given.repeats}: {whole:.2f} s a caption"
    )
    print(f"  generation  {generation:.2f} s  ({tokens / generation:.0f} tokens/s, parsing and decoding included)")
    print(f"  scoring     {scoring:.2f} s")
    print("plain generation by batch size, tokens/s:")
    for size in BATCH_SIZES:
        one_batch = Sampling(max_new_tokens=NEW_TOKENS - 1, batch_size=size)
        started = time.perf_counter()
        llm.answer([Query("t2m", f"{CAPTION} {number}") for number in range(size)], one_batch)
        print(f"  {size:4d}  {size * (NEW_TOKENS - 1) / (time.perf_counter() - started):.0f}")


if __name__ == "__main__":
    main()
