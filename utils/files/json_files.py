"""These functions read and write JSON: a file of one object (.json), or of one object a line (.jsonl)."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from utils.errors import InputError
from utils.files.atomic import write_text
from utils.files.text_files import numbered_lines, text_of, unreadable

_KINDS = {list: "a list", str: "a text", int: "a number", float: "a number", bool: "true or false", type(None): "null"}


# Half of a character outside the first 65,536, written as an escape; language models leave such halves behind.
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONG_NUMBER = re.compile(r"\d{19}")
# Brackets in brackets: far below Python's own limit, which depends on the caller, for whoever walks what was read.
_DEEPEST = 100


def parse_json(text: str | bytes) -> Any:
    """Any JSON value. Half a character (a lone surrogate), which no file could hold, becomes U+FFFD.

    Raises:
        json.JSONDecodeError: no JSON; more than 100 brackets in brackets; a whole number of more than 64 bits, which
            no array could hold.
        UnicodeDecodeError: bytes that are not UTF-8.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig")
    try:
        value = json.loads(text, parse_int=_whole_number if _LONG_NUMBER.search(text) else None)
        if text.count("[") + text.count("{") > _DEEPEST:
            _check_depth(value)
        return _with_whole_characters(value) if _SURROGATE_ESCAPE.search(text) else value
    except RecursionError:
        raise json.JSONDecodeError("too many brackets in brackets", "", 0) from None


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            entry
            for outer in level
            if isinstance(outer, (list, dict))
            for entry in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(entry, (list, dict))
        ]
        if not level:
            return
    raise RecursionError


def _whole_number(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= (number := int(digits)) < 2**63:
        raise json.JSONDecodeError(f"a whole number of {len(digits)} digits", "", 0)
    return number


def _with_whole_characters(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_with_whole_characters(entry) for entry in value]
    if isinstance(value, dict):
        return {_with_whole_characters(name): _with_whole_characters(entry) for name, entry in value.items()}
    return value


def parse_object(text: str | bytes, where: str) -> dict[str, Any]:
    """The JSON object that `text` is.

    Args:
        where: ``file.json`` or ``file.jsonl:12``, the beginning of an error message.

    Raises:
        InputError: `text` is no JSON, or something else than an object.
    """
    try:
        value = parse_json(text)
    except json.JSONDecodeError as error:
        line = "" if error.lineno == 1 else f"line {error.lineno}, "
        raise InputError(f"{where}: not JSON ({error.msg} at {line}column {error.colno})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not JSON in UTF-8 ({error.reason})") from None
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected a JSON object, found {_KINDS[type(value)]}")
    return value


def read_json(path: str | Path, hint: str = "") -> dict[str, Any]:
    """The object in a .json file.

    Args:
        hint: what to do about a file that is missing or damaged; it ends the error message.

    Raises:
        InputError: no such file, or one that does not hold a JSON object.
    """
    try:
        return parse_object(text_of(_content(path), str(path)), str(path))
    except InputError as error:
        raise InputError(f"{error}; {hint}") if hint else error from None


def write_json(path: str | Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def numbered_rows(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, object) of every line of a .jsonl that is not empty, one after the other.

    Raises:
        InputError: no such file, or (with ``file:line``) a line that is no JSON object.
    """
    for number, line in numbered_lines(path):
        yield number, parse_object(line, f"{path}:{number}")


def read_jsonl(path: str | Path) -> list[dict[str, Any]]:
    """The objects of a .jsonl. Raises InputError as `numbered_rows` does."""
    return [row for _, row in numbered_rows(path)]


def write_jsonl(path: str | Path, rows: Iterable[dict]) -> None:
    write_text(path, "".join(map(json_line, rows)))


def json_line(row: dict) -> str:
    """One line of a .jsonl, with its line break."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def is_number(value: object) -> bool:
    """Whether a value that JSON or YAML gave is a number: true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _content(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None
