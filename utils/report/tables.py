"""Results of several evaluations as a table: for a page, a spreadsheet, a paper."""

import csv
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from utils.files.outputs import MARK, carries
from utils.metrics.criteria import METRICS, with_arrow
from utils.metrics.report import MetricValue, Rows

_LATEX_ARROWS = {"higher": r"$\uparrow$", "lower": r"$\downarrow$", "nearer real": r"$\rightarrow$"}
_IN_LATEX = {
    **{character: rf"\{character}" for character in "&%$#_{}"},
    **{character: f"${character}$" for character in "<>|"},
    "\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}",
}  # fmt: skip
REAL = "real"


def html_table(rows: Rows) -> str:
    """Systems downwards, metrics across, the best of each in bold; `n` is that of the first metric of a row."""
    columns = _columns(rows)
    best = {name: _best(rows, name) for name in columns}
    head = "".join(f"<th>{html.escape(with_arrow(name))}</th>" for name in columns)
    body = []
    for system, values in rows.items():
        cells = []
        for name in columns:
            text = html.escape(_text(values.get(name)))
            cells.append(f"<td>{f'<b>{text}</b>' if system in best[name] else text}</td>")
        count = next(iter(values.values())).n if values else 0
        body.append(f"<tr><td>{html.escape(system)}</td><td>{count}</td>{''.join(cells)}</tr>")
    return f'<div class="scroll"><table><tr><th></th><th>n</th>{head}</tr>{"".join(body)}</table></div>'


_CSV_HEAD = ("task", "system", "metric", "mean", "interval_95", "n", "repeats")


def is_csv_table(path: str | Path) -> bool:
    """Whether a file is a table of `csv_table`."""
    return carries(path, ",".join(_CSV_HEAD))


def csv_table(tables: Mapping[str, Rows]) -> str:
    """One line a task, system and metric: mean, half-width of the 95 % interval, n, repeats."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_CSV_HEAD)
    for task, rows in tables.items():
        for system, values in rows.items():
            for name, value in values.items():
                numbers = [_plain(value.mean), _plain(value.interval), value.n, value.repeats]
                writer.writerow([task, system, name, *numbers])
    return stream.getvalue()


def latex_table(rows: Rows, caption: str) -> str:
    """A booktabs table, systems downwards, the best of each metric in bold."""
    columns = _columns(rows)
    best = {name: _best(rows, name) for name in columns}
    head = " & ".join(["", *(f"{_latex(name)} {_latex_arrow(name)}" for name in columns)])
    lines = [f"% {MARK}", r"\begin{table}", r"\centering", rf"\caption{{{_latex(caption)}}}"]
    lines += [rf"\begin{{tabular}}{{l{'c' * len(columns)}}}", r"\toprule", rf"{head} \\", r"\midrule"]
    for system, values in rows.items():
        cells = []
        for name in columns:
            text = _text(values.get(name)).replace("±", r"$\pm$")
            cells.append(rf"\textbf{{{text}}}" if system in best[name] else text)
        lines.append(" & ".join([_latex(system), *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def _columns(rows: Rows) -> list[str]:
    fullest_first = sorted(rows.values(), key=len, reverse=True)  # its order is that of the table
    return list(dict.fromkeys(name for values in fullest_first for name in values))


def _best(rows: Rows, name: str) -> set[str]:
    """Systems with the best value; real motion does not compete."""
    values = {system: row[name].mean for system, row in rows.items() if name in row and row[name].mean is not None}
    real = values.pop(REAL, None)
    if len(values) < 2 or name not in METRICS:
        return set()
    better = METRICS[name].better
    if better == "nearer real" and real is None:
        return set()
    badness = {
        system: abs(value - real) if better == "nearer real" else value if better == "lower" else -value
        for system, value in values.items()
    }
    return {system for system, value in badness.items() if value == min(badness.values())}


def _latex_arrow(name: str) -> str:
    return _LATEX_ARROWS[METRICS[name].better] if name in METRICS else ""


def _text(value: MetricValue | None) -> str:
    return "-" if value is None else value.text().replace("+-", "±")


def _plain(value: float | None) -> str:
    return "" if value is None else repr(value)


def _latex(text: str) -> str:
    return "".join(_IN_LATEX.get(character, character) for character in text)


def merged(named: Sequence[tuple[str, Rows]], generated: str, columns: Sequence[str]) -> Rows:
    """The generated row of each evaluation under its name, real motion on top, only `columns`."""
    real = next((rows[REAL] for _, rows in named if REAL in rows), None)
    table = {} if real is None else {REAL: real}
    table |= {name: rows[generated] for name, rows in named}
    return chosen(table, columns)


def chosen(rows: Rows, columns: Sequence[str]) -> Rows:
    """Only `columns`, in that order."""
    return {system: {name: values[name] for name in columns if name in values} for system, values in rows.items()}
