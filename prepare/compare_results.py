"""Print several evaluations side by side: one table a task, real data on top.

python -m prepare.compare_results --results SFT=run_a/results.json RLVR=run_b/results.json --runs run_a run_b
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from options.parsing import parse_flags
from utils.command import run_command
from utils.errors import InputError
from utils.metric_report import Rows, format_table, read_results
from utils.run_folder import RunFolder

# What each task is read by, in this order; results.json holds more.
COLUMNS = {
    "t2m": ("R@1", "R@3", "FID", "MM-Dist", "Diversity", "Skating", "Jerk", "Well-formed"),
    "m2t": ("BLEU@1", "BLEU@4", "ROUGE-L", "CIDEr", "R@1", "R@3", "Well-formed"),
}
TITLES = {"t2m": "text to motion", "m2t": "motion to text"}
INTERVALS = "mean +- 95 % interval over draws; over shufflings where there is one draw"


@dataclass
class CompareFlags:
    _argument_group_name = "comparison"

    results: list[str] = field(metadata={"help": "NAME=results.json of eval_mllm.py, in the order of the rows"})
    runs: list[str] = field(
        default_factory=list, metadata={"help": "folders of finished runs whose summaries are printed above the tables"}
    )


def read_named(arguments: Sequence[str]) -> list[tuple[str, Rows]]:
    """``NAME=results.json`` -> (name, rows) each. Raises InputError for anything else."""
    named = []
    for argument in arguments:
        name, equals, path = argument.partition("=")
        if not (name and equals and path):
            raise InputError(f"--results {argument!r}: expected NAME=results.json")
        rows = read_results(path)
        if "generated" not in rows:
            raise InputError(f"{path} is no result of eval_mllm.py: it has no row 'generated'")
        named.append((name, rows))
    return named


def tables(named: Sequence[tuple[str, Rows]]) -> dict[str, Rows]:
    """Task -> rows: real motion where it was measured, then every evaluation by name."""
    by_task: dict[str, dict] = {}
    for name, rows in named:
        table = by_task.setdefault("m2t" if "CIDEr" in rows["generated"] else "t2m", {})
        if "real" in rows:
            table.setdefault("real", rows["real"])
        if name in table:
            raise InputError(f"--results: two files of one task are called {name!r}")
        table[name] = rows["generated"]
    return by_task


def summary_line(folder: str) -> str:
    summary = RunFolder(folder).finished
    if summary is None:
        raise InputError(f"--runs {folder}: no finished run there")
    shown = [
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in summary.items()
    ]
    return f"{folder}: " + ", ".join(shown)


def main() -> None:
    (flags,) = parse_flags(CompareFlags, description=__doc__)
    by_task = tables(read_named(flags.results))
    for folder in flags.runs:
        print(summary_line(folder))
    for task, columns in COLUMNS.items():
        if task in by_task:
            print(f"\n{TITLES[task]} ({INTERVALS})\n{format_table(by_task[task], columns)}")


if __name__ == "__main__":
    run_command(main)
