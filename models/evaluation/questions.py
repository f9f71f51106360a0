"""What an evaluation asks of whom: real motions, a caption drawn anew for each of its draws, and replies to them."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dataset.captions.lines import Caption
from dataset.captions.tagger import Tagger
from dataset.humanml.layout import MotionRecord
from models.evaluation.predictions import Prediction
from models.language.prompts import Query
from models.tokenizer.motion_tokenizer import MotionTokenizer


@dataclass(frozen=True)
class Questions:
    """N questions, which are asked once in each draw.

    Attributes:
        task: ``t2m`` or ``m2t``.
        records: the real motions with all their captions; without any for m2t alone.
        tagger: makes ``word/POS`` tokens of captions that come without.
        seed: draws captions.
        answered: of predictions that were given: the captions that they answer, by draw.
    """

    task: str
    records: tuple[MotionRecord, ...]
    tagger: Tagger
    seed: int
    answered: tuple[tuple[Caption, ...], ...] = ()

    def captions(self, draw: int) -> tuple[Caption, ...]:
        """The one caption of each record that text to motion is asked for in a draw; empty where there is none."""
        if self.answered:
            return self.answered[draw]
        rng = random.Random(self.seed + draw)
        return tuple(rng.choice(record.captions) if record.captions else Caption("", ()) for record in self.records)

    @property
    def can_be_scored(self) -> bool:
        """Whether there are true captions to compare with."""
        return any(record.captions for record in self.records)

    def as_answered(self, draws: Iterable[Sequence[Prediction]]) -> "Questions":
        """The questions with the captions that the predictions, in the order of the records, say they answer."""
        return replace(self, answered=tuple(self._answered(draw, row) for draw, row in enumerate(draws)))

    def _answered(self, draw: int, row: Sequence[Prediction]) -> tuple[Caption, ...]:
        captions = []
        for drawn, record, prediction in zip(self.captions(draw), self.records, row, strict=True):
            text = prediction.caption
            own = next((caption for caption in record.captions if caption.text == text), None)
            other = None if text is None else Caption(text, self.tagger.tag(text))
            captions.append(own or other or drawn)
        return tuple(captions)

    @property
    def references(self) -> list[tuple[str, ...]]:
        """All true captions of each motion."""
        return [tuple(caption.text for caption in record.captions) for record in self.records]

    def queries(self, tokenizer: MotionTokenizer, draws: int = 1) -> list[list[Query]]:
        """For each draw one query per record: a caption of it (t2m), or the codes of the real motion (m2t)."""
        if self.task == "t2m":
            asked = [zip(self.records, self.captions(draw), strict=True) for draw in range(draws)]
            return [[Query("t2m", caption=caption.text, id=record.id) for record, caption in row] for row in asked]
        codes = tokenizer.encode_batch([record.features for record in self.records])
        pairs = zip(self.records, codes, strict=True)
        return [[Query("m2t", codes=tuple(item.tolist()), id=record.id) for record, item in pairs]] * draws
