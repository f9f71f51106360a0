"""What a run reads is known by its content: a run is neither continued nor called finished with something else.

args.json keeps, under `INPUTS`, what each flag that names a file or a folder has led to:

    "eval_ckpt": {"path": "a/motionllm_t2m_best.pth", "content": "1f0e5b2a9c44", "stamp": "77ab2f4e01d3"}

Contents are compared, never paths: what has only moved is the same input. The stamp names sizes and times of the
files, so that gigabytes are read again only where one of them may have changed.
"""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.files.fingerprints import fingerprint, sha256_file

INPUTS = "inputs"
# What our commands write into a folder about the run that made it. Finishing a run again changes these files and no
# model, so that they are no part of what is read from such a folder.
_ABOUT_A_RUN = {"args.json", "environment.json", "finished.json", "results.json", "metrics.jsonl", "run.log"}
_STATES_OF_A_RUN = {"tensorboard", "trainer_state", "latest_state.pth", "training_state.pt"}
_NOT_READ = _ABOUT_A_RUN | _STATES_OF_A_RUN
_READERS = 8
# A file that changed so shortly before it was read may change again without another time.
_SETTLED_NS = 2_000_000_000


@dataclass(frozen=True)
class Input:
    """The files that one flag names.

    Attributes:
        path: as it is shown, and where the files are looked for again.
        files: what is read, by a name that does not depend on where it lies. A file that is missing counts as such.
    """

    path: str
    files: tuple[tuple[str, Path], ...]

    @classmethod
    def at(cls, path: str | Path) -> "Input | None":
        """A file, or a folder with all that is in it but hidden files and the records of a run; None: nothing there."""
        path = Path(path)
        if not path.is_dir():
            return cls(str(path), (("", path),)) if path.is_file() else None
        files = []
        for file in sorted(path.rglob("*")):
            name = file.relative_to(path)
            hidden = any(part.startswith(".") for part in name.parts)
            if not hidden and name.parts[0] not in _NOT_READ and file.is_file():
                files.append((name.as_posix(), file))
        return cls(str(path), tuple(files))

    @classmethod
    def below(cls, folder: str | Path, names: Iterable[str]) -> "Input | None":
        """The files of these names below a folder; None: there is no such folder."""
        folder = Path(folder)
        return cls(str(folder), tuple((name, folder / name) for name in names)) if folder.is_dir() else None

    @classmethod
    def together(cls, paths: Iterable[str | Path]) -> "Input | None":
        """Several files that one flag names, in their order; None: there is none."""
        found = [Path(path) for path in paths if Path(path).is_file()]
        named = tuple((f"{number} {path.name}", path) for number, path in enumerate(found))
        return cls(", ".join(map(str, found)), named) if found else None

    def content(self) -> str:
        """Names what the files hold; of a single file the first digits of its SHA-256."""
        with ThreadPoolExecutor(_READERS) as readers:
            digests = list(readers.map(_digest, (file for _, file in self.files)))
        if [name for name, _ in self.files] == [""]:
            return digests[0][:12]
        return fingerprint(*(f"{name}\0{digest}\n" for (name, _), digest in zip(self.files, digests, strict=True)))

    def stamp(self) -> str | None:
        """Names sizes, times and places of the files on the disk; None where one has changed only just now."""
        parts, newest = [], 0
        for name, file in self.files:
            try:
                status = file.stat()
            except (OSError, ValueError):
                parts.append(f"{name}\0-\n")
                continue
            times = status.st_mtime_ns, status.st_ctime_ns
            newest = max(newest, *times)
            parts.append(f"{name}\0{status.st_size} {times} {status.st_ino} {status.st_dev}\n")
        return None if newest > time.time_ns() - _SETTLED_NS else fingerprint(*parts)


# What a run reads, by the flag that names it; None where a flag names nothing.
Inputs = Mapping[str, Input | None]
# The same as args.json keeps it.
Record = dict[str, dict[str, Any]]


def record_of(inputs: Inputs, before: Record) -> Record:
    """What the inputs hold now. What an earlier record has the stamp of is not read again."""
    return {name: _entry(place, before.get(name, {})) for name, place in inputs.items() if place is not None}


def found_again(before: Record, inputs: Inputs) -> Inputs:
    """The inputs of an earlier record that no flag names: a run came across them, such as the backbone of a checkpoint.

    They are looked for where they were.
    """
    return {name: Input.at(entry["path"]) for name, entry in before.items() if name not in inputs and "path" in entry}


def read_record(arguments: Mapping[str, Any] | None) -> Record:
    """The record in the content of an args.json; empty where the run was begun before there was one."""
    record = (arguments or {}).get(INPUTS)
    entries = record.items() if isinstance(record, dict) else ()
    return {name: entry for name, entry in entries if isinstance(entry, dict) and isinstance(entry.get("content"), str)}


def differences(before: Record, now: Record) -> list[str]:
    """What has another content than it had: the flag, what it was, what it is."""
    return [
        f"{flag_of(name)} {_held(before[name], entry)}"
        for name, entry in now.items()
        if name in before and before[name]["content"] != entry["content"]
    ]


def flag_of(name: str) -> str:
    """``eval_ckpt`` -> ``--eval-ckpt``; what no flag names is called as it is."""
    return name if " " in name else f"--{name.replace('_', '-')}"


def _held(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    was, place = before.get("path", now["path"]), now["path"]
    return f"{was} was {before['content']}, {'now' if was == place else f'{place} is'} {now['content']}"


def _entry(place: Input, before: Mapping[str, Any]) -> dict[str, Any]:
    stamp = place.stamp()
    known = stamp is not None and stamp == before.get("stamp")
    content = before["content"] if known else place.content()
    return {"path": place.path, "content": content, "stamp": stamp}


def _digest(file: Path) -> str:
    return sha256_file(file) if file.is_file() else "-"
