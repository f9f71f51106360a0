"""Print several evaluations side by side: one table a task, real data on top.

python -m prepare.compare_results SFT=experiments/sft/eval_t2m_.../results.json RLVR=... CoM=...
"""

import sys
from pathlib import Path

from utils.command import run_command
from utils.errors import InputError
from utils.metric_report import Rows, format_table, read_results

# What each task is read by, in this order; results.json holds more.
COLUMNS = {
    "t2m": ("R@1", "R@3", "FID", "MM-Dist", "Diversity", "Skating", "Jerk", "Well-formed"),
    "m2t": ("BLEU@1", "BLEU@4", "ROUGE-L", "CIDEr", "R@1", "R@3", "Well-formed"),
}


def read_named(arguments: list[str]) -> dict[str, Rows]:
    """``NAME=results.json`` arguments -> the rows of each file. Raises InputError for anything else."""
    files = {}
    for argument in arguments:
        name, equals, path = argument.partition("=")
        if not (name and equals and path):
            raise InputError(f"{argument!r}: expected NAME=results.json")
        files[name] = read_results(path)
    if not files:
        raise InputError("nothing to compare: give NAME=results.json ...")
    return files


def tables(files: dict[str, Rows]) -> dict[str, Rows]:
    """Task -> rows: one row of real motion where there is one, then every evaluation by name."""
    by_task: dict[str, dict] = {}
    for name, rows in files.items():
        task = "m2t" if "CIDEr" in rows["generated"] else "t2m"
        table = by_task.setdefault(task, {})
        if "real" in rows:
            table.setdefault("real", rows["real"])
        table[name] = rows["generated"]
    return by_task


def main() -> None:
    if any(argument in ("-h", "--help") for argument in sys.argv[1:]):
        print(__doc__)
        return
    for task, rows in sorted(tables(read_named(sys.argv[1:])).items(), reverse=True):
        title = {"t2m": "text to motion", "m2t": "motion to text"}[task]
        print(f"\n{title} (mean +- 95 % interval over repeats)\n{format_table(rows, COLUMNS[task])}")
    print("\nsignatures and more metrics: " + ", ".join(str(Path(a.partition("=")[2])) for a in sys.argv[1:]))


if __name__ == "__main__":
    run_command(main)
