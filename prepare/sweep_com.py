"""What Chain-of-Motion buys for what it costs: quality by candidates k and rounds t, as a table and a plot.

    python -m prepare.sweep_com --out-dir experiments/sweep --candidates 1 2 4 8 16 --rounds 3 -- \\
        --eval-task t2m --eval-ckpt CKPT --data-root DATA --eval-evaluator JUDGE --reward-evaluator RANKER

What follows `--` goes to eval_mllm.py. Each k is searched once, with all rounds; the answer of fewer rounds is read off
its trace and judged again. Plain sampling is 1x1. The control of refinement is the best of as many candidates without
it: kxt against (k t)x1, clip by clip, wherever k t is itself among the candidates (or --controls).

OUT_DIR gets a folder of eval_mllm.py for every k and t, sweep.json and sweep.png. The same command again continues.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from options.flags.parsing import flag, parse_flags, required_flag
from options.flags.ranges import COUNT
from prepare.sweeps.evaluations import differences, evaluate, metrics_of, split_line
from utils.errors import InputError
from utils.files.json_files import read_json, read_jsonl, write_json, write_jsonl
from utils.files.lock import locked
from utils.metrics.criteria import DRAWN, SWEPT
from utils.metrics.report import REAL, MetricValue, format_table
from utils.run.command import run_command

OURS = (
    "--use-com", "--com-candidates", "--com-refine-steps", "--exp-name", "--out-dir", "--from-predictions", "--rescore",
)  # fmt: skip


@dataclass
class SweepFlags:
    """Which searches are compared."""

    _argument_group_name = "sweep"

    out_dir: str = required_flag("folder for everything")
    candidates: list[int] = field(
        default_factory=lambda: [1, 2, 4, 8, 16],
        metadata={"help": "replies a round (default: 1 2 4 8 16)", "within": COUNT},
    )
    rounds: int = flag(3, "most rounds", within=COUNT)
    controls: list[int] = field(
        default_factory=list,
        metadata={"help": "further numbers of replies of a single round (default: none)", "within": COUNT},
    )


@dataclass(frozen=True)
class Point:
    """One search: its folder of eval_mllm.py and what a reply took."""

    candidates: int
    rounds: int
    folder: Path
    tokens: float
    seconds: float

    @property
    def name(self) -> str:
        return f"{self.candidates}x{self.rounds}"


@dataclass(frozen=True)
class _Spent:
    """What a round took of a reply, as results.json has it."""

    tokens: float
    generation_s: float
    scoring_s: float


def main() -> None:
    given, evaluation = split_line(sys.argv[1:], OURS)
    (flags,) = parse_flags(SweepFlags, description=__doc__, argv=given)
    out = Path(flags.out_dir)
    with locked(out):
        sweep(flags, out, evaluation)


def sweep(flags: SweepFlags, out: Path, evaluation: Sequence[str]) -> None:
    """All searches, then the table, sweep.json and the plot."""
    points = []
    for count in sorted(set(flags.candidates)):
        points += search(out, count, flags.rounds, evaluation)
    for count in sorted(set(flags.controls) - set(flags.candidates)):
        points += search(out, count, 1, evaluation)
    task = read_json(points[0].folder / "results.json")["task"]
    print(report(points, task))
    write_json(
        out / "sweep.json",
        {
            point.name: {
                "tokens": point.tokens, "seconds": point.seconds,
                **{name: value.mean for name, value in metrics_of(point.folder).items()},
            }
            for point in points
        },
    )  # fmt: skip
    plot(points, task, out / "sweep.png")
    print(f"finished {out / 'sweep.json'}, {out / 'sweep.png'}")


def search(out: Path, candidates: int, rounds: int, evaluation: Sequence[str]) -> list[Point]:
    """One run of Chain-of-Motion with all rounds, and the judgement of what it had found after each."""
    whole = out / f"{candidates}x{rounds}"
    evaluate(whole, [*evaluation, "--use-com", "--com-candidates", str(candidates), "--com-refine-steps", str(rounds)])
    with _readable(whole):
        spent = [_Spent(**one) for one in read_json(whole / "results.json")["chain_of_motion"]["rounds"]]
        answers = {number: answers_after(whole, number) for number in range(1, rounds)}
    points = []
    for number in range(1, rounds + 1):
        folder = out / f"{candidates}x{number}"
        if number < rounds:
            within = folder / "answers.jsonl"  # where sweeps of earlier versions have it
            file = within if within.is_file() else out / f"{folder.name}.answers.jsonl"
            with _readable(folder):
                same = file.is_file() and read_jsonl(file) == answers[number]
            if not same:
                write_jsonl(file, answers[number])  # what was made of the answers of another search is then refused
            evaluate(folder, [*evaluation, "--from-predictions", str(file)])
        until = spent[:number]
        seconds = sum(one.generation_s + one.scoring_s for one in until)
        points.append(Point(candidates, number, folder, sum(one.tokens for one in until), seconds))
    return points


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """Say what to do where the files of a finished search are damaged."""
    try:
        yield
    except (InputError, KeyError, TypeError, ValueError) as error:
        reason = str(error) if isinstance(error, InputError) else repr(error)
        raise InputError(f"{folder} is damaged ({reason}): remove it and give the same command again") from None


def answers_after(folder: Path, rounds: int) -> list[dict[str, Any]]:
    """Lines of a predictions.jsonl: the best candidates of the first `rounds` rounds of a search."""
    predictions = {(row["draw"], row["id"]): row for row in read_jsonl(folder / "predictions.jsonl")}
    answers = []
    for key, attempts in groupby(read_jsonl(folder / "trace.jsonl"), key=lambda row: (row["draw"], row["id"])):
        best = max((one for one in attempts if one["round"] < rounds), key=lambda one: one["total"])  # ties: the first
        answer = {"id": key[1], "draw": key[0], "text": best["text"], "finished": best["finished"]}
        if predictions[key]["caption"] is not None:
            answer["caption"] = predictions[key]["caption"]
        answers.append(answer)
    return answers


def report(points: Sequence[Point], task: str) -> str:
    """The table by cost, then what refinement adds at equal numbers of candidates."""
    real = metrics_of(points[0].folder, REAL)
    rows = {REAL: real} if real else {}
    for point in sorted(points, key=lambda point: (point.candidates * point.rounds, point.rounds)):
        spent = {"tokens": MetricValue(point.tokens, None, 0, 0), "seconds": MetricValue(point.seconds, None, 0, 0)}
        rows[point.name] = {**spent, **metrics_of(point.folder)}
    lines = [format_table(rows, ("tokens", "seconds", *SWEPT[task])), "", "refined minus best of as many, clip by clip"]
    single = {point.candidates: point for point in points if point.rounds == 1}
    compared = [(point, single.get(point.candidates * point.rounds)) for point in points if point.rounds > 1]
    for refined, control in compared:
        if control is not None:
            lines.append(
                f"  {refined.name} - {control.name}: " + ", ".join(differences(refined.folder, control.folder, task))
            )
    return "\n".join(lines if len(lines) > 3 else lines[:1])


def plot(points: Sequence[Point], task: str, picture: Path) -> None:
    """Metrics over generated tokens, one line a number of rounds: where they lie over each other, only tokens count."""
    from matplotlib.figure import Figure  # takes seconds to import

    figure = Figure(figsize=(4.2 * len(DRAWN[task]), 3.6), layout="constrained")
    figure.suptitle(f"Chain-of-Motion, {task}: quality and tokens a reply (kxt: k candidates in each of t rounds)")
    for axes, name in zip(figure.subplots(1, len(DRAWN[task]), squeeze=False)[0], DRAWN[task], strict=True):
        for rounds in sorted({point.rounds for point in points}):
            own = sorted((point for point in points if point.rounds == rounds), key=lambda point: point.tokens)
            found = [metrics_of(point.folder).get(name) for point in own]  # none where no reply was usable
            values = [float("nan") if value is None or value.mean is None else value.mean for value in found]
            axes.plot([point.tokens for point in own], values, marker="o", label=f"{rounds} round{'s'[: rounds - 1]}")
        axes.set(title=name, xlabel="tokens", xscale="log")
        axes.legend()
    figure.savefig(picture, dpi=120)


if __name__ == "__main__":
    run_command(main)
