"""How often the printed 95 % intervals hold the long-run mean, in simulated evaluations of a real model.

    python -m tests.benchmarks.interval_coverage --run EVAL --data-root DATA --evaluator JUDGE

EVAL is a finished evaluation of eval_mllm.py with many draws (`--samples 160`): the long run. An evaluation is
simulated by taking some of its draws at random, with repetition, and the interval is made as eval_mllm.py makes it. The
old way is the one before protocol 2.0: one draw whose clips are shuffled anew in each of 20 repeats. `one draw` is the
interval over clips, which is of other clips too, so that it holds the mean of these ones more often than 95 %.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dataset.humanml.layout import read_split, tagger_of
from models.evaluation.captions import CaptionScoring
from models.evaluation.evaluate import judge_replies
from models.evaluation.judge import Judge
from models.evaluation.predictions import Prediction, arrange
from models.evaluation.predictions_file import PREDICTIONS_FILE, read_predictions
from models.evaluation.questions import Questions
from models.text_motion.evaluator import TextMotionEvaluator
from models.tokenizer.motion_tokenizer import MotionTokenizer
from utils.files.json_files import read_json
from utils.metrics.report import FIELD_DRAWS, MetricValue

STUDENTS = 1.0956  # how much wider Student's interval is than 1.96 sd / sqrt(20), which the old way printed
METRICS = {"t2m": ("R@1", "FID", "MM-Dist", "Diversity", "Jerk"), "m2t": ("CIDEr", "BLEU@4", "R@1", "MM-Dist")}


class LongRun:
    """All draws of an evaluation, each judged on its own."""

    def __init__(self, given: argparse.Namespace) -> None:
        asked = read_json(Path(given.run) / "args.json")
        self.evaluator = TextMotionEvaluator.load(given.evaluator)
        tokenizer = None if given.motion_tokenizer is None else MotionTokenizer.load(given.motion_tokenizer)
        skeleton = self.evaluator.skeleton
        records = read_split(given.data_root, asked["eval_split"], skeleton)[: asked["limit"]]
        file = Path(given.run) / PREDICTIONS_FILE
        found = read_predictions(file, asked["eval_task"], skeleton, tokenizer)
        self.draws = arrange(found, [record.id for record in records], str(file), print)
        questions = Questions(asked["eval_task"], tuple(records), tagger_of(given.data_root, skeleton), asked["seed"])
        self.questions = questions.as_answered(self.draws)

    def judged(self, draw: int, times: int, seed: int) -> dict[str, MetricValue]:
        """One draw, `times` over: with more than once, what the field's formula makes of shuffling alone."""
        captions = (self.questions.answered[draw],) * times
        rows: list[Sequence[Prediction]] = [self.draws[draw]] * times
        judge = Judge(self.evaluator, repeats=times, seed=seed)
        return judge_replies(replace(self.questions, answered=captions), rows, judge, CaptionScoring()).metrics


def share_that_holds(mean: float, evaluations: int, simulate: Callable[[], MetricValue]) -> tuple[float, float]:
    """(share of simulated evaluations whose interval holds `mean`, the mean half-width)"""
    found = [simulate() for _ in range(evaluations)]
    widths = [value.interval or 0.0 for value in found]
    held = [abs(value.mean - mean) <= width for value, width in zip(found, widths, strict=True)]
    return float(np.mean(held)), float(np.mean(widths))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, help="folder of an evaluation with many draws")
    parser.add_argument("--data-root", required=True)
    parser.add_argument("--evaluator", required=True, help="who judges")
    parser.add_argument("--motion-tokenizer", help="t2m: decodes the replies")
    parser.add_argument("--evaluations", type=int, default=200, help="simulated ones")
    parser.add_argument("--old", type=int, default=40, help="draws that the old way is tried on")
    given = parser.parse_args()
    run, rng = LongRun(given), np.random.default_rng(0)
    alone = [run.judged(draw, 1, draw) for draw in range(len(run.draws))]
    shuffled = [run.judged(draw, FIELD_DRAWS, draw) for draw in range(min(given.old, len(alone)))]
    print(
        f"{len(alone)} draws of {len(run.draws[0])} clips; {given.evaluations} simulated evaluations; in brackets the"
    )
    print("mean half-width")
    print(f"{'':10}{'long run':>10}" + "".join(f"{head:>18}" for head in ("20 draws", "8", "4", "one draw", "old way")))
    for name in METRICS[run.questions.task]:
        values = np.array([judged[name].mean for judged in alone], dtype=np.float64)
        mean = float(values.mean())

        def drawn(count: int, values: np.ndarray = values) -> MetricValue:
            return MetricValue.over_draws(rng.choice(values, count).tolist(), len(run.draws[0]))

        def any_of(rows: Sequence[dict[str, MetricValue]], name: str = name) -> MetricValue:
            return rows[rng.integers(len(rows))][name]

        def old_way(name: str = name) -> MetricValue:
            value = any_of(shuffled, name)  # which has Student's interval now
            return replace(value, interval=(value.interval or 0.0) / STUDENTS)

        ways = [lambda count=count: drawn(count) for count in (FIELD_DRAWS, 8, 4)]
        has_interval = alone[0][name].interval is not None
        ways += [(lambda: any_of(alone)) if has_interval else None, old_way]
        shares = ["-" if way is None else _shown(*share_that_holds(mean, given.evaluations, way)) for way in ways]
        print(f"{name:10}{mean:10.4f}" + "".join(f"{share:>18}" for share in shares))


def _shown(share: float, width: float) -> str:
    return f"{100 * share:.1f} % ({width:.4f})"


if __name__ == "__main__":
    main()
