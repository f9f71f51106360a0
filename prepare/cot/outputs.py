"""The folder of CoT jsonl: what is in it and was not written by us, or is read, stays as it is."""

from collections.abc import Iterable
from pathlib import Path

from prepare.cot.doubtful import DOUBTFUL_FILE
from prepare.cot.report import PICTURE_FILE, STATISTICS_FILE
from utils.errors import InputError
from utils.files.json_files import read_json, write_json
from utils.files.outputs import check_output_file

REJECTED_FILE = "rejected.jsonl"
_UNFINISHED = {"unfinished": True}


def cot_path(folder: str | Path, split: str) -> Path:
    """The CoT jsonl of a split."""
    return Path(folder) / f"cot_{split}.jsonl"


def check_cot_folder(out_dir: str | Path, inputs: Iterable[str | Path | None]) -> None:
    """Refuse to replace what is read, or lines that `claim_cot_folder` knows nothing of.

    Raises:
        InputError: `out_dir` is a file, one of its files that may be written is an input, or it holds lines of
            somebody else.
    """
    folder = Path(out_dir)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out-dir {folder}: is a file, expected a folder")
    inputs = list(inputs)
    lines = [path for pattern in ("cot_*.jsonl", REJECTED_FILE) for path in sorted(folder.glob(pattern))]
    for path in (*lines, *(folder / name for name in (STATISTICS_FILE, PICTURE_FILE, DOUBTFUL_FILE))):
        check_output_file(path, inputs, "--out-dir")
    if lines and not _is_ours(folder):
        raise InputError(
            f"--out-dir {folder}: holds {lines[0].name}, which this command did not write, and is left alone: give a "
            "new or an empty folder"
        )


def claim_cot_folder(out_dir: str | Path) -> None:
    """Mark a folder as ours before anything is put into it, so that a command that was killed can be run again."""
    if not _is_ours(Path(out_dir)):
        write_json(Path(out_dir) / STATISTICS_FILE, _UNFINISHED)


def left_over(out_dir: str | Path, files: Iterable[Path]) -> str:
    """A line about CoT jsonl in the folder that are none of `files`, which an earlier run wrote; empty without any."""
    names = sorted({path.name for path in Path(out_dir).glob("cot_*.jsonl")} - {path.name for path in files})
    return f"of an earlier run, and not written anew: {', '.join(names)}" if names else ""


def _is_ours(folder: Path) -> bool:
    try:
        return not read_json(folder / STATISTICS_FILE).keys().isdisjoint(("splits", *_UNFINISHED))
    except InputError:
        return False
