"""What a run has made is compared with what an undisturbed one makes: numbers and texts, not dates and seconds."""

import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

# Written for people, or for going on: they hold times, machines, or the history of the run.
_ABOUT_THE_RUN = re.compile(
    r"(^|/)(run\.log|environment\.json|tensorboard/.*|trainer_state/.*|\.cache/.*|\.lock|.*\.download\.json)$"
)
# Names of numbers that say how long something took.
_TIMES = re.compile(r"seconds|_s$|per_second|runtime|time$|^at$|^stamp$|total_flos|created")
# The mean loss of a training stands in the last row of trl's trainer alone, which a run that is killed after its last
# state does not write; that it is right in a run that goes on is in tests/models/policy/test_resumable.py.
_LAST_ROW = "train_loss"
_LEFT_BEHIND = re.compile(r"\.tmp$|\.part$|\.old-\d+$|\.incomplete$|^\.?unfinished|\.torn$")
_TEMPORARY = re.compile(r"\.tmp$")


def files_of(root: Path, names: Iterable[str]) -> Iterator[Path]:
    """All files below the `names` of `root`."""
    for name in names:
        place = root / name
        if place.is_file():
            yield place
        elif place.is_dir():
            yield from (path for path in sorted(place.rglob("*")) if path.is_file())


def contents(root: Path, names: Iterable[str], any_order: bool = False) -> dict[str, str]:
    """Path -> a short name for what the file says, for everything that a run of the same command makes again.

    Args:
        any_order: the lines of a .jsonl count in any order.
    """
    found = {}
    for path in files_of(root, names):
        relative = path.relative_to(root).as_posix()
        if not _ABOUT_THE_RUN.search(relative) and not _LEFT_BEHIND.search(path.name):
            found[relative] = _content(path, any_order)
    return found


def left_behind(root: Path, names: Iterable[str], parts: bool = True) -> list[str]:
    """Unfinished files and folders: there must be none where a command has ended.

    Args:
        parts: those too that the same command goes on from.
    """
    unfinished = _LEFT_BEHIND if parts else _TEMPORARY
    # Beside the outputs their names may begin like an output's (`codes.jsonl.part`) or with a dot (`.llm.new.tmp`).
    places = [*root.iterdir(), *(path for name in names for path in (root / name).rglob("*"))]
    return sorted({path.relative_to(root).as_posix() for path in places if unfinished.search(path.name)})


def difference(one: dict[str, str], other: dict[str, str]) -> str | None:
    """The first difference of two `contents`, or None."""
    for path in sorted(one.keys() | other.keys()):
        if path not in other:
            return f"{path} is missing"
        if path not in one:
            return f"{path} is one too many"
        if one[path] != other[path]:
            return f"{path} is another"
    return None


def _content(path: Path, any_order: bool) -> str:
    if path.suffix == ".json":
        return _digest(json.dumps(_timeless(json.loads(path.read_bytes())), sort_keys=True).encode())
    if path.suffix == ".jsonl":
        lines = [line for line in path.read_bytes().split(b"\n") if line]
        rows = map(_timeless, map(json.loads, lines))
        rows = [json.dumps(row, sort_keys=True) for row in rows if row.keys() - {"step", "epoch", _LAST_ROW}]
        return _digest("\n".join(sorted(rows) if any_order else rows).encode())
    if path.suffix in (".pth", ".tar"):
        return _digest("\n".join(_of_torch(path)).encode())
    return _digest(path.read_bytes())


def _of_torch(path: Path) -> Iterator[str]:
    """A line for each value in a file of torch."""
    import torch

    content = torch.load(io.BytesIO(path.read_bytes()), weights_only=True)

    def lines(name: str, value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for key in sorted(value, key=str):
                if not _TIMES.search(str(key)):
                    yield from lines(f"{name}/{key}", value[key])
        elif isinstance(value, list | tuple):
            for key, entry in enumerate(value):
                yield from lines(f"{name}/{key}", entry)
        elif isinstance(value, torch.Tensor):
            array = value.detach().contiguous().reshape(-1).view(torch.uint8) if value.ndim else value.reshape(1)
            yield f"{name} {value.dtype} {tuple(value.shape)} {_digest(array.numpy().tobytes())}"
        else:
            yield f"{name} {value!r}"

    yield from lines("", content)


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _timeless(entry) for name, entry in value.items() if not _TIMES.search(name)}
    return [_timeless(entry) for entry in value] if isinstance(value, list) else value


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
