"""A reader of a user's file as the suite of malformed files sees it, and a whole command run as if it were one."""

import contextlib
import importlib
import io
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from utils.errors import InputError
from utils.run.command import run_command


class CommandFailed(Exception):
    """A command ended in another way than by status 0, or by status 2 and one line."""


@dataclass(frozen=True)
class Reader:
    """One kind of file and what reads it.

    Attributes:
        name: in tables and for ``--reader``.
        file: the file that is damaged, below the case's folder.
        form: a key of `tests.faults.contents.forms.DAMAGES`.
        prepare: writes a good `file` into a folder, and whatever is needed beside it.
        read: reads it, given the folder.
        wrong: (bytes of the file, what `read` gave) -> what is wrong with it, or None. It knows the rules of the file
            by itself and does not call the reader.
        made: files made by hand, by what is odd about them.
        share: how many of the cases of an average reader it gets.
    """

    name: str
    file: str
    form: str
    prepare: Callable[[Path], None]
    read: Callable[[Path], Any]
    wrong: Callable[[bytes, Any], str | None] = lambda content, value: None
    made: Mapping[str, bytes] = field(default_factory=dict)
    share: float = 1.0


def command(module: str, *words: object) -> str:
    """What a command prints, run in this process; what it says in its one line is raised as InputError."""
    shown, said = io.StringIO(), io.StringIO()
    argv, status = sys.argv, 0
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    sys.argv = [module, *map(str, words)]
    try:
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(said):
            try:
                run_command(importlib.import_module(module).main)
            except SystemExit as end:
                status = end.code or 0
    finally:
        sys.argv = argv
        root.handlers[:] = handlers  # without that of a basicConfig on a stream that is gone
        root.setLevel(level)
    if status == 0:
        return shown.getvalue()
    errors = [line for line in said.getvalue().split("\n") if line.startswith("error: ") or ": error: " in line]
    if status != 2 or len(errors) != 1 or not said.getvalue().rstrip("\n").endswith(errors[0]):
        raise CommandFailed(f"{module}: status {status}: {said.getvalue()[-300:]!r}")
    raise InputError(errors[0])


def lines_of(content: bytes) -> list[str] | None:
    """The lines of a text file that are not blank, by the project's rules; None where it is no text.

    Written anew here, and not by calling `utils.files.text_files`, which is what is tested.
    """
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16") if wide else content.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError:
        return None
    if "\x00" in text:
        return None
    return [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]
