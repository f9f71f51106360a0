"""The reasoning of chain-of-thought data comes from a jsonl, a folder of prepare.generate_cot, or templates."""

import random
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from dataset.cot.sample import TASKS
from dataset.cot.templates import template_reasoning
from dataset.facts.contradictions import contradictions
from dataset.facts.motion_facts import MotionFacts
from dataset.humanml.layout import MotionRecord
from prepare.cot.inputs import ClipReasoning, annotated_captions, read_reasoning, reasoning_path
from utils.errors import InputError

TEMPLATE = "template"  # the value of --reasoning that asks for templates
NONE = "none"  # the origin of no reasoning
BOTH = ""  # stands for a task where the reasoning serves both
# By clip id a text for each caption, empty for one that has none.
Reasonings = dict[str, list[str]]


@dataclass(frozen=True)
class ReasoningSource:
    """The source of the reasoning of a data set.

    Attributes:
        origin: the source in words.
        given: the reasoning that was read, by task and clip id; None where templates write it.
        seed: of the words of templates.
        files: that were read.
    """

    origin: str
    given: dict[str, dict[str, ClipReasoning]] | None
    seed: int = 0
    files: tuple[Path, ...] = ()

    @property
    def needs_facts(self) -> bool:
        """Whether the motions have to be measured for this source."""
        return self.given is None

    def by_task(self, records: list[MotionRecord], facts: dict[str, MotionFacts]) -> dict[str, Reasonings]:
        """The reasoning of `records` by task (or `BOTH`)."""
        if self.given is None:
            return {BOTH: _from_templates(records, facts, self.seed)}
        return {
            task: {
                record.id: clips[record.id].of([caption.text for caption in record.captions])
                for record in records
                if record.id in clips
            }
            for task, clips in self.given.items()
        }

    def check_ids(self, ids: Collection[str], where: str) -> None:
        """Raise InputError where reasoning was read, but none of a clip among `ids`, which are those of `where`."""
        read = {id for clips in (self.given or {}).values() for id in clips}
        if read and read.isdisjoint(ids):
            raise InputError(
                f"{self.origin}: none of its {len(read)} ids, such as {min(read)!r}, is among the {len(ids)} of {where}"
                + (f", such as {min(ids)!r}" if ids else "")
            )

    def outdated(self, records: list[MotionRecord]) -> int:
        """How many texts were written for captions that their clips among `records` do not have."""
        captions = {record.id: {caption.text.strip() for caption in record.captions} for record in records}
        return sum(
            len(clips[id].by_caption.keys() - captions[id])
            for clips in (self.given or {}).values()
            for id in clips.keys() & captions.keys()
        )


def reasoning_source(reasoning: str | None, data_root: str | Path, seed: int) -> ReasoningSource:
    """The source that `reasoning` names: a jsonl, a folder, ``template``, or None for the default.

    Raises:
        InputError: no such file, a malformed one (with ``file:line``), or a folder without reasoning.
    """
    if reasoning == TEMPLATE:
        return ReasoningSource(f"{TEMPLATE}, seed {seed}", None, seed)
    toy = Path(data_root) / "programs.jsonl"  # prepare.make_toy_dataset explains its motions there
    path = Path(reasoning) if reasoning else toy if toy.is_file() else None
    if path is None:
        return ReasoningSource(NONE, {BOTH: {}})
    if not path.is_dir():
        return ReasoningSource(str(path), {BOTH: read_reasoning(path)}, files=(path,))
    files = {task: reasoning_path(path, task) for task in TASKS if reasoning_path(path, task).is_file()}
    if not files:
        expected = " or ".join(reasoning_path(path, task).name for task in TASKS)
        raise InputError(f"{path}: expected {expected} in it, as prepare.generate_cot writes them")
    return ReasoningSource(
        ", ".join(map(str, files.values())),
        {task: read_reasoning(file, annotated_captions(path, task)) for task, file in files.items()},
        files=tuple(files.values()),
    )


def _from_templates(records: list[MotionRecord], facts: dict[str, MotionFacts], seed: int) -> Reasonings:
    """One text for each caption of every record that was measured.

    Seed, id and number of the caption decide the words. A caption that its motion contradicts gets an empty text, since
    no true reasoning leads to it.
    """

    def text(record: MotionRecord, number: int, caption: str) -> str:
        if contradictions(caption, facts[record.id]):
            return ""
        return template_reasoning(facts[record.id], caption, random.Random(f"{seed}/{record.id}/{number}"))

    return {
        record.id: [text(record, number, caption.text) for number, caption in enumerate(record.captions)]
        for record in records
        if record.id in facts
    }
