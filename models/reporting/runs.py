"""What finished and unfinished folders of runs hold, for whoever shows several of them together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from utils.errors import InputError
from utils.files.journal import Journal
from utils.files.json_files import read_json, read_jsonl
from utils.metrics.comparison import GENERATED
from utils.metrics.report import Rows, read_remarks, read_results

RESULTS, METRICS, PREDICTIONS, TRACE = "results.json", "metrics.jsonl", "predictions.jsonl", "trace.jsonl"


@dataclass(frozen=True)
class ShownRun:
    """One folder under the name that it is shown by."""

    name: str
    path: Path

    @cached_property
    def is_evaluation(self) -> bool:
        """Whether eval_mllm.py made it; evaluators and tokenizers have results of their own kind."""
        file = self.path / RESULTS
        return file.is_file() and GENERATED in (read_json(file).get("rows") or {})

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """What the run was asked; empty where nobody knows."""
        file = self.path / "args.json"
        return read_json(file) if file.is_file() else {}

    @cached_property
    def rows(self) -> Rows:
        """The rows of results.json."""
        return read_results(self.path / RESULTS)

    @cached_property
    def remarks(self) -> list[str]:
        """What a reader of the numbers must know."""
        return read_remarks(self.path / RESULTS)

    @cached_property
    def scorers(self) -> dict[str, float]:
        """What Chain-of-Motion ranked by, with weights; empty where it did not, or nobody knows."""
        cost = read_json(self.path / RESULTS).get("chain_of_motion")
        weights = cost.get("scorers") if isinstance(cost, dict) else None
        known = weights.items() if isinstance(weights, dict) else ()
        return {name: float(weight) for name, weight in known if type(weight) in (int, float)}

    @property
    def task(self) -> str:
        return "m2t" if "CIDEr" in self.rows[GENERATED] else "t2m"

    @cached_property
    def metrics(self) -> list[dict[str, Any]]:
        """The rows of a training's metrics.jsonl."""
        return Journal(self.path / METRICS).rows()

    @cached_property
    def predictions(self) -> list[dict[str, Any]]:
        """The first reply to each prompt of an evaluation; none where they were not kept."""
        file = self.path / PREDICTIONS
        rows = read_jsonl(file) if file.is_file() else []
        return [row for row in rows if row.get("draw", 0) == 0]

    @property
    def is_copy(self) -> bool:
        """Whether all replies are copies of training clips (--baseline)."""
        return bool(self.predictions) and all("copied_from" in row for row in self.predictions)

    @cached_property
    def traces(self) -> dict[str, list[dict[str, Any]]]:
        """Candidates of Chain-of-Motion for the first reply to each clip, by its id."""
        file, found = self.path / TRACE, {}
        for row in read_jsonl(file) if file.is_file() else ():
            if row.get("draw", 0) == 0:
                found.setdefault(row["id"], []).append(row)
        return found


def find_runs(arguments: Iterable[str]) -> list[ShownRun]:
    """``NAME=FOLDER`` or a folder, which is called by its own name; a folder of runs stands for all of them, the
    oldest results first.

    Raises:
        InputError: no such folder, or one without a run.
    """
    found: list[ShownRun] = []
    for argument in arguments:
        name, equals, given = argument.rpartition("=")
        path = Path(given)
        path = path.parent if path.name == RESULTS else path
        if not path.is_dir():
            raise InputError(f"{given}: no such folder of a run")
        own = [path] if _is_run(path) else sorted(filter(_is_run, path.iterdir()), key=_made)
        if not own:
            raise InputError(f"{path}: holds neither {RESULTS} nor {METRICS}, and no folder in it does")
        found += [ShownRun(name if equals and len(own) == 1 else folder.name, folder) for folder in own]
    return _with_own_names(found)


def _made(folder: Path) -> tuple[float, str]:
    """When its results came: SFT before what was trained further."""
    return max(file.stat().st_mtime for file in _result_files(folder)), folder.name


def _result_files(folder: Path) -> list[Path]:
    return [folder / name for name in (RESULTS, METRICS) if (folder / name).is_file()]


def _is_run(folder: Path) -> bool:
    return folder.is_dir() and bool(_result_files(folder))


def _with_own_names(runs: Sequence[ShownRun]) -> list[ShownRun]:
    """A name that two runs have gets the folder above in front."""
    names = [run.name for run in runs]
    return [
        run if names.count(run.name) == 1 else ShownRun(f"{run.path.resolve().parent.name}/{run.name}", run.path)
        for run in runs
    ]
