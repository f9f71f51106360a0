"""What an evaluation judges: one prediction per clip and draw, ours or somebody else's.

A prediction that cannot be used (`problem`) stays in and counts as a failure; it never becomes a default motion.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.language.replies import parse_reply
from models.language.rollout import Rollout
from models.tokenizer.motion_tokenizer import MotionTokenizer
from utils.errors import InputError
from utils.metrics.report import MetricValue

EMPTY, CUT, UNPLAYABLE, MISSING = "empty reply", "longer than the limit", "codes outside the codebook", "no prediction"


@dataclass(frozen=True, eq=False)
class Prediction:
    """One reply, ready to be judged.

    Attributes:
        id, draw: which clip, which reply to it.
        caption: t2m: what was asked for; m2t: None.
        text: the whole reply of a model of ours, None for other systems.
        answer: m2t: the predicted caption; None where there is none.
        codes: t2m: (N,) int64; None where there are none.
        motion: t2m: (T, D) float32 denormalised features; None where there is none.
        problem: why it counts as a failure; None where it does not.
        finished: the reply ended by itself.
        copied_from: of a copy, the clip that has it.
    """

    id: str
    draw: int
    caption: str | None = None
    text: str | None = None
    answer: str | None = None
    codes: np.ndarray | None = None
    motion: np.ndarray | None = None
    problem: str | None = None
    finished: bool = True
    copied_from: str | None = None

    @property
    def well_formed(self) -> bool:
        return self.problem is None

    def row(self) -> dict[str, Any]:
        """As a line of predictions.jsonl."""
        copied = {} if self.copied_from is None else {"copied_from": self.copied_from}
        return {
            "id": self.id,
            "draw": self.draw,
            "caption": self.caption,
            "text": self.text,
            "answer": self.answer,
            "codes": None if self.codes is None else self.codes.tolist(),
            "finished": self.finished,
            "problem": self.problem,
            **copied,
        }

    @classmethod
    def of_rollout(cls, rollout: Rollout, draw: int) -> "Prediction":
        """A reply of our model; what was parsed and decoded of it is not parsed and decoded again."""
        problem = _problem(rollout.text, rollout.finished, rollout.problem)
        given = cls(rollout.id, draw, text=rollout.text, problem=problem, finished=rollout.finished)
        if rollout.task == "m2t":
            return replace(given, answer=rollout.answer)
        motion = rollout.motion if problem is None else None
        return replace(given, caption=rollout.caption, codes=rollout.codes, motion=motion)


@dataclass(frozen=True, eq=False)
class Replies:
    """All that an evaluation judges, and what its signature must say of where it came from.

    Attributes:
        draws: predictions, one list a draw.
        checkpoint: fingerprint of the policy that wrote them; None for predictions that were given.
        com: label of Chain-of-Motion, such as ``8x2``; None without.
        decoding: how they were drawn, such as ``T0.7,p1,max512,float32``; None where nobody knows.
        ranked_by, rewarded_by: fingerprints of the evaluators that ranked candidates and that rewarded the policy.
        notes: further words of the signature, such as ``predictions=<content>``.
        multimodality: of further replies (t2m); None where it was left out.
        com_cost: weights of the scorers, and what each round cost; None without Chain-of-Motion.
    """

    draws: list[list[Prediction]]
    checkpoint: str | None = None
    com: str | None = None
    decoding: str | None = None
    ranked_by: str | None = None
    rewarded_by: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    multimodality: MetricValue | None = None
    com_cost: Mapping[str, Any] | None = None

    def partiality_of(self, evaluator: str) -> tuple[str, ...]:
        """Where the evaluator of this fingerprint is no outsider: it ranked the candidates, or rewarded the policy."""
        ranked = ("judge=ranker",) if evaluator == self.ranked_by else ()
        return (*ranked, "judge=reward") if evaluator in self.rewarded_by else ranked


def from_reply(prediction: Prediction, task: str) -> Prediction:
    """Take `text` apart by the grammar: answer, codes and problem follow from it; the motion is decoded later."""
    text = prediction.text or ""
    reply = parse_reply(text, task)
    problem = _problem(text, prediction.finished, reply.problem)
    if task == "m2t":
        return replace(prediction, answer=reply.answer, problem=problem)
    codes = None if reply.codes is None else np.array(reply.codes, dtype=np.int64)
    return replace(prediction, answer=None, codes=codes, problem=problem)


def _problem(text: str, finished: bool, malformed: str | None) -> str | None:
    """Why a reply counts as a failure, the plainest reason first."""
    if not text.strip():
        return EMPTY
    return malformed if finished else CUT


def failures(predictions: Iterable[Prediction]) -> dict[str, int]:
    """How many predictions cannot be used, by reason, the commonest first."""
    return dict(Counter(p.problem for p in predictions if p.problem is not None).most_common())


def with_motions(
    predictions: Sequence[Prediction], tokenizer: MotionTokenizer | None, where: str = "predictions"
) -> list[Prediction]:
    """Decode, in one batch, the codes of those that have no motion yet. InputError where that needs a tokenizer."""
    waiting = [i for i, p in enumerate(predictions) if p.codes is not None and p.motion is None and p.problem is None]
    if not waiting:
        return list(predictions)
    if tokenizer is None:
        raise InputError(f"{where} holds motion codes: give --motion-tokenizer, the tokenizer that they are of")
    done = list(predictions)
    playable = []
    for index in waiting:
        codes = predictions[index].codes
        if codes.min() >= 0 and codes.max() < tokenizer.nb_code:
            playable.append(index)
        else:
            done[index] = replace(predictions[index], problem=UNPLAYABLE)
    motions = tokenizer.decode_batch([predictions[index].codes for index in playable])
    for index, motion in zip(playable, motions, strict=True):
        done[index] = replace(predictions[index], motion=motion)
    return done


def arrange(
    predictions: Sequence[Prediction], ids: Sequence[str], where: str, warn: Callable[[str], None]
) -> list[list[Prediction]]:
    """One list a draw, in the order of `ids`; an id without a prediction counts as a failure (`MISSING`).

    Raises InputError for predictions of unknown ids.
    """
    by_key = {(p.id, p.draw): p for p in predictions}
    known = set(ids)
    unknown = sorted({p.id for p in predictions} - known)
    if unknown:
        raise InputError(f"{where}: {len(unknown)} ids are not in the evaluated split, the first is {unknown[0]!r}")
    draws = 1 + max((p.draw for p in predictions), default=0)  # none: of the first clips of --limit
    arranged = [[by_key.get((id, draw), Prediction(id, draw, problem=MISSING)) for id in ids] for draw in range(draws)]
    missing = sum(p.problem == MISSING for row in arranged for p in row)
    if missing:
        warn(f"{where}: {missing} of {len(ids) * draws} predictions are missing and count as failures")
    return arranged
