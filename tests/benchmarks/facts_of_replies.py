"""Which claims hold in the replies of an evaluation, by kind: fact accuracy (t2m), grounding and coverage (m2t).

    python -m tests.benchmarks.facts_of_replies --run experiments/quickstart/eval_t2m_sft_greedy --task t2m \
      --motion-tokenizer experiments/quickstart/tokenizer/motion_tokenizer.pth
    python -m tests.benchmarks.facts_of_replies --run experiments/quickstart/eval_m2t_sft_greedy --task m2t \
      --data-root experiments/quickstart/toy

t2m: the claims of a caption against the motion made from it. m2t: the claims of answer and reasoning against the clip.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dataset.facts.accuracy import coverage, tallies
from dataset.facts.contradictions import contradictions
from dataset.facts.motion_facts import MotionFacts, motion_facts
from models.evaluation.predictions_file import PREDICTIONS_FILE
from models.language.replies import parse_reply
from models.tokenizer.motion_tokenizer import MotionTokenizer
from rewards.facts import facts_of_motion
from utils.files.json_files import numbered_rows
from utils.motion.skeleton import T2M


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--task", choices=("t2m", "m2t"), required=True)
    parser.add_argument("--motion-tokenizer", help="t2m")
    parser.add_argument("--data-root", type=Path, help="m2t")
    args = parser.parse_args()
    rows = [row for _, row in numbered_rows(args.run / PREDICTIONS_FILE)]
    if args.task == "t2m":
        pairs = list(_made(rows, MotionTokenizer.load(args.motion_tokenizer)))
        _print("captions", pairs)
    else:
        answers, reasonings = _told(rows, args.data_root)
        _print("answers", answers)
        _print("reasonings", reasonings)
        pairs = [(f"{one}. {other}", facts) for (one, facts), (other, _) in zip(answers, reasonings, strict=True)]
        told, happening = coverage(pairs)
        print(f"{told} of {happening} actions of the motions are told")


def _made(rows: list[dict], tokenizer: MotionTokenizer) -> Iterator[tuple[str, MotionFacts]]:
    for row in rows:
        motion = tokenizer.decode(np.array(row["codes"])) if row["codes"] else None
        facts = facts_of_motion(motion, tokenizer.skeleton)
        if facts is not None:
            yield row["caption"], facts


def _told(rows: list[dict], data_root: Path) -> tuple[list, list]:
    answers, reasonings = [], []
    facts = {row["id"]: motion_facts(np.load(data_root / f"new_joints/{row['id']}.npy"), T2M) for row in rows}
    for row in rows:
        answers.append((row["answer"] or "", facts[row["id"]]))
        reasonings.append((parse_reply(row["text"], "m2t").reasoning or "", facts[row["id"]]))
    return answers, reasonings


def _print(name: str, pairs: list[tuple[str, MotionFacts]]) -> None:
    denied = sum(bool(contradictions(text, facts)) for text, facts in pairs)
    print(f"{name}: {len(pairs)}, {denied / len(pairs):.1%} contradicted\n| kind | hold | fail | unsaid | share |")
    print("| --- | --- | --- | --- | --- |")
    for kind, tally in tallies(pairs).items():
        share = "{:.3f} ({:.3f} to {:.3f})".format(tally.share, *tally.interval)
        print(f"| {kind} | {tally.holds} | {tally.fails} | {tally.unsaid} | {share} |")


if __name__ == "__main__":
    main()
