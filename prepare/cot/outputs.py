"""The folder of CoT jsonl: what is in it and was not written by us, was changed since, or is read, stays as it is.

``statistics.json`` says that the folder is ours, and what each file of lines held as we wrote it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prepare.cot.doubtful import DOUBTFUL_FILE
from prepare.cot.report import PICTURE_FILE, STATISTICS_FILE
from utils.errors import InputError
from utils.files.fingerprints import fingerprint_file
from utils.files.json_files import read_json, write_json
from utils.files.outputs import check_output_file

REJECTED_FILE = "rejected.jsonl"
# Entries of statistics.json: a command is at work, or was killed at it; fingerprints of lines by the names of files.
_UNFINISHED = {"unfinished": True}
WRITTEN = "written"


def cot_path(folder: str | Path, split: str) -> Path:
    """The CoT jsonl of a split."""
    return Path(folder) / f"cot_{split}.jsonl"


def check_cot_folder(out_dir: str | Path, inputs: Iterable[str | Path | None]) -> None:
    """Refuse to replace what is read, what `claim_cot_folder` knows nothing of, or lines that somebody has changed.

    Raises:
        InputError: `out_dir` is a file, one of its files that may be written is an input, or it holds one of
            somebody else, or one that is not as we wrote it.
    """
    folder = Path(out_dir)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out-dir {folder}: is a file, expected a folder")
    inputs = list(inputs)
    lines = [path for pattern in ("cot_*.jsonl", REJECTED_FILE) for path in sorted(folder.glob(pattern))]
    others = [folder / name for name in (STATISTICS_FILE, PICTURE_FILE, DOUBTFUL_FILE)]
    for path in (*lines, *others):
        check_output_file(path, inputs, "--out-dir")
    found = [path for path in (*lines, *others) if path.exists()]
    if found and not _is_ours(folder):
        raise InputError(
            f"--out-dir {folder}: holds {found[0].name}, which this command did not write, and is left alone: give a "
            "new or an empty folder"
        )
    written = _written(folder)
    for path in lines:
        if path.name in written and fingerprint_file(path) != written[path.name]:
            raise InputError(
                f"{path}: was changed since it was written here, and is left alone: give another --out-dir; or move "
                "the file out of the folder, and it is made anew"
            )


def claim_cot_folder(out_dir: str | Path, replaced: Iterable[Path]) -> None:
    """Mark a folder as ours before anything is put into it, so that a command that was killed can be run again.

    Args:
        replaced: files of lines that are about to be written, of which a kill may leave the old or the new ones.
    """
    folder, names = Path(out_dir), {path.name for path in replaced}
    written = _written(folder)
    if not _is_ours(folder) or not names.isdisjoint(written):
        others = {name: mark for name, mark in written.items() if name not in names}
        write_json(folder / STATISTICS_FILE, {**_UNFINISHED, WRITTEN: others})


def as_written(out_dir: str | Path, files: Iterable[Path]) -> dict[str, str]:
    """The entry `WRITTEN` when `files` are in place; those that an earlier run wrote stay known."""
    return {**_written(Path(out_dir)), **{path.name: fingerprint_file(path) for path in files}}


def left_over(out_dir: str | Path, files: Iterable[Path]) -> str:
    """A line about CoT jsonl in the folder that are none of `files`, which an earlier run wrote; empty without any."""
    names = sorted({path.name for path in Path(out_dir).glob("cot_*.jsonl")} - {path.name for path in files})
    return f"of an earlier run, and not written anew: {', '.join(names)}" if names else ""


def _is_ours(folder: Path) -> bool:
    return not _said(folder).keys().isdisjoint(("splits", *_UNFINISHED))


def _written(folder: Path) -> dict[str, str]:
    """Fingerprints by file; of a folder of earlier versions none is known, nor is one of a file that has gone."""
    entry = _said(folder).get(WRITTEN)
    return {name: mark for name, mark in entry.items() if (folder / name).exists()} if isinstance(entry, dict) else {}


def _said(folder: Path) -> dict[str, Any]:
    """The content of statistics.json, nothing where it cannot be read."""
    try:
        return read_json(folder / STATISTICS_FILE)
    except InputError:
        return {}
