"""Captions and tasks become assignments: what a model is asked, with what it is shown of the motion."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dataset.cot.acceptance import Bounds
from dataset.facts.contradictions import Contradiction, contradictions
from dataset.facts.in_words import facts_text
from dataset.facts.motion_facts import MotionFacts, motion_facts
from dataset.humanml.layout import MotionRecord
from prepare.annotation.prompts import annotation_messages
from utils.motion.pictures import contact_sheet
from utils.motion.skeleton import Skeleton
from utils.motion.stick_figure import DrawnClip

_COLUMNS, _PANEL = 6, 192  # pictures in a contact sheet, and pixels of each


@dataclass(frozen=True, eq=False)
class Assignment:
    """A caption and a task to ask reasoning for.

    Attributes:
        record: the motion.
        task: ``m2t`` or ``t2m``.
        caption: of the motion.
        number: place of the caption among the motion's captions.
    """

    record: MotionRecord
    task: str
    caption: str
    number: int

    @property
    def key(self) -> tuple[str, str, str]:
        """The key of the assignment in an AnnotationStore."""
        return self.record.id, self.task, self.caption


@dataclass(frozen=True)
class Evidence:
    """What a model is shown of a motion beside its caption: measured facts as text, a contact sheet, or both."""

    skeleton: Skeleton
    with_facts: bool
    with_video: bool

    @property
    def name(self) -> str:
        return "+".join(name for name, shown in (("facts", self.with_facts), ("video", self.with_video)) if shown)

    def facts(self, record: MotionRecord) -> MotionFacts:
        return motion_facts(self._joints(record), self.skeleton)

    def _joints(self, record: MotionRecord) -> np.ndarray:
        from utils.motion.features import joints_in_metres  # late: `--help` must not wait for torch

        return joints_in_metres(record.features, self.skeleton)

    def messages(self, assignment: Assignment, bounds: Bounds) -> list[dict[str, Any]]:
        """The chat messages that ask for `assignment`."""
        joints = self._joints(assignment.record)
        facts = None
        if self.with_facts:
            facts = facts_text(motion_facts(joints, self.skeleton))
        picture = None
        if self.with_video:
            stream = io.BytesIO()
            contact_sheet([DrawnClip(joints)], self.skeleton.fps, _COLUMNS, _PANEL).save(stream, format="PNG")
            picture = stream.getvalue()
        return annotation_messages(assignment.task, assignment.caption, bounds, facts, picture)


def assignments_of(
    records: Iterable[MotionRecord], tasks: Sequence[str], captions_per_clip: int
) -> Iterator[Assignment]:
    """The first captions of each clip, each for every task; a caption that a clip repeats is asked about once."""
    for record in records:
        texts = [caption.text for caption in record.captions]
        for number, text in enumerate(texts[:captions_per_clip]):
            if text not in texts[:number]:
                for task in tasks:
                    yield Assignment(record, task, text, number)


def doubtful_captions(
    assignments: Iterable[Assignment], evidence: Evidence
) -> dict[tuple[str, str], list[Contradiction]]:
    """(clip id, caption) -> how the clip's own motion contradicts the caption, so that any reasoning would be wrong."""
    found: dict[tuple[str, str], list[Contradiction]] = {}
    facts: tuple[str, MotionFacts] | None = None
    for assignment in assignments:  # those of a clip follow one another, so it is measured once
        if facts is None or facts[0] != assignment.record.id:
            facts = assignment.record.id, evidence.facts(assignment.record)
        if items := contradictions(assignment.caption, facts[1]):
            found[assignment.record.id, assignment.caption] = items
    return found
