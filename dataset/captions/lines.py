"""A line of ``texts/<id>.txt`` is read and written: ``caption#word/POS word/POS ...#start#end``.

Start and end are seconds; 0.0#0.0 stands for the whole clip.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from utils.errors import InputError


@dataclass(frozen=True)
class Caption:
    """One description of a motion.

    Attributes:
        text: the caption as written.
        tokens: its words as ``word/POS``, lemmatised as in the published texts.
        start, end: seconds of the described part; both 0.0 when the whole clip is described.
    """

    text: str
    tokens: tuple[str, ...]
    start: float = 0.0
    end: float = 0.0

    @property
    def is_segment(self) -> bool:
        return self.start != 0.0 or self.end != 0.0


def parse_caption_line(line: str, needs_tokens: bool = True) -> Caption:
    """Read one line. Raises InputError when it is malformed, without path and line, which only the caller knows.

    A time that is NaN counts as 0.0, as in the published reader. With `needs_tokens` off, a line may also be a plain
    caption (no ``#`` in it) or leave its tokens out (``caption##start#end``): the result then has no tokens yet.
    """
    # A plain caption: all of the line.
    if not needs_tokens and line.strip() and "#" not in line:
        return Caption(line.strip(), ())
    # From the right: the caption itself may hold a #.
    parts = line.strip().rsplit("#", 3)
    if len(parts) != 4:
        raise InputError(f"expected caption#word/POS ...#start#end, got {line.strip()[:60]!r}")
    text, tagged, *times = parts
    try:
        start, end = (0.0 if math.isnan(float(time)) else float(time) for time in times)
    except ValueError:
        raise InputError(f"start and end must be seconds, got {times[0]!r} and {times[1]!r}") from None
    if not text.strip():
        raise InputError("empty caption")
    tokens = tuple(tagged.split())
    bad = next((token for token in tokens if "/" not in token), None)
    if bad is not None or (needs_tokens and not tokens):
        raise InputError(f"expected word/POS tokens, got {bad!r}" if tokens else "no word/POS tokens")
    return Caption(text.strip(), tokens, start, end)


def format_caption_line(caption: Caption) -> str:
    """The line that `parse_caption_line` reads back. Raises InputError for text that the format cannot hold."""
    if "\n" in caption.text or not caption.text.strip():
        raise InputError(f"a caption must be one non-empty line, got {caption.text!r}")
    return f"{caption.text}#{' '.join(caption.tokens)}#{float(caption.start)}#{float(caption.end)}"


def numbered_lines(content: str) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, with their numbers from 1.

    Only line feeds end a line (`str.splitlines` would also break at U+2028, which captions may hold).
    """
    for number, line in enumerate(content.replace("\r\n", "\n").split("\n"), start=1):
        if line.strip():
            yield number, line


def parse_captions(content: str) -> tuple[list[Caption], list[str]]:
    """A whole text file -> (captions in order, one message per malformed line); empty lines are ignored."""
    captions: list[Caption] = []
    problems: list[str] = []
    for number, line in numbered_lines(content):
        try:
            captions.append(parse_caption_line(line))
        except InputError as error:
            problems.append(f"line {number}: {error}")
    return captions, problems
