"""Captions that come without part-of-speech tokens (`word/POS`) get them here, offline.

The text-motion evaluator reads captions as HumanML3D stores them: words of letters only, nouns and verbs as lemmas,
with a universal part of speech. spaCy makes these where it is installed; else `CaptionTagger` repeats what it saw
in the data set's own tagged captions.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from dataset.captions.word_vectors import split_token

SPACY_MODEL = "en_core_web_sm"
UNKNOWN_CLASS = "OTHER"  # of words that nothing is known about
_LEMMATISED = ("NOUN", "VERB")
_ANY, _LAST = "*", "."  # in place of the next word: any word, no word
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
# Forms that no ending leads back to their lemma, as form:lemma.
_IRREGULAR_FORMS = (
    "feet:foot went:go goes:go gone:go does:do did:do done:do has:have had:have ran:run sat:sit stood:stand bent:bend "
    "spun:spin swung:swing threw:throw thrown:throw took:take taken:take held:hold made:make came:come fell:fall "
    "fallen:fall knelt:kneel leapt:leap lay:lie lying:lie brought:bring caught:catch kept:keep rose:rise shook:shake "
    "began:begin begun:begin drew:draw gave:give given:give got:get"
)
_IRREGULAR = dict(pair.split(":") for pair in _IRREGULAR_FORMS.split())
# An ending, and what may stand in its place in the lemma.
_ENDINGS = (
    ("ies", ("y", "ie")),
    ("ied", ("y",)),
    ("es", ("e", "")),
    ("s", ("",)),
    ("ed", ("e", "")),
    ("ing", ("e", "")),
)


class Tagger(Protocol):
    """Anything that turns a caption into `word/POS` tokens; `name` tells taggers apart in signatures of metrics."""

    name: str

    def tag(self, text: str) -> tuple[str, ...]: ...


def caption_words(text: str) -> list[str]:
    """The words that HumanML3D's processing keeps: letters only, hyphens closed up, `'s` and the like dropped."""
    return [word.split("'")[0] for word in _WORD.findall(text.lower().replace("-", "").replace("\u2019", "'"))]


def _next_words(words: list[str]) -> list[str]:
    """For each word the one after it."""
    return [*words, _LAST][1:]


def _lemma_guesses(word: str) -> Iterator[str]:
    """Base forms that an English word could have, likeliest first."""
    if word in _IRREGULAR:
        yield _IRREGULAR[word]
    for ending, replacements in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 2:
            stem = word[: -len(ending)]
            # "stopped" -> "stop"
            if ending in ("ed", "ing") and len(stem) > 2 and stem[-1] == stem[-2]:
                yield stem[:-1]
            yield from (stem + replacement for replacement in replacements)


class CaptionTagger:
    """A tagger that repeats how words were tagged in other captions.

    Args:
        forms: (word as written, next word) -> its commonest `word/POS` token; `_ANY` and `_LAST` may stand for the
            next word.
        lemmas: lemma -> counts of its parts of speech, for words that were never seen as written.
    """

    name = "lexicon"

    def __init__(self, forms: dict[tuple[str, str], str], lemmas: dict[str, Counter]) -> None:
        self._forms, self._lemmas = forms, lemmas

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, Iterable[str]]]) -> "CaptionTagger":
        """Learn from captions as written and their tokens; where their words line up, inflections are learned too.

        Where they do not, only lemmas are learned, and inflected words are led back to them by rules.
        """
        forms: defaultdict[tuple[str, str], Counter] = defaultdict(Counter)
        lemmas: defaultdict[str, Counter] = defaultdict(Counter)
        for text, tokens in pairs:
            tokens = tuple(tokens)
            for word, pos in map(split_token, tokens):
                lemmas[word][pos] += 1
            words = caption_words(text)
            if len(words) == len(tokens):
                for word, after, token in zip(words, _next_words(words), tokens, strict=True):
                    for key in ((word, after), (word, _ANY)):  # the next word tells "to walk" from "to the left"
                        forms[key][token] += 1
        return cls({key: counts.most_common(1)[0][0] for key, counts in forms.items()}, dict(lemmas))

    @classmethod
    def default(cls, pairs: Iterable[tuple[str, Iterable[str]]]) -> Tagger:
        """spaCy with its small English model where both are installed, else a lexicon of these captions."""
        return _spacy_tagger() or cls.from_pairs(pairs)

    def tag(self, text: str) -> tuple[str, ...]:
        """A caption -> its tokens. An unknown word keeps its form and gets the class `UNKNOWN_CLASS`."""
        words = caption_words(text)
        return tuple(self._tag_word(word, after) for word, after in zip(words, _next_words(words), strict=True))

    def _tag_word(self, word: str, after: str) -> str:
        for key in ((word, after), (word, _ANY)):
            if key in self._forms:
                return self._forms[key]
        # Never seen as written: the commonest reading of the word itself or of one of its possible lemmas.
        best, count = f"{word}/{UNKNOWN_CLASS}", 0
        if word in self._lemmas:
            pos, count = self._lemmas[word].most_common(1)[0]
            best = f"{word}/{pos}"
        for guess in _lemma_guesses(word):
            # Only nouns and verbs are lemmatised: "as" must not become the article "a".
            for pos in _LEMMATISED:
                seen = self._lemmas[guess][pos] if guess in self._lemmas else 0
                if seen > count:
                    best, count = f"{guess}/{pos}", seen
        return best


class SpacyTagger:
    """A tagger that does as HumanML3D's own processing does, with spaCy."""

    def __init__(self, pipeline: Any, name: str) -> None:
        self._pipeline, self.name = pipeline, name

    def tag(self, text: str) -> tuple[str, ...]:
        tokens = []
        for token in self._pipeline(text.lower().replace("-", "")):
            if token.text.isalpha():
                # HumanML3D keeps "left", which spaCy would often make "leave".
                lemma = token.pos_ in _LEMMATISED and token.text != "left"
                tokens.append(f"{token.lemma_ if lemma else token.text}/{token.pos_}")
        return tuple(tokens)


def _spacy_tagger() -> SpacyTagger | None:
    """None where spaCy or its model is not installed."""
    try:
        import spacy  # optional and slow to import, so only where a tagger is asked for
    except ImportError:
        return None
    try:
        return SpacyTagger(spacy.load(SPACY_MODEL), f"spacy-{spacy.__version__}-{SPACY_MODEL}")
    except OSError:  # spaCy is there, its model is not
        return None
