"""Make one page of finished runs: tables with intervals, learning curves, and motions to look at in 3D.

    python -m prepare.report experiments/eval_sft RLVR=experiments/eval_rlvr experiments/morl_rlvr --out results.html

A run is the folder of an evaluation or of a training, or a folder of such folders; NAME=FOLDER gives it a name. The
page is one file that needs no network. --csv and --latex write the tables, --figure the curves, for a paper.
"""

from dataclasses import dataclass
from pathlib import Path

from options.flags.parsing import flag, need, parse_flags, words
from utils.run.command import run_command


@dataclass
class ReportFlags:
    """What goes into the page, and what else is written."""

    _argument_group_name = "report"

    run: list[str] = words("folders of runs, or NAME=FOLDER")
    out: str = flag("results.html", "page to write")
    samples: int = flag(12, "clips of each task to look at")
    title: str = flag("Results", "title of the page")
    csv: str | None = flag(None, "also write the tables as .csv")
    latex: str | None = flag(None, "also write the tables as .tex")

    def __post_init__(self) -> None:
        need(bool(self.run), "nothing to show: give folders of runs")
        need(0 <= self.samples <= 1000, "--samples must be between 0 and 1000")


def main() -> None:
    (flags,) = parse_flags(ReportFlags, description=__doc__)
    # Late imports: `--help` must not wait for torch.
    from models.reporting.report import task_tables, write_report
    from models.reporting.runs import find_runs
    from utils.files.atomic import write_text
    from utils.metrics.comparison import TITLES
    from utils.report.tables import csv_table, latex_table

    runs = find_runs(flags.run)
    written = [write_report(flags.out, runs, flags.samples, flags.title)]
    tables = task_tables(runs)
    if flags.csv is not None:
        write_text(flags.csv, "".join(csv_table(rows) for rows in tables.values()))
        written.append(Path(flags.csv))
    if flags.latex is not None:
        write_text(flags.latex, "\n".join(latex_table(rows, TITLES[task]) for task, rows in tables.items()))
        written.append(Path(flags.latex))
    print("wrote " + ", ".join(map(str, written)))


if __name__ == "__main__":
    run_command(main)
