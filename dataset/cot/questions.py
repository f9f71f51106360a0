"""Questions without answers: captions that no motion is known to, and codes that nobody has described.

Reinforcement learning and search ask them; what a reply is worth, rewards measure without a true answer. A file of
them is a text with one caption a line, or a jsonl whose lines have a ``caption``, ``motion_tokens``, or both (as
codes.jsonl of `prepare.encode_motions` and every chain of thought has).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset.cot.lines import check_text, clip_id, parse_codes
from utils.errors import InputError
from utils.files.json_files import numbered_rows
from utils.files.text_files import numbered_lines

_TEXT, _JSONL = ".txt", ".jsonl"


@dataclass(frozen=True)
class Question:
    """Something to ask: `caption` for t2m, `codes` for m2t; what a line does not give is empty.

    Attributes:
        id: of the clip; where the line has none, its number behind a space, which no id begins with.
    """

    caption: str = ""
    codes: tuple[int, ...] = ()
    id: str = ""

    def serves(self, task: str) -> bool:
        return bool(self.caption if task == "t2m" else self.codes)


def read_questions(path: str | Path, nb_code: int | None, flag: str) -> list[Question]:
    """The questions of a file, in its order; what is asked twice is one.

    Args:
        path: ``.txt`` or ``.jsonl``.
        nb_code: codes must be below it; None skips that check.
        flag: the flag that named the file, for messages.

    Raises:
        InputError: no such file, another kind of file, a line that is no question (with ``file:line``), or none.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{flag}: no such file: {path}")
    if path.suffix not in (_TEXT, _JSONL):
        raise InputError(f"{flag} {path}: expected a {_TEXT} (one caption a line) or a {_JSONL}")
    is_text = path.suffix == _TEXT
    questions: dict[tuple[str, tuple[int, ...]], Question] = {}
    for number, line in numbered_lines(path) if is_text else numbered_rows(path):
        try:
            question = _question({"caption": line} if is_text else line, number, nb_code)
        except ValueError as error:
            raise InputError(f"{path}:{number}: {error}") from None
        questions.setdefault((question.caption, question.codes), question)
    if not questions:
        raise InputError(f"{flag} {path} holds no line")
    return list(questions.values())


def questions_for(questions: Sequence[Question], tasks: Sequence[str], path: str | Path) -> list[list[Question]]:
    """For each task those that serve it. Raises InputError where there are none for one."""
    found = [[question for question in questions if question.serves(task)] for task in tasks]
    for task, some in zip(tasks, found, strict=True):
        if not some:
            needed = {"t2m": "'caption'", "m2t": "'motion_tokens'"}[task]
            raise InputError(f"{path}: no line has a {needed}, which {task} is asked with")
    return found


def _question(row: dict[str, Any], number: int, nb_code: int | None) -> Question:
    """The question of a line. Raises ValueError where it is none."""
    caption, codes = row.get("caption"), row.get("motion_tokens")
    if caption is None and codes is None:
        raise ValueError("expected a 'caption' or 'motion_tokens'")
    if caption is not None and not (isinstance(caption, str) and caption.strip()):
        raise ValueError("'caption' must be a non-empty string")
    caption = (caption or "").strip()
    check_text(caption, "'caption'")
    codes = () if codes is None else tuple(parse_codes(codes, nb_code))
    return Question(caption, codes, clip_id(row.get("id")) or f" line {number}")
