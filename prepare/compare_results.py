"""Print several evaluations side by side: one table a task, real data on top, then differences clip by clip.

python -m prepare.compare_results --results SFT=run_a/results.json RLVR=run_b/results.json --runs run_a run_b
"""

from dataclasses import dataclass, field

from options.flags.parsing import parse_flags
from utils.errors import InputError
from utils.metrics.comparison import comparison
from utils.run.command import run_command
from utils.run.folder import RunFolder


@dataclass
class CompareFlags:
    _argument_group_name = "comparison"

    results: list[str] = field(metadata={"help": "NAME=results.json of eval_mllm.py, in the order of the rows"})
    runs: list[str] = field(
        default_factory=list, metadata={"help": "folders of finished runs whose summaries are printed above the tables"}
    )


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
    for folder in flags.runs:
        print(summary_line(folder))
    print(f"\n{comparison(flags.results)}")


if __name__ == "__main__":
    run_command(main)
