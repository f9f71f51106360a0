"""The reward of held-out t2m replies before and after GRPO, clip by clip.

    python -m tests.benchmarks.held_out_reward --rewards format=0.2,physical=1,consistency=1 --data-root DATA \\
        --reward-evaluator RANKER --motion-tokenizer TOKENIZER.pth EVAL_SFT EVAL_SEED_0 EVAL_SEED_1 ...

Folders are those of eval_mllm.py on the same clips; their replies (`--samples` of each clip) are scored by the rewards
of training and compared with those of the first folder. The held-out reward of GRPO itself is of few prompts and
replies: enough to choose a checkpoint, too few to tell a gain of a hundredth from chance.
"""

import argparse
from pathlib import Path

import numpy as np

from dataset.humanml.layout import tagger_of
from models.language.replies import parse_reply
from models.language.rollout import Rollout
from models.tokenizer.motion_tokenizer import MotionTokenizer
from rewards.mixture.loading import load_rewards, parse_reward_weights
from rewards.models import RewardModels
from utils.files.json_files import read_jsonl
from utils.metrics.paired import score_differences

TOTAL = "total"


def rollouts_of_rows(rows: list[dict], tokenizer: MotionTokenizer) -> list[Rollout]:
    """Rows of a predictions.jsonl as rewards see replies."""
    parsed = [parse_reply(row["text"], "t2m") for row in rows]
    codes = [np.array(reply.codes or (), dtype=np.int64) for reply in parsed]
    playable = [index for index, item in enumerate(codes) if len(item) and item.max() < tokenizer.nb_code]
    motions = dict(zip(playable, tokenizer.decode_batch([codes[index] for index in playable]), strict=True))
    return [
        Rollout(
            "t2m", row["caption"], row["text"], reply.reasoning, reply.answer, item if len(item) else None,
            motions.get(index), finished=row["finished"], id=row["id"],
        )
        for index, (row, reply, item) in enumerate(zip(rows, parsed, codes, strict=True))
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", help="of eval_mllm.py, the one to compare with first")
    parser.add_argument("--rewards", required=True, help="name=weight,...")
    parser.add_argument("--reward-evaluator", required=True)
    parser.add_argument("--motion-tokenizer", required=True)
    parser.add_argument("--data-root", required=True, help="data set of the captions, for their word classes")
    given = parser.parse_args()
    tokenizer = MotionTokenizer.load(given.motion_tokenizer)
    rewards = load_rewards(
        parse_reward_weights(given.rewards),
        tokenizer,
        RewardModels(given.reward_evaluator),
        lambda: tagger_of(given.data_root, tokenizer.skeleton),
    ).rewards
    first = None
    for folder in map(Path, given.folders):
        rows = read_jsonl(folder / "predictions.jsonl")
        table = rewards.table(rollouts_of_rows(rows, tokenizer))
        columns = {TOTAL: rewards.combine(table), **table}
        scored = [
            {"id": row["id"], "draw": row["draw"], "scores": {name: values[index] for name, values in columns.items()}}
            for index, row in enumerate(rows)
        ]
        print(folder.name, ", ".join(f"{name} {np.mean(values):.4f}" for name, values in columns.items()))
        first = first or scored
        if scored is not first:
            for name, difference in score_differences(scored, first).items():
                print(f"  {name:12} {difference.text(4)}{' *' if difference.clear else ''}")


if __name__ == "__main__":
    main()
