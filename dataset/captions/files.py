"""Text files become the captions of a data set: tagged ones are read as they are, plain ones are tagged.

A line is ``caption#word/POS word/POS ...#start#end`` as published, ``caption##start#end`` without tokens, or, without
any ``#``, a plain caption of the whole clip.
"""

import contextlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dataset.captions.common_words import common_pairs
from dataset.captions.lines import Caption, parse_caption_line, parse_captions
from dataset.captions.tagger import SPACY_MODEL, UNKNOWN_CLASS, CaptionTagger
from utils.errors import InputError
from utils.files.text_files import numbered_lines, read_text
from utils.wording import listed

_SHOWN_WORDS = 8
_BETTER = f"spaCy would tag them by their context: pip install spacy && python -m spacy download {SPACY_MODEL}"


@dataclass
class CaptionSet:
    """The captions of many clips, all tagged.

    Attributes:
        captions: id -> its captions, in the order of its file.
        problems: id -> why its file cannot be used (with path and line).
        tagged_plain: how many captions came without tokens and were tagged here.
        tagger: name of the tagger that did it; None when there were none.
        unknown_words: words of plain captions that this tagger knows nothing about, most frequent first.
    """

    captions: dict[str, tuple[Caption, ...]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    tagged_plain: int = 0
    tagger: str | None = None
    unknown_words: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.tagged_plain:
            return "captions tagged as given"
        shown = listed(self.unknown_words, _SHOWN_WORDS)
        unknown = f"; words unknown to it: {len(self.unknown_words)} ({shown})" if self.unknown_words else ""
        return f"{self.tagged_plain} plain captions tagged by {self.tagger}{unknown}"

    @property
    def advice(self) -> str | None:
        """How plain captions would get better tokens; None where spaCy made them, or there are none."""
        if self.tagger != CaptionTagger.name:
            return None
        if not self.unknown_words:
            return _BETTER
        more = "--lexicon-texts FOLDER of tagged texts teaches more"
        return f"unknown words get the class {UNKNOWN_CLASS} ({more}); {_BETTER}"


def read_captions(
    paths: Mapping[str, Path],
    lexicon_folder: Path | None = None,
    words: Iterable[tuple[str, tuple[str, ...]]] = (),
) -> CaptionSet:
    """Read the text file of every id; plain captions are tagged by spaCy, or by what the tagged captions teach.

    A file that cannot be used (absent, not UTF-8, no caption, a malformed line, impossible times) becomes a problem of
    its clip; the other clips go on. What the tagged captions do not hold is told by `words` and by the common words.

    Args:
        paths: id -> text file.
        lexicon_folder: more tagged text files to learn words from, such as HumanML3D's ``texts``.
        words: more texts and their tokens to learn from, less sure than tagged captions.
    """
    found = CaptionSet()
    for id, path in paths.items():
        try:
            found.captions[id] = tuple(read_caption_file(path, check_times=True))
        except InputError as error:
            found.problems[id] = str(error)
    # Equal plain captions are tagged once.
    given = [caption for captions in found.captions.values() for caption in captions]
    plain = dict.fromkeys(caption.text for caption in given if not caption.tokens)
    if not plain:
        return found
    tagged = [caption for caption in given if caption.tokens]
    learned = [(caption.text, caption.tokens) for caption in [*tagged, *_lexicon_captions(lexicon_folder)]]
    # Where two readings of a word are equally frequent the first one counts, so what the data set says comes first.
    tagger = CaptionTagger.default([*learned, *words, *common_pairs()])
    tokens = {text: tagger.tag(text) for text in plain}
    found.tagger, found.tagged_plain = tagger.name, len(given) - len(tagged)
    found.unknown_words = _unknown_words(tokens.values())
    # A plain caption that holds no word ("...") makes its clip unusable.
    for id, captions in list(found.captions.items()):
        made = [replace(caption, tokens=caption.tokens or tokens[caption.text]) for caption in captions]
        wordless = next((caption.text for caption in made if not caption.tokens), None)
        if wordless is None:
            found.captions[id] = tuple(made)
        else:
            del found.captions[id]
            found.problems[id] = f"{paths[id]}: no word in the caption {wordless!r}"
    return found


def read_caption_file(path: str | Path, check_times: bool = False) -> list[Caption]:
    """The captions of one text file, without tokens where it has none.

    Raises InputError (path, line, reason) for a file that cannot be read, a malformed line or no caption; with
    `check_times` also for times that no part of a clip has, which readers of data sets leave out.
    """
    captions = []
    for number, line in numbered_lines(path):
        caption = _parsed(path, number, line)
        if check_times and caption.is_segment and not (0 <= caption.start < math.inf and 0 <= caption.end < math.inf):
            raise InputError(
                f"{path}:{number}: start and end must be seconds of the clip, or 0.0#0.0 for all of it, "
                f"got {caption.start:g} and {caption.end:g}"
            )
        captions.append(caption)
    if not captions:
        raise InputError(f"{path}: no caption in it")
    return captions


def first_caption(path: str | Path) -> str | None:
    """The first caption of a text file, by the rules of all; None for a file without one. Raises InputError."""
    number, line = next(numbered_lines(path), (0, None))
    return None if line is None else _parsed(path, number, line).text


def _parsed(path: str | Path, number: int, line: str) -> Caption:
    try:
        return parse_caption_line(line, needs_tokens=False)
    except InputError as error:
        raise InputError(f"{path}:{number}: {error}") from None


def _lexicon_captions(folder: Path | None) -> list[Caption]:
    """The tagged captions of a folder of text files, from which a tagger can learn, without what is malformed."""
    if folder is None:
        return []
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of tagged texts")
    captions = []
    for path in sorted(folder.glob("*.txt")):
        with contextlib.suppress(InputError):
            captions += parse_captions(read_text(path))[0]
    if not captions:
        raise InputError(f"{folder}: no tagged caption in it")
    return captions


def _unknown_words(captions: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The words that a tagger marked as unknown, most frequent first."""
    counts: dict[str, int] = {}
    for tokens in captions:
        for token in tokens:
            if token.endswith(f"/{UNKNOWN_CLASS}"):
                counts[token] = counts.get(token, 0) + 1
    return tuple(token.rpartition("/")[0] for token in sorted(counts, key=lambda token: -counts[token]))
