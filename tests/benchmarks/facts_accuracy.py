"""How often measured actions are those of the toy programs, and of the describers of real motion.

    python -m tests.benchmarks.facts_accuracy --clips 1500 --seeds 11 12 --split test
    python -m tests.benchmarks.facts_accuracy --clips 500 --motion-tokenizer motion_tokenizer.pth

prints a row a kind for toy clips: what the programs show and how much of it is found with side, way, count and degrees,
and what is found that they do not show; then how often the facts in `../shared/data/bnr/meta.jsonl` are met within
tolerance (sides: exactly). With `--motion-tokenizer` the toy clips are encoded and decoded before they are measured:
what is lost then is lost in the codes.
"""

import argparse
from collections import defaultdict

import numpy as np

from dataset.actions.body import Body
from dataset.actions.measured import measured
from dataset.toy.clips import toy_clips
from models.tokenizer.motion_tokenizer import MotionTokenizer
from tests.dataset.actions.truth import TOLERANCES, Score, pack_errors, pack_pairs
from tests.rewards.motion_pack import PACK
from utils.motion.features import features_from_joints, joints_in_metres
from utils.motion.skeleton import T2M


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=1500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[12])
    parser.add_argument("--split", default="test")
    parser.add_argument("--motion-tokenizer")
    args = parser.parse_args()
    tokenizer = MotionTokenizer.load(args.motion_tokenizer) if args.motion_tokenizer else None
    for seed in args.seeds:
        _print_toy(args.clips, seed, tokenizer)
    if PACK.is_file():
        _print_pack(args.split)


def _print_toy(clips: int, seed: int, tokenizer: MotionTokenizer | None) -> None:
    score = Score()
    for clip in toy_clips(clips, seed):
        score.add(clip.program, measured(Body(_decoded(clip.joints, tokenizer), T2M)))
    print(f"toy, {clips} clips, seed {seed}\n| kind | shown | right % | false |\n| --- | --- | --- | --- |")
    for kind, wanted in sorted(score.wanted.items()):
        print(f"| {kind} | {wanted} | {100 * score.right[kind] / wanted:.1f} | {score.false[kind]} |")
    print(f"in order: {score.in_order[True]} of {score.in_order.total()}\n")


def _decoded(joints: np.ndarray, tokenizer: MotionTokenizer | None) -> np.ndarray:
    """Joints as they are, or as they come out of the codes."""
    if tokenizer is None:
        return joints
    return joints_in_metres(tokenizer.decode(tokenizer.encode(features_from_joints(joints, T2M))), T2M)


def _print_pack(split: str) -> None:
    errors = defaultdict(list)
    for _, facts, told in pack_pairs(split):
        for name, values in pack_errors(facts, told).items():
            errors[name] += values
    print(f"pack, {split}\n| fact | compared | within tolerance % |\n| --- | --- | --- |")
    for name, values in errors.items():
        within = np.mean(np.array(values) <= TOLERANCES.get(name, 0))
        print(f"| {name} | {len(values)} | {100 * within:.1f} |")


if __name__ == "__main__":
    main()
