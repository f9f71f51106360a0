"""States that a training goes on from: trl's trainers write them whole or not at all, and a torn one is set aside.

A state is the folder ``checkpoint-STEP`` of transformers' trainer: weights, optimiser, schedule, random state, counts.
It is written in a folder of its own, and gets its name when all of it is on the disk. `DONE_FILE` is its list of files;
states of earlier versions have none and are tried by reading.
"""

import logging
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME, TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from utils.errors import InputError
from utils.files.fingerprints import fingerprint_file
from utils.files.json_files import read_json, write_json

DONE_FILE = "complete.json"
UNFINISHED = "unfinished"  # folder beside the states in which one is written
_RNG = "rng_state"
_WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*", "adapter_model.bin", "global_step*")


def publish(unfinished: Path, place: Path, processes: int, kept: int | None) -> None:
    """Give a state that is written its name, and delete the oldest beyond `kept` (None: no limit).

    Args:
        unfinished: its folder as it was written.
        place: its folder to be; what is there is replaced.
        processes: how many trained; a state is of no use to another number.
    """
    files = {}
    for file in _files(unfinished):
        _to_disk(file)
        files[file.relative_to(unfinished).as_posix()] = fingerprint_file(file)
    write_json(unfinished / DONE_FILE, {"processes": processes, "files": files})
    shutil.rmtree(place, ignore_errors=True)
    os.replace(unfinished, place)
    if kept is not None and kept > 0:
        for old in _states(place.parent)[kept:]:
            shutil.rmtree(old, ignore_errors=True)


def newest_state(folder: Path, mend: bool = True) -> Path | None:
    """The latest state in `folder` that is whole; None without one.

    Later ones that are not whole are renamed to ``checkpoint-STEP.torn``, with a warning, so that nothing takes them
    for states again; what a kill left of one in writing is removed.

    Args:
        mend: False: another process has done all this already, and the latest is whole.
    """
    if not mend:
        return next(iter(_states(folder)), None)
    shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
    torn, whole = [], None
    for state in _states(folder):
        if (problem := problem_of(state)) is None:
            whole = state
            break
        torn.append((state, problem))
    goes_on = f"training goes on from {whole.name}" if whole is not None else "training begins at its start"
    for state, problem in torn:
        aside = _free_name(state)
        state.rename(aside)
        logging.warning("%s is not whole (%s): it is now %s, and %s", state, problem, aside.name, goes_on)
    return whole


def problem_of(state: Path) -> str | None:
    """What a state lacks to go on from; None: nothing."""
    try:
        step = read_json(state / TRAINER_STATE_NAME).get("global_step")
        if step != _step(state):
            return f"{TRAINER_STATE_NAME} is of step {step}"
        if (state / DONE_FILE).is_file():
            return _difference(state)
    except (InputError, OSError) as error:
        return str(error).removeprefix(f"{state}/")
    return _lacking(state)


def processes_of(state: Path) -> int:
    """How many processes wrote a whole state."""
    if (state / DONE_FILE).is_file():
        return int(read_json(state / DONE_FILE)["processes"])
    return max(1, len(list(state.glob(f"{_RNG}_*.pth"))))


def _difference(state: Path) -> str | None:
    """What is no longer as `DONE_FILE` lists it."""
    about = read_json(state / DONE_FILE)
    listed = about.get("files")
    if not isinstance(listed, dict) or not isinstance(about.get("processes"), int):
        return f"{DONE_FILE} is damaged"
    for name, content in listed.items():
        if not (state / name).is_file():
            return f"{name} is missing"
        if fingerprint_file(state / name) != content:
            return f"{name} is damaged"
    return None


def _lacking(state: Path) -> str | None:
    """What a state without `DONE_FILE` lacks; weights that are spread over folders are not looked into."""
    weights = [found for pattern in _WEIGHTS for found in state.glob(pattern)]
    if not weights:
        return "the weights are missing"
    rng = sorted(state.glob(f"{_RNG}*.pth"))
    if not rng:
        return f"{_RNG}.pth is missing"
    spread = any(entry.is_dir() for entry in state.iterdir())
    needed = [] if spread else [state / OPTIMIZER_NAME, state / SCHEDULER_NAME]
    for file in (*needed, *rng, *(entry for entry in weights if entry.suffix == ".safetensors")):
        if not file.is_file():
            return f"{file.name} is missing"
        if not _is_readable(file):
            return f"{file.name} is damaged"
    return None


def _is_readable(file: Path) -> bool:
    """Whether a file of tensors is as long as its list of contents says and, where it has check sums, as written."""
    try:
        if file.suffix == ".safetensors":
            with safe_open(str(file), framework="pt"):
                return True
        return zipfile.ZipFile(file).testzip() is None
    except (SafetensorError, zipfile.BadZipFile, EOFError, OSError):
        return False


def _states(folder: Path) -> list[Path]:
    """The folders of states, whole or not, the latest first."""
    found = [state for state in folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*") if _step(state) >= 0 and state.is_dir()]
    return sorted(found, key=_step, reverse=True)


def _step(state: Path) -> int:
    """The step in the name of a state; -1: it is none."""
    number = state.name.removeprefix(f"{PREFIX_CHECKPOINT_DIR}-")
    return int(number) if number.isascii() and number.isdigit() else -1


def _free_name(state: Path) -> Path:
    aside, number = state.with_name(f"{state.name}.torn"), 1
    while aside.exists():
        number += 1
        aside = state.with_name(f"{state.name}.torn-{number}")
    return aside


def _files(folder: Path) -> Iterator[Path]:
    return (entry for entry in sorted(folder.rglob("*")) if entry.is_file())


def _to_disk(file: Path) -> None:
    handle = os.open(file, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
