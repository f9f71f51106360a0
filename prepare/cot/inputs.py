"""Chain-of-thought data are made of these jsonl files: codes and reasoning, by clip id.

What belongs together is told by texts and ids. Two lines that leave it open are refused, and both are named.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataset.cot.lines import check_text
from utils.errors import InputError
from utils.files.json_files import numbered_rows

ANNOTATIONS_FILE = "annotations.jsonl"
_SPLIT = re.compile(r"\w[\w.-]*")


@dataclass(frozen=True)
class CodedClip:
    """A line of prepare.encode_motions."""

    id: str
    split: str
    codes: list[int]


@dataclass
class ClipReasoning:
    """The reasoning of a clip: a text for each caption that it was written for, or texts for any of its captions."""

    by_caption: dict[str, str] = field(default_factory=dict)
    for_any: list[str] = field(default_factory=list)

    def of(self, captions: Sequence[str]) -> list[str]:
        """A text for each of the clip's captions, empty where there is none.

        Texts for any caption are dealt out in turn. A caption for which none was written takes the first that was
        written for another one of `captions`; what was written for a caption that is none of them is not used.
        """
        if self.for_any:
            return [self.for_any[number % len(self.for_any)] for number in range(len(captions))]
        own = [self.by_caption.get(caption.strip(), "") for caption in captions]
        first = next(filter(None, own), "")
        return [text or first for text in own]


def rows_of_clips(path: Path) -> Iterator[tuple[int, dict]]:
    """Yield (line number, object with a string `id`) for every line. Raises InputError with file:line."""
    for number, row in numbered_rows(path):
        if not isinstance(row.get("id"), str):
            raise InputError(f"{path}:{number}: expected an object with a string 'id'")
        yield number, row


def coded_clips(path: Path, nb_code: int = 2**31) -> Iterator[CodedClip]:
    """The lines of a file of codes; a clip may stand in several splits.

    Args:
        nb_code: codes must be below it.

    Raises:
        InputError: (with ``file:line``) a malformed line, or a clip that has other codes on an earlier one.
    """
    first: dict[str, tuple[int, list[int]]] = {}
    for number, row in rows_of_clips(path):
        id, split, codes = row["id"], row.get("split"), row.get("codes")
        if not isinstance(split, str) or not _SPLIT.fullmatch(split):
            raise InputError(f"{path}:{number}: 'split' must be a name such as train, found {str(split)[:60]!r}")
        if not isinstance(codes, list) or not all(type(code) is int and 0 <= code < nb_code for code in codes):
            raise InputError(f"{path}:{number}: 'codes' must be a list of whole numbers from 0 to {nb_code - 1}")
        line, other = first.setdefault(id, (number, codes))
        if other != codes:
            raise InputError(f"{path}:{number}: {id!r} has other codes on line {line}: remove one of the two lines")
        yield CodedClip(id, split, codes)


def reasoning_path(folder: str | Path, task: str) -> Path:
    """The file in which prepare.generate_cot leaves the reasoning of a task."""
    return Path(folder) / f"reasoning_{task}.jsonl"


def read_reasoning(path: Path, captions: Mapping[tuple[str, str], str] | None = None) -> dict[str, ClipReasoning]:
    """The reasoning of each clip, by its id.

    Args:
        captions: for lines that do not say it, the caption that a text was written for, by (clip id, text).

    Raises:
        InputError: (with ``file:line``) a malformed line, a tag in a text, or two lines of a clip that do not say
            which caption each is of, or say the same.
    """
    found: dict[str, ClipReasoning] = {}
    first_line: dict[str, int] = {}
    lines: dict[tuple[str, str], int] = {}
    for number, row in rows_of_clips(path):
        id, where = row["id"], f"{path}:{number}"
        texts, caption = _texts(row, where), row.get("caption")
        if caption is not None and (not isinstance(caption, str) or len(texts) > 1):
            raise InputError(f"{where}: a line with a 'caption', which is text, holds one reasoning")
        if caption is not None:
            known = [caption]
        else:
            known = _one_each(row, texts) or [(captions or {}).get((id, text)) for text in texts]
        clip = found.setdefault(id, ClipReasoning())
        # Texts for any caption stand alone for their clip.
        first = first_line.setdefault(id, number)
        if clip.for_any or (None in known and first != number):
            raise InputError(_ambiguous(where, id, first))
        if None in known:
            clip.for_any = texts
            continue
        for own, text in zip(known, texts, strict=True):
            key = id, own.strip()
            if clip.by_caption.setdefault(key[1], text) != text:
                raise InputError(
                    f"{where}: another reasoning for the caption {key[1][:60]!r} of {id!r} is on line {lines[key]}: "
                    "keep one of them"
                )
            lines.setdefault(key, number)
    return found


def annotated_captions(folder: Path, task: str) -> dict[tuple[str, str], str]:
    """The captions that the reasoning of a folder of prepare.generate_cot was written for, by (clip id, reasoning).

    Earlier versions left no captions in ``reasoning_<task>.jsonl``, but always in ``annotations.jsonl``.
    """
    path = folder / ANNOTATIONS_FILE
    if not path.is_file():
        return {}
    rows = (row for _, row in numbered_rows(path) if row.get("task") == task)
    texts = [(row.get("id"), row.get("reasoning"), row.get("caption")) for row in rows]
    return {(id, text): caption for id, text, caption in texts if all(isinstance(x, str) for x in (id, text, caption))}


def _texts(row: Mapping[str, Any], where: str) -> list[str]:
    value = row.get("reasoning")
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise InputError(f"{where}: 'reasoning' must be a non-empty string or list of them")
    for text in texts:
        try:
            check_text(text, "'reasoning'")
        except ValueError as error:
            raise InputError(f"{where}: {error}") from None
    return texts


def _one_each(row: Mapping[str, Any], texts: Sequence[str]) -> list[str] | None:
    """The captions that the texts of a line were written for, one each; None where the line does not say it.

    Lines of the toy people list captions beside their reasoning; what was written for a caption stays with it when
    captions are edited or exchanged.
    """
    captions = row.get("captions")
    if not isinstance(captions, list) or not all(isinstance(caption, str) for caption in captions):
        return None
    is_clear = len(captions) == len(texts) == len({caption.strip() for caption in captions})
    return captions if is_clear else None


def _ambiguous(where: str, id: str, line: int) -> str:
    return (
        f"{where}: a reasoning of {id!r} is on line {line} already: put all of a clip into one line as a list, or give "
        "each line a 'caption' that says which caption it is of"
    )
