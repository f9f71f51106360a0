"""Chain-of-thought data become pairs of premise and hypothesis, which natural-language inference is trained on.

The premise is a clip's reasoning, the hypothesis a caption. Kinds of pair:

    own          entailment     the clip's own caption
    <slot>       contradiction  its caption with one fact turned round (`dataset.facts.caption_facts`): "hand", "times"
    ...;
                                a fact that the reasoning states, turned into what no caption of the clip says
    other        contradiction  another clip's caption with a word that no clip of like reasoning is described by
    unsaid       neutral        its own caption, after the sentences that state one of its facts or words were dropped
    scrambled    neutral        the words of its own caption in random order: no statement, so nothing follows

A premise is read as a whole description: a hypothesis is contradicted where the reasoning excludes it by telling
something else.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dataset.cot.samples import CotSamples
from dataset.facts.caption_facts import UNITS, Facts, agrees, differs_clearly, facts_of, said_speed, turned

if TYPE_CHECKING:
    from scipy import sparse

ENTAILMENT, NEUTRAL, CONTRADICTION = "entailment", "neutral", "contradiction"
LABELS = (ENTAILMENT, NEUTRAL, CONTRADICTION)
OWN, OTHER, UNSAID, SCRAMBLED = "own", "other", "unsaid", "scrambled"
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_WORD = re.compile(r"[a-z]+")
# The words of so many clips of like reasoning count as familiar; likeness is looked for among so many clips.
_NEIGHBOURS, _NEIGHBOURHOOD = 30, 4000
# The absence of a word that fewer clips have (rare) shows nothing; a word of more than these shares of the clips tells
# little (common) or nothing (ubiquitous).
_RARE, _COMMON, _UBIQUITOUS = 3, 0.25, 0.5
_DRAWS = 24  # captions of other clips that are looked at for one pair
_HARD_SHARE, _SCRAMBLED_SHARE = 0.5, 0.15


@dataclass(frozen=True)
class EntailmentPair:
    """A premise and a hypothesis; `label` (one of LABELS) says whether it follows, `kind` how the pair was made."""

    premise: str
    hypothesis: str
    label: str
    kind: str


@dataclass(frozen=True)
class ReasonedCaption:
    """A caption of a clip with the reasoning that leads to it."""

    clip: str
    caption: str
    reasoning: str


def reasoned_captions(samples: CotSamples) -> list[ReasonedCaption]:
    """The captions that have reasoning, equal lines once."""
    rows = samples.rows
    columns = zip(samples.clips().to_pylist(), rows["caption"], rows["reasoning"], strict=True)
    found = [ReasonedCaption(clip, *texts) for clip, *texts in columns if texts[1]]
    return list(dict.fromkeys(found))


def split_sentences(text: str) -> list[str]:
    return [part for part in (piece.strip() for piece in _SENTENCE_END.split(text)) if part]


class EntailmentPairs:
    """Draws pairs for the lines of a CoT data set; the generator that a method is given decides all of them.

    Args:
        lines: captions with reasoning, of at least two clips.
    """

    def __init__(self, lines: Sequence[ReasonedCaption]) -> None:
        self.lines = lines
        self._clips = list(dict.fromkeys(line.clip for line in lines))
        self._captions: dict[str, list[str]] = defaultdict(list)
        self._reasoning: dict[str, str] = {}
        self._facts: dict[str, Facts] = defaultdict(lambda: defaultdict(set))
        numbers: dict[str, set[int]] = defaultdict(set)
        for line in lines:
            self._captions[line.clip].append(line.caption)
            self._reasoning.setdefault(line.clip, line.reasoning)
            for slot, values in facts_of(line.caption).items():
                self._facts[line.clip][slot] |= values
                numbers[slot].update(int(float(value)) for value in values if slot in UNITS)
        self._numbers = {slot: sorted(values) for slot, values in numbers.items()}
        self._row_of = {clip: row for row, clip in enumerate(self._clips)}
        self._familiar: dict[str, frozenset[str]] = {}

    def group(self, index: int, rng: random.Random) -> list[EntailmentPair]:
        """Three pairs about line `index`: its own caption, one fact turned round, and one of another kind.

        Where no fact can be turned, another clip's caption takes the place of that pair. A kind that the line cannot
        have leaves its pair out.
        """
        line = self.lines[index]
        turned_pairs = self.turned(line, rng)
        pairs = [
            EntailmentPair(line.reasoning, line.caption, ENTAILMENT, OWN),
            rng.choice(turned_pairs) if turned_pairs else self.other(line, rng),
        ]
        if rng.random() < _SCRAMBLED_SHARE:
            pairs.append(self.scrambled(line, rng))
        else:
            pairs.append(self.unsaid(line, rng) if rng.random() < 0.5 else self.other(line, rng))
        return [pair for pair in pairs if pair is not None]

    def every_kind(self, index: int, rng: random.Random) -> list[EntailmentPair]:
        """All pairs about line `index`, one of each kind that it has (for measuring)."""
        line = self.lines[index]
        own = EntailmentPair(line.reasoning, line.caption, ENTAILMENT, OWN)
        more = (self.other(line, rng), self.unsaid(line, rng), self.scrambled(line, rng))
        return [own, *self.turned(line, rng), *(pair for pair in more if pair is not None)]

    def turned(self, line: ReasonedCaption, rng: random.Random) -> list[EntailmentPair]:
        """One contradicted pair for each fact of the caption that the reasoning states."""
        said, found = facts_of(line.reasoning), []
        caption_facts = facts_of(line.caption)
        for slot, values in caption_facts.items():
            if len(values) != 1 or not agrees(slot, next(iter(values)), said.get(slot, set())):
                continue
            # Not only this caption may be wrong of the clip, but all of them, and the reasoning's own number.
            true = self._facts[line.clip][slot] | (said[slot] if slot in UNITS else set())
            caption = turned(
                line.caption,
                slot,
                lambda value, slot=slot, true=true: differs_clearly(slot, value, true),
                self._numbers.get(slot, ()),
                rng,
            )
            if caption != line.caption:
                found.append(EntailmentPair(line.reasoning, caption, CONTRADICTION, slot))
        # Reasoning that speaks of a usual pace excludes "slowly" and "quickly", which no caption said.
        if said_speed(line.reasoning) and "speed" not in self._facts[line.clip]:
            caption = f"{line.caption.rstrip('.')} {rng.choice(('slowly', 'quickly'))}."
            found.append(EntailmentPair(line.reasoning, caption, CONTRADICTION, "speed"))
        return found

    def other(self, line: ReasonedCaption, rng: random.Random) -> EntailmentPair | None:
        """A caption of another clip that says something unfamiliar; None where none was found.

        Every second time it is a hard one: of those drawn the caption with the fewest unfamiliar words.
        """
        familiar = self._familiar_words(line.clip)
        candidates: list[tuple[int, str]] = []
        hard = rng.random() < _HARD_SHARE
        for _ in range(_DRAWS):
            caption = rng.choice(self._captions[rng.choice(self._clips)])
            foreign = len(self._frequent & set(_words(caption)) - familiar)
            if foreign:
                candidates.append((foreign, caption))
                if not hard:
                    break
        if not candidates:
            return None
        return EntailmentPair(line.reasoning, min(candidates, key=lambda entry: entry[0])[1], CONTRADICTION, OTHER)

    def unsaid(self, line: ReasonedCaption, rng: random.Random) -> EntailmentPair | None:
        """The own caption after the sentences that tell of one of its facts or words were dropped from the premise.

        None where all sentences tell of it, or none does.
        """
        sentences = [(text, facts_of(text), set(_words(text))) for text in split_sentences(line.reasoning)]
        # Each choice is what remains of the reasoning after one fact, one word, or all that the caption speaks of.
        said, choices = facts_of(line.reasoning), []
        for slot, values in facts_of(line.caption).items():
            if slot != "order" and agrees(slot, min(values), said.get(slot, set())):
                choices.append([text for text, facts, _ in sentences if slot not in facts])
        for word in sorted(self._telling_words(line.caption, _COMMON)):
            choices.append([text for text, _, words in sentences if word not in words])
        choices.append([text for text, facts, words in sentences if self._is_needless(line.caption, facts, words)])
        choices = [kept for kept in choices if 0 < len(kept) < len(sentences)]
        return EntailmentPair(" ".join(rng.choice(choices)), line.caption, NEUTRAL, UNSAID) if choices else None

    def scrambled(self, line: ReasonedCaption, rng: random.Random) -> EntailmentPair | None:
        """The words of the own caption in random order; None for fewer than four, which may say the same again."""
        words = line.caption.rstrip(".").split()
        if len(words) < 4:
            return None
        return EntailmentPair(line.reasoning, " ".join(rng.sample(words, len(words))) + ".", NEUTRAL, SCRAMBLED)

    def _is_needless(self, caption: str, facts: Facts, words: set[str]) -> bool:
        """Whether a sentence of these facts and words tells nothing that `caption` speaks of."""
        return not (facts_of(caption).keys() & facts.keys() or self._telling_words(caption, _UBIQUITOUS) & words)

    def _telling_words(self, caption: str, common: float) -> set[str]:
        """Words of a caption that at most a share `common` of the clips' captions hold."""
        return {word for word in _words(caption) if self._clips_with[word] <= common * len(self._clips)}

    @cached_property
    def _clips_with(self) -> Counter[str]:
        return Counter(word for captions in self._captions.values() for word in set(_words(*captions)))

    @cached_property
    def _frequent(self) -> frozenset[str]:
        return frozenset(word for word, count in self._clips_with.items() if count >= _RARE)

    @cached_property
    def _vectors(self) -> "sparse.csr_matrix":
        """(clips, words) TF-IDF of the reasoning without the words that state facts, in rows of length 1."""
        from scipy import sparse

        texts = [Counter(word for word in _words(self._reasoning[clip]) if not facts_of(word)) for clip in self._clips]
        columns = {word: column for column, word in enumerate(dict.fromkeys(word for text in texts for word in text))}
        rows = [(row, columns[word], count) for row, text in enumerate(texts) for word, count in text.items()]
        at, to, counts = (np.array(part) for part in zip(*rows, strict=True))
        matrix = sparse.csr_matrix((counts.astype(np.float32), (at, to)), (len(texts), len(columns)))
        idf = np.log((1 + len(texts)) / (1 + np.bincount(to, minlength=len(columns))))
        matrix = matrix.multiply(idf[None]).tocsr()
        norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        return sparse.diags_array(1 / np.maximum(norms, 1e-9)) @ matrix

    def _familiar_words(self, clip: str) -> frozenset[str]:
        """Words of the captions of the clips whose reasoning is most like that of `clip`, its own included."""
        if clip not in self._familiar:
            row = self._row_of[clip]
            near = self._vectors[:_NEIGHBOURHOOD] @ self._vectors[[row]].T
            order = np.argsort(-near.toarray()[:, 0])[:_NEIGHBOURS]
            captions = (caption for index in (row, *order) for caption in self._captions[self._clips[index]])
            self._familiar[clip] = frozenset(_words(*captions))
        return self._familiar[clip]


def _words(*texts: str) -> Iterable[str]:
    return (word for text in texts for word in _WORD.findall(text.lower()))
