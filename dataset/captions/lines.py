"""A line of ``texts/<id>.txt`` is read and written: ``caption#word/POS word/POS ...#start#end``.

Start and end are seconds; 0.0#0.0 stands for the whole clip.
"""

import math
import re
from dataclasses import dataclass

from dataset.captions.tags import tag_in
from utils.errors import InputError
from utils.files.text_files import split_lines

_LINE_END = re.compile(r"[\r\n\0]")


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
    caption (no ``#`` in it) or leave its tokens out (``caption##start#end``): the result then has no tokens yet. A
    caption with a ``#`` of its own needs the full form. No caption holds a tag of replies (`dataset.captions.tags`).
    """
    if tag := tag_in(line):
        raise InputError(f"the caption holds {tag}, a tag that no text may hold: remove it")
    # A plain caption: all of the line.
    if not needs_tokens and line.strip() and "#" not in line:
        return Caption(line.strip(), ())
    # From the right: the caption itself may hold a #.
    parts = line.strip().rsplit("#", 3)
    if len(parts) != 4:
        plain = "" if needs_tokens else ", or a plain caption without #"
        raise InputError(f"expected caption#word/POS ...#start#end{plain}, got {line.strip()[:60]!r}")
    text, tagged, *times = parts
    try:
        start, end = (0.0 if math.isnan(float(time)) else float(time) for time in times)
    except ValueError:
        raise InputError(f"start and end must be seconds, got {times[0][:60]!r} and {times[1][:60]!r}") from None
    if not text.strip():
        raise InputError("empty caption")
    tokens = tuple(tagged.split())
    bad = next((token for token in tokens if "/" not in token), None)
    if bad is not None or (needs_tokens and not tokens):
        raise InputError(f"expected word/POS tokens, got {bad[:60]!r}" if tokens else "no word/POS tokens")
    return Caption(text.strip(), tokens, start, end)


def format_caption_line(caption: Caption) -> str:
    """The line that `parse_caption_line` reads back. Raises InputError for text that the format cannot hold."""
    if _LINE_END.search(caption.text) or not caption.text.strip():
        raise InputError(f"a caption must be one non-empty line, got {caption.text!r}")
    return f"{caption.text}#{' '.join(caption.tokens)}#{float(caption.start)}#{float(caption.end)}"


def parse_captions(content: str) -> tuple[list[Caption], list[str]]:
    """A whole text file -> (captions in order, one message per malformed line); empty lines are ignored."""
    captions: list[Caption] = []
    problems: list[str] = []
    for number, line in enumerate(split_lines(content), start=1):
        if not line.strip():
            continue
        try:
            captions.append(parse_caption_line(line))
        except InputError as error:
            problems.append(f"line {number}: {error}")
    return captions, problems
