"""Several evaluations side by side: one table a task with real data on top, and differences clip by clip."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.errors import InputError
from utils.files.json_files import numbered_rows
from utils.metrics.criteria import COMPARED, COUNTED, METRICS, ON_REQUEST, with_arrow
from utils.metrics.paired import score_differences
from utils.metrics.report import REAL, VERSION, Rows, format_table, read_about, read_remarks, read_results

TITLES = {"t2m": "text to motion", "m2t": "motion to text"}
INTERVALS = "mean +- 95 % interval over draws of replies; of one draw over clips, and none for FID and Diversity"
BETTER = "↑ higher is better, ↓ lower, → nearer to real motion"
GENERATED = "generated"
# What the signature says that must be the same for numbers to compare: which numbers that touches.
_MUST_AGREE = {
    "evaluator": ("evaluator", "R-precision, MM-Dist, FID, Diversity and MultiModality"),
    "protocol": ("caption protocol", "BLEU, ROUGE-L and CIDEr"),
    "data": ("data set", "all numbers"),
    "split": ("split", "all numbers"),
    "bertscore": ("BERTScore model", "BERTScore"),
    "tagger": ("tagger", "what an evaluator says of captions"),
    VERSION: ("version of the protocol", "numbers and their intervals"),
}
# None says nothing here: it was not measured, or an earlier version did not write it down.
_WHERE_KNOWN = ("bertscore", "tagger", VERSION)
_SCORES = (int, float, type(None))  # what a score may be


@dataclass(frozen=True)
class NamedResults:
    """One evaluation: what it is called in the tables, its file, its rows."""

    name: str
    path: Path
    rows: Rows

    @property
    def task(self) -> str:
        return "m2t" if "CIDEr" in self.rows[GENERATED] else "t2m"


def read_named(arguments: Sequence[str]) -> list[NamedResults]:
    """``NAME=results.json`` or a path, which is called after its folder. Raises InputError for anything else."""
    found = []
    for argument in arguments:
        name, equals, path = argument.rpartition("=")
        if equals and not name:
            raise InputError(f"{argument!r}: expected NAME=results.json")
        file = Path(path) / "results.json" if Path(path).is_dir() else Path(path)
        rows = read_results(file)
        if GENERATED not in rows:
            why = "its clips have no captions" if read_remarks(file) else "it is no result of eval_mllm.py"
            raise InputError(f"{file} has no row {GENERATED!r} to compare ({why}): leave it out")
        found.append(NamedResults(name or file.resolve().parent.name, file, rows))
    for task in COMPARED:
        names = [results.name for results in found if results.task == task]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InputError(f"two results of one task are called {twice!r}: give NAME=results.json")
    return found


def comparison(arguments: Sequence[str]) -> str:
    """Tables of all results by task, and how each differs from the first of its task on the same clips."""
    named = read_named(arguments)
    parts = []
    for task, columns in COMPARED.items():
        results = [item for item in named if item.task == task]
        if not results:
            continue
        rows = {item.name: item.rows[GENERATED] for item in results}
        real = next((item.rows[REAL] for item in results if REAL in item.rows), None)
        table = rows if real is None else {REAL: real, **rows}
        remarks = [f"{item.name}: {remark}" for item in results for remark in read_remarks(item.path)]
        remarks += [*_counted(table), *_made_differently(results)]
        columns = [name for name in columns if name not in ON_REQUEST or any(name in row for row in table.values())]
        shown = format_table(table, columns, heads={name: with_arrow(name) for name in columns})
        parts.append("\n".join([f"{TITLES[task]} ({INTERVALS}; {BETTER})", shown, *remarks]))
        parts += [_differences(results[0], other) for other in results[1:]]
    return "\n\n".join(parts)


def _counted(table: Rows) -> list[str]:
    """Of how many replies the metrics of `COUNTED` are, each with all systems that have it."""
    shown = {
        name: [f"{system} {row[name].text()} (n {row[name].n})" for system, row in table.items() if name in row]
        for name in COUNTED
    }
    return [f"{METRICS[name].title or name}: {', '.join(systems)}" for name, systems in shown.items() if systems]


def _made_differently(results: Sequence[NamedResults]) -> list[str]:
    """A warning for each reason why numbers of one column do not compare."""
    found = []
    for about, (what, touched) in _MUST_AGREE.items():
        made_by = {item.name: read_about(item.path)[about] for item in results}
        if about in _WHERE_KNOWN:
            made_by = {name: value for name, value in made_by.items() if value is not None}
        if len(set(made_by.values())) > 1:
            shown = ", ".join(f"{name}: {value or 'none'}" for name, value in made_by.items())
            found.append(f"warning: not of the same {what} ({shown}): {touched} do not compare")
    return found


def _differences(first: NamedResults, other: NamedResults) -> str:
    title = f"{other.name} minus {first.name}, clip by clip"
    rows = [_sample_scores(item) for item in (first, other)]
    if None in rows:
        lacking = first if rows[0] is None else other
        return f"{title}: not possible, no scored predictions.jsonl beside {lacking.path}"
    differences = score_differences(rows[1], rows[0])
    width = max(map(len, differences), default=0)
    lines = [title, *_other_clips(*({row["id"] for row in scored} for scored in rows))]
    for name, difference in differences.items():
        # A star where the interval does not hold 0.
        star = f" * {_in_words(name, difference.mean)}".rstrip() if difference.clear else ""
        lines.append(f"  {name:{width}}  {difference.text(4)}{star}")
    return "\n".join(lines)


def _in_words(name: str, difference: float) -> str:
    """``better`` or ``worse``; empty where no way is better, or nothing is known of the score."""
    better = METRICS[name].better if name in METRICS else "nearer real"
    if better == "nearer real" or difference == 0:
        return ""
    return "better" if (difference > 0) == (better == "higher") else "worse"


def _other_clips(first: set[str], other: set[str]) -> list[str]:
    """A warning where two evaluations are not of the same clips."""
    if first == other:
        return []
    return [
        f"  warning: of {len(other)} and {len(first)} clips, {len(first & other)} of them the same: the rows of the "
        "table are of different clips, only these differences compare"
    ]


def _sample_scores(results: NamedResults) -> list[dict[str, Any]] | None:
    """Lines of the predictions.jsonl beside a results.json; None where there is none with scores."""
    path = results.path.parent / "predictions.jsonl"
    if not path.is_file():
        return None
    rows = []
    try:
        for number, row in numbered_rows(path):
            if not rows and "scores" not in row:
                return None
            if not _is_scored(row):
                raise InputError(f"{path}:{number}: no prediction with id and scores as eval_mllm.py writes them")
            rows.append(row)
    except InputError as error:
        raise InputError(f"{error}; evaluate again, under another --exp-name") from None
    return rows or None


def _is_scored(row: dict[str, Any]) -> bool:
    """Whether a line says which draw of which clip it is, and what its scores are."""
    draw, scores = row.get("draw", 0), row.get("scores")
    named = isinstance(row.get("id"), str) and type(draw) is int
    return named and isinstance(scores, dict) and all(type(value) in _SCORES for value in scores.values())
