"""Codes are read with their motion tokenizer: of an evaluation, of prepare.encode_motions, of chains of thought."""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dataset.cot.source import read_cot_source
from models.language.replies import parse_reply
from models.policy.checkpoint import load_checkpoint, motion_tokenizer_of
from models.tokenizer.motion_tokenizer import MotionTokenizer
from utils.errors import InputError
from utils.files.json_files import numbered_rows, read_json

logger = logging.getLogger(__name__)

# Under which name a line has its codes: evaluations and prepare.encode_motions, chains of thought.
_FIELDS = ("codes", "motion_tokens")


@dataclass(frozen=True, eq=False)
class CodesRow:
    """A motion as codes: its name among files, what stands above its picture, (N,) int64."""

    name: str
    title: str
    codes: np.ndarray


@dataclass(frozen=True, eq=False)
class ReadCodes:
    """The chosen lines of a file, and what decodes them."""

    rows: list[CodesRow]
    tokenizer: MotionTokenizer


def read_codes_file(path: Path, ids: Collection[str], limit: int, given: str | None) -> ReadCodes:
    """The codes of some clips of a .jsonl.

    Args:
        ids: whose lines; none: the first `limit` that have codes.
        given: path of the motion tokenizer; None: that of the evaluation that wrote the file (its args.json), or the
            one that the file beside the codes names.

    Raises:
        InputError: no such file, no codes in it, codes of another tokenizer, or no tokenizer to be found.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    chosen, problems = _chosen(path, set(ids), limit)
    if missing := sorted(set(ids) - {row["id"] for row in chosen} - problems.keys()):
        raise InputError(f"{path}: no line of {', '.join(missing)}")
    for id, problem in problems.items():
        logger.warning("%s: the reply to %s has no motion: %s", path, id, problem)
    if not chosen:
        raise InputError(f"{path}: no line has motion codes (captions cannot be drawn; --data-root draws real clips)")
    tokenizer = MotionTokenizer.load(given) if given is not None else _tokenizer_beside(path)
    rows = [_row(path, row, tokenizer.nb_code) for row in chosen]
    return ReadCodes(rows, tokenizer)


def _chosen(path: Path, ids: set[str], limit: int) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Lines with ``codes``, each clip, draw and caption once; and what is wrong with those that were asked for."""
    chosen: dict[tuple[str, Any], dict[str, Any]] = {}
    problems: dict[str, str] = {}
    for number, row in numbered_rows(path):
        id = row.get("id")
        if not isinstance(id, str):
            raise InputError(f'{path}:{number}: expected an object with an "id" that is text')
        key = (id, row.get("draw", 0))
        if (ids and id not in ids) or key in chosen:
            continue
        codes = next((row[name] for name in _FIELDS if row.get(name) is not None), None)
        reply = parse_reply(row["text"], "t2m") if codes is None and isinstance(row.get("text"), str) else None
        codes = list(reply.codes or ()) if reply is not None else codes
        if not codes:
            if ids:
                problems[id] = str(row.get("problem") or (reply and reply.problem) or "it holds no codes")
            continue
        chosen[key] = {**row, "codes": codes, "line": number}
        if not ids and len(chosen) == limit:
            break
    return list(chosen.values()), problems


def _row(path: Path, row: dict[str, Any], nb_code: int) -> CodesRow:
    codes, place = row["codes"], f"{path}:{row['line']}"
    if not isinstance(codes, list) or not all(type(code) is int for code in codes):
        raise InputError(f"{place}: codes must be a list of whole numbers")
    if min(codes) < 0 or max(codes) >= nb_code:
        raise InputError(f"{place}: code {max(codes)} is not one of this motion tokenizer's {nb_code}: another one's?")
    draw, caption = row.get("draw"), row.get("caption")
    name = row["id"] if draw is None else f"{row['id']}_draw{draw}"
    title = f"{row['id']}{f' #{draw}' if draw else ''}" + (f": {caption}" if isinstance(caption, str) else "")
    return CodesRow(name, title, np.array(codes, dtype=np.int64))


def _tokenizer_beside(path: Path) -> MotionTokenizer:
    """The tokenizer of the evaluation that wrote a file, or the one that is named beside codes."""
    arguments, source = path.parent / "args.json", read_cot_source(path)
    asked = read_json(arguments) if arguments.is_file() else {}
    named, checkpoint = asked.get("motion_tokenizer"), asked.get("eval_ckpt")
    if source is not None:
        named = source.motion_tokenizer
    try:
        if isinstance(named, str):
            return MotionTokenizer.load(_moved(named, path))
        if isinstance(checkpoint, str):
            found = _moved(checkpoint, path)
            return motion_tokenizer_of(load_checkpoint(found), None, str(found))
    except InputError as error:
        raise InputError(f"{path}: its motion tokenizer is not here any more ({error}): --motion-tokenizer") from None
    raise InputError(f"{path}: nothing beside it says which motion tokenizer its codes are of: --motion-tokenizer")


def _moved(named: str, path: Path) -> Path:
    """A file that was named from the folder in which a command was started, which may not be this one."""
    given = Path(named)
    places = [given, *(folder / given for folder in path.resolve().parents), path.parent / given.name]
    return next((place for place in places if place.is_file()), given)
