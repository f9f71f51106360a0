"""What an evaluation asks of whom: real motions, the caption drawn for each, and the replies as predictions."""

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
    """N questions.

    Attributes:
        task: ``t2m`` or ``m2t``.
        records: the real motions with all their captions; without any for m2t alone.
        captions: the one caption of each that text to motion is asked for; an empty one where there is none.
        tagger: makes ``word/POS`` tokens of captions that come without.
    """

    task: str
    records: tuple[MotionRecord, ...]
    captions: tuple[Caption, ...]
    tagger: Tagger

    @classmethod
    def draw(cls, task: str, records: Sequence[MotionRecord], tagger: Tagger, seed: int) -> "Questions":
        """One caption of each record, by the seed."""
        rng = random.Random(seed)
        drawn = (rng.choice(record.captions) if record.captions else Caption("", ()) for record in records)
        return cls(task, tuple(records), tuple(drawn), tagger)

    @property
    def can_be_scored(self) -> bool:
        """Whether there are true captions to compare with."""
        return any(record.captions for record in self.records)

    def as_answered(self, draws: Iterable[Sequence[Prediction]]) -> "Questions":
        """The questions with the captions that the predictions, in the order of the records, say they answer."""
        captions = []
        for drawn, record, column in zip(self.captions, self.records, zip(*draws, strict=True), strict=True):
            text = next((prediction.caption for prediction in column if prediction.caption is not None), None)
            own = next((caption for caption in record.captions if caption.text == text), None)
            other = None if text is None else Caption(text, self.tagger.tag(text))
            captions.append(own or other or drawn)
        return replace(self, captions=tuple(captions))

    @property
    def references(self) -> list[tuple[str, ...]]:
        """All true captions of each motion."""
        return [tuple(caption.text for caption in record.captions) for record in self.records]

    def queries(self, tokenizer: MotionTokenizer) -> list[Query]:
        """One query per record: its caption (t2m), or the codes of the real motion (m2t)."""
        if self.task == "t2m":
            pairs = zip(self.records, self.captions, strict=True)
            return [Query("t2m", caption=caption.text, id=record.id) for record, caption in pairs]
        codes = tokenizer.encode_batch([record.features for record in self.records])
        pairs = zip(self.records, codes, strict=True)
        return [Query("m2t", codes=tuple(item.tolist()), id=record.id) for record, item in pairs]
