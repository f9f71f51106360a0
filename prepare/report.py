"""Make one page of finished runs: tables with intervals, learning curves, and motions to look at in 3D.

    python -m prepare.report experiments/eval_sft RLVR=experiments/eval_rlvr experiments/morl_rlvr --out results.html

A run is the folder of an evaluation or of a training, or a folder of such folders; NAME=FOLDER gives it a name. The
page is one file that needs no network. For a paper, --csv and --latex write the tables, and --figure (.pdf, .png, .svg)
draws them as bars with intervals, with the curves of the trainings below.
"""

from dataclasses import dataclass
from pathlib import Path

from options.flags.parsing import flag, need, parse_flags, words
from utils.report.figure import FIGURE_ENDINGS
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
    figure: str | None = flag(None, "also draw bars and learning curves: .pdf, .png or .svg")

    def __post_init__(self) -> None:
        need(bool(self.run), "nothing to show: give folders of runs")
        need(0 <= self.samples <= 1000, "--samples must be between 0 and 1000")
        drawn = self.figure is None or Path(self.figure).suffix.lower() in FIGURE_ENDINGS
        need(drawn, f"--figure must end in {', '.join(FIGURE_ENDINGS)}")


def main() -> None:
    (flags,) = parse_flags(ReportFlags, description=__doc__)
    # Late imports: `--help` must not wait for torch.
    from models.reporting.learning import learning_panels
    from models.reporting.report import REPORT_FILE, task_tables, write_report
    from models.reporting.runs import find_runs
    from utils.files.atomic import write_text
    from utils.files.outputs import MARK, carries, check_output_file, check_replaceable
    from utils.metrics.comparison import TITLES
    from utils.metrics.criteria import PRINTED
    from utils.report.figure import write_figure
    from utils.report.player import is_page
    from utils.report.tables import chosen, csv_table, is_csv_table, latex_table

    runs = find_runs(flags.run)
    read = [file for run in runs for file in run.path.iterdir() if file.is_file() and file.name != REPORT_FILE]
    ours = {"out": is_page, "csv": is_csv_table, **dict.fromkeys(("latex", "figure"), lambda path: carries(path, MARK))}
    for name in ours:
        path = vars(flags)[name]
        if path is not None:
            check_output_file(path, read, f"--{name}")
            check_replaceable(path, ours[name], f"--{name}")
    written = [write_report(flags.out, runs, flags.samples, flags.title)]
    tables = task_tables(runs)
    if flags.csv is not None:
        write_text(flags.csv, csv_table(tables))
        written.append(Path(flags.csv))
    if flags.latex is not None:
        write_text(flags.latex, "\n".join(latex_table(rows, TITLES[task]) for task, rows in tables.items()))
        written.append(Path(flags.latex))
    if flags.figure is not None:
        curves = {run.name: learning_panels(run.metrics) for run in runs if not run.is_evaluation}
        write_figure(flags.figure, {TITLES[task]: chosen(rows, PRINTED[task]) for task, rows in tables.items()}, curves)
        written.append(Path(flags.figure))
    print("wrote " + ", ".join(map(str, written)))


if __name__ == "__main__":
    run_command(main)
