"""What decoding buys beside what training buys: checkpoints by sampling temperature and by the best of k replies.

    python -m prepare.sweep_sampling --out-dir experiments/sampling --ckpts SFT=A.pth RLVR=B.pth \\
        --temperatures 0 0.3 0.5 0.7 1 --candidates 1 8 -- \\
        --eval-task t2m --data-root DATA --eval-evaluator JUDGE --reward-evaluator RANKER --eval-split val

What follows `--` goes to eval_mllm.py. Each checkpoint answers at each temperature (0 is greedy), and with k > 1
candidates Chain-of-Motion takes the best of k without refining; greedy replies are all alike and have no best. A gain
of training is real where it shows at every setting, and between the best settings of each checkpoint: those are chosen
by --best-by on the split that is swept, so sweep `val` to choose, and report `test` at what was chosen.

OUT_DIR gets a folder of eval_mllm.py for every setting, sweep.json and sweep.png. The same command again continues.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from options.flags.com import ComFlags
from options.flags.parsing import flag, need, parse_flags, required_flag
from options.flags.ranges import COUNT, NOT_NEGATIVE
from prepare.sweeps.evaluations import differences, evaluate, metrics_of, split_line
from utils.errors import InputError
from utils.files.json_files import write_json
from utils.files.lock import locked
from utils.metrics.criteria import DRAWN, METRICS, SWEPT, lower_is_better
from utils.metrics.report import REAL, format_table
from utils.run.command import run_command

OURS = (
    "--eval-ckpt", "--temperature", "--samples", "--quick", "--use-com", "--com-candidates", "--com-refine-steps",
    "--com-temperature", "--exp-name", "--out-dir", "--from-predictions", "--rescore",
)  # fmt: skip
# What decides between settings where nobody says: how well a reply fits, as the judge or the references see it.
BEST_BY = {"t2m": "R@1", "m2t": "CIDEr"}
_CAN_DECIDE = [name for name, metric in METRICS.items() if metric.better != "nearer real" and name != "loss"]


@dataclass
class SweepFlags:
    """Which checkpoints and settings are compared."""

    _argument_group_name = "sweep"

    out_dir: str = required_flag("folder for everything")
    ckpts: list[str] = field(metadata={"help": "NAME=FILE of each checkpoint; gains are over the first"})
    temperatures: list[float] = field(
        default_factory=lambda: [0.0, 0.3, 0.5, 0.7, 1.0],
        metadata={"help": "sampling temperatures, 0 = greedy (default: 0 0.3 0.5 0.7 1)", "within": NOT_NEGATIVE},
    )
    candidates: list[int] = field(
        default_factory=lambda: [1],
        metadata={"help": "replies of which the best is taken, 1 = plain sampling (default: 1)", "within": COUNT},
    )
    samples: int = flag(8, "draws of a plain setting; the best of k is one draw", within=COUNT)
    best_by: str | None = flag(None, "metric that chooses the best setting of a checkpoint; default R@1, m2t: CIDEr")

    def __post_init__(self) -> None:
        names = [one.partition("=")[0] for one in self.ckpts]
        need(all("=" in one for one in self.ckpts), f"--ckpts: expected NAME=FILE, got {' '.join(self.ckpts)}")
        need(len(set(names)) == len(names) and all(names), "--ckpts: every checkpoint needs a name of its own")
        need(self.best_by in (None, *_CAN_DECIDE), f"--best-by: expected one of {', '.join(_CAN_DECIDE)}")


@dataclass(frozen=True)
class Setting:
    """How replies are decoded."""

    temperature: float
    candidates: int

    @property
    def name(self) -> str:
        decoding = "greedy" if self.temperature == 0 else f"T{self.temperature:g}"
        return decoding if self.candidates == 1 else f"{decoding}, best of {self.candidates}"

    def flags(self, samples: int, task: str) -> list[str]:
        """As eval_mllm.py takes them."""
        given = ["--temperature", f"{self.temperature:g}"]
        if self.candidates > 1:
            return [*given, "--use-com", "--com-candidates", str(self.candidates), "--com-refine-steps", "1"]
        alike = task == "m2t" and self.temperature == 0  # every draw asks the same of the same motion
        return given if alike else [*given, "--samples", str(samples)]


@dataclass(frozen=True)
class Point:
    """One checkpoint at one setting, in its folder of eval_mllm.py."""

    checkpoint: str
    setting: Setting
    folder: Path

    @property
    def name(self) -> str:
        return f"{self.checkpoint}, {self.setting.name}"

    def value(self, metric: str) -> float | None:
        found = metrics_of(self.folder).get(metric)
        return None if found is None else found.mean


def main() -> None:
    given, evaluation = split_line(sys.argv[1:], OURS)
    (flags,) = parse_flags(SweepFlags, description=__doc__, argv=given)
    with locked(Path(flags.out_dir)):
        sweep(flags, Path(flags.out_dir), evaluation)


def sweep(flags: SweepFlags, out: Path, evaluation: Sequence[str]) -> None:
    """All evaluations, then the table, the gains, sweep.json and the plot."""
    task = task_of(evaluation)
    best_by = flags.best_by or BEST_BY[task]
    if task not in METRICS[best_by].tasks:
        raise InputError(f"--best-by {best_by} does not judge {task}")
    points = []
    for checkpoint, file in (one.split("=", 1) for one in flags.ckpts):
        for setting in settings_of(flags):
            folder = out / f"{checkpoint}_T{setting.temperature:g}_k{setting.candidates}"
            given = evaluation if setting.candidates > 1 else without_search(evaluation)
            evaluate(folder, [*given, "--eval-ckpt", file, *setting.flags(flags.samples, task)])
            points.append(Point(checkpoint, setting, folder))
    print(report(points, task, best_by))
    values = {point.name: {name: one.mean for name, one in metrics_of(point.folder).items()} for point in points}
    write_json(out / "sweep.json", values)
    plot(points, task, out / "sweep.png")
    print(f"finished {out / 'sweep.json'}, {out / 'sweep.png'}")


def settings_of(flags: SweepFlags) -> Iterator[Setting]:
    """All temperatures by all numbers of candidates, but for the best of greedy replies."""
    for candidates in sorted(set(flags.candidates)):
        for temperature in sorted(set(flags.temperatures)):
            if candidates == 1 or temperature > 0:
                yield Setting(temperature, candidates)


def without_search(evaluation: Sequence[str]) -> list[str]:
    """The words without those that only a search reads, which eval_mllm.py refuses elsewhere."""
    names = {f"--{one.name.replace('_', '-')}" for one in fields(ComFlags)}
    kept, dropping = [], False
    for word in evaluation:
        if word.startswith("--"):
            dropping = word.partition("=")[0].replace("_", "-") in names
        if not dropping:
            kept.append(word)
    return kept


def task_of(evaluation: Sequence[str]) -> str:
    """What is evaluated: as --eval-task says, or its default."""
    spelled = [word.replace("_", "-") for word in evaluation]
    for at, word in enumerate(spelled):
        if word.startswith("--eval-task="):
            return word.partition("=")[2]
        if word == "--eval-task" and at + 1 < len(evaluation):
            return evaluation[at + 1]
    return "t2m"


def best_of(points: Sequence[Point], metric: str) -> Point | None:
    """The setting at which a metric is best; None where no setting has it."""
    known = [point for point in points if point.value(metric) is not None]
    sign = -1 if lower_is_better(metric) else 1
    return max(known, key=lambda point: sign * point.value(metric), default=None)


def report(points: Sequence[Point], task: str, best_by: str) -> str:
    """The table, then what each checkpoint gains on the first: at each setting, and between the best of each."""
    first = points[0].checkpoint
    real = metrics_of(points[0].folder, REAL)
    rows = {REAL: real} if real else {}
    rows |= {point.name: metrics_of(point.folder) for point in points}
    lines = [format_table(rows, SWEPT[task])]
    own = {name: [point for point in points if point.checkpoint == name] for name in dict.fromkeys(_names(points))}
    best = {name: best_of(mine, best_by) for name, mine in own.items()}
    for name in list(own)[1:]:
        lines += ["", f"{name} minus {first}, clip by clip"]
        for point, base in zip(own[name], own[first], strict=True):
            lines.append(f"  {point.setting.name}: " + ", ".join(differences(point.folder, base.folder, task)))
        if None not in (best[name], best[first]):
            both = f"{best[name].setting.name} against {best[first].setting.name}"
            gain = ", ".join(differences(best[name].folder, best[first].folder, task))
            lines.append(f"  each at its best {best_by} ({both}): {gain}")
    chosen = [f"{name} {point.setting.name}" for name, point in best.items() if point is not None]
    return "\n".join([*lines, "", f"best {best_by}: {'; '.join(chosen) or 'not measured'}"])


def _names(points: Sequence[Point]) -> list[str]:
    return [point.checkpoint for point in points]


def plot(points: Sequence[Point], task: str, picture: Path) -> None:
    """Metrics over temperature, one line a checkpoint and number of candidates."""
    from matplotlib.figure import Figure  # takes seconds to import

    figure = Figure(figsize=(4.2 * len(DRAWN[task]), 3.6), layout="constrained")
    figure.suptitle(f"{task}: quality over sampling temperature (k: the best of k replies)")
    for axes, metric in zip(figure.subplots(1, len(DRAWN[task]), squeeze=False)[0], DRAWN[task], strict=True):
        for line in dict.fromkeys((point.checkpoint, point.setting.candidates) for point in points):
            own = [point for point in points if (point.checkpoint, point.setting.candidates) == line]
            values = [value if (value := point.value(metric)) is not None else float("nan") for point in own]
            label = line[0] if line[1] == 1 else f"{line[0]}, k {line[1]}"
            axes.plot([point.setting.temperature for point in own], values, marker="o", label=label)
        axes.set(title=metric, xlabel="temperature")
        axes.legend()
    figure.savefig(picture, dpi=120)


if __name__ == "__main__":
    run_command(main)
