"""What is asked: one assignment a caption and task, with what can be shown of its motion."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dataset.cot.acceptance import Bounds
from dataset.facts.contradictions import Contradiction, contradictions
from dataset.facts.in_words import facts_text
from dataset.facts.motion_facts import MotionFacts, motion_facts
from dataset.humanml.layout import MotionRecord
from prepare.annotation.prompts import annotation_messages
from utils.motion.features import joints_in_metres
from utils.motion.pictures import contact_sheet
from utils.motion.skeleton import Skeleton
from utils.motion.stick_figure import DrawnClip

_COLUMNS, _PANEL = 6, 192


@dataclass(frozen=True, eq=False)
class Assignment:
    """One thing to ask.

    Attributes:
        record: the motion.
        task: ``m2t`` or ``t2m``.
        caption: of the motion; `number` is its place among the motion's captions.
    """

    record: MotionRecord
    task: str
    caption: str
    number: int

    @property
    def key(self) -> tuple[str, str, str]:
        """What names it in an AnnotationStore."""
        return self.record.id, self.task, self.caption


@dataclass(frozen=True)
class Evidence:
    """What is shown of a motion beside its caption."""

    skeleton: Skeleton
    with_facts: bool
    with_video: bool

    @property
    def name(self) -> str:
        return "+".join(name for name, shown in (("facts", self.with_facts), ("video", self.with_video)) if shown)

    def facts(self, record: MotionRecord) -> MotionFacts:
        return motion_facts(joints_in_metres(record.features, self.skeleton), self.skeleton)

    def messages(self, assignment: Assignment, bounds: Bounds) -> list[dict[str, Any]]:
        """The chat messages that ask for `assignment`."""
        joints = joints_in_metres(assignment.record.features, self.skeleton)
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
    """Clip by clip, its first captions, each for every task; a caption that a clip repeats is asked about once."""
    for record in records:
        texts = [caption.text for caption in record.captions]
        for number, text in enumerate(texts[:captions_per_clip]):
            if text not in texts[:number]:
                for task in tasks:
                    yield Assignment(record, task, text, number)


def doubtful_captions(
    assignments: Iterable[Assignment], evidence: Evidence
) -> dict[tuple[str, str], list[Contradiction]]:
    """(clip id, caption) -> how the clip's own motion contradicts it: whatever is written of it will be wrong."""
    found: dict[tuple[str, str], list[Contradiction]] = {}
    facts: tuple[str, MotionFacts] | None = None
    for assignment in assignments:  # those of a clip follow one another
        if facts is None or facts[0] != assignment.record.id:
            facts = assignment.record.id, evidence.facts(assignment.record)
        if items := contradictions(assignment.caption, facts[1]):
            found[assignment.record.id, assignment.caption] = items
    return found
