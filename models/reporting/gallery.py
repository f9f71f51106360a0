"""A few clips to look at: what was asked, what each system answered, real motion beside it, what was measured."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dataset.facts.contradictions import contradictions
from dataset.facts.motion_facts import MotionFacts, motion_facts
from dataset.humanml.layout import MotionRecord, read_split
from models.language.replies import parse_reply
from models.policy.checkpoint import load_checkpoint, motion_tokenizer_of
from models.reporting.cards import candidate_cards, marks_of, measured, mistakes, safe
from models.reporting.deciding import Look, what_decided
from models.reporting.runs import ShownRun
from models.tokenizer.motion_tokenizer import MotionTokenizer
from utils.errors import InputError
from utils.motion.features import joints_from_features
from utils.motion.skeleton import Skeleton, get_skeleton
from utils.report.player import PlayedMotion, player

# Motions of candidates in one page, about 12 kB each: fifty clips of four systems stay below 10 MB.
_CANDIDATES_PLAYED = 300


@dataclass(frozen=True, eq=False)
class Gallery:
    """What the cards of one task are made from.

    Attributes:
        task: ``t2m`` or ``m2t``.
        runs: evaluations of it, in order.
        records: the real clips by id.
        skeleton: of all motions.
        tokenizer: decodes the codes of replies; None where there are none.
        sources: the clips that copies are of, by id.
    """

    task: str
    runs: Sequence[ShownRun]
    records: dict[str, MotionRecord]
    skeleton: Skeleton
    tokenizer: MotionTokenizer | None
    sources: dict[str, MotionRecord] = field(default_factory=dict)

    @classmethod
    def of(cls, task: str, runs: Sequence[ShownRun]) -> "Gallery | None":
        """None, with a logged reason, where the data or the checkpoint are not here any more."""
        only_copies = all(run.is_copy for run in runs)
        for run in runs:
            asked = run.arguments
            root = asked.get("data_root")
            if not run.predictions or root is None or (run.is_copy and not only_copies):
                continue
            try:
                skeleton = get_skeleton(asked.get("dataname", "t2m"))
                records = {record.id: record for record in read_split(root, asked.get("eval_split", "test"), skeleton)}
                tokenizer = _tokenizer(asked.get("eval_ckpt"), asked.get("motion_tokenizer"))
                sources = _sources(runs, skeleton)
            except InputError as error:
                logging.warning("no gallery of %s: %s", run.name, error)
                continue
            if tokenizer is None and task == "t2m" and not only_copies:
                logging.warning("no gallery of %s: its codes need --motion-tokenizer", run.name)
                continue
            return cls(task, [one for one in runs if one.predictions], records, skeleton, tokenizer, sources)
        return None

    def cards(self, count: int) -> str:
        """The HTML of the first `count` clips that every system has answered."""
        by_run = [{row["id"]: row for row in run.predictions} for run in self.runs]
        ids = [row["id"] for row in self.runs[0].predictions if row["id"] in self.records]
        common = [id for id in ids if all(id in rows for rows in by_run)][:count]
        make = self._motion_card if self.task == "t2m" else self._caption_card
        most = max(_CANDIDATES_PLAYED // max(len(common), 1), 1)
        return "".join(make(id, [rows[id] for rows in by_run], most) for id in common)

    # --- Text to motion ---

    def _motion_card(self, id: str, replies: Sequence[dict[str, Any]], most: int) -> str:
        caption = replies[0].get("caption") or self.records[id].captions[0].text
        motions = [PlayedMotion("real", self._joints(self.records[id].features))]
        facts = motion_facts(motions[0].joints, self.skeleton)
        told, marks = [], marks_of(facts, contradictions(caption, facts), 0, "real")
        for run, row in zip(self.runs, replies, strict=True):
            source = self.sources.get(row.get("copied_from"))
            joints = self._decoded(row.get("codes")) if source is None else self._joints(source.features)
            problem = row.get("problem") or ("no motion" if joints is None else None)
            reasoning = parse_reply(row.get("text") or "", "t2m").reasoning or ""
            told.append(f"<p><b>{safe(run.name)}</b> <span class='soft'>{safe(problem or reasoning)}</span></p>")
            if joints is None:
                continue
            motions.append(PlayedMotion(run.name, joints))
            facts = motion_facts(joints, self.skeleton)
            wrong = contradictions(caption, facts)
            told.append(measured(facts, wrong))
            marks += marks_of(facts, wrong, len(motions) - 1, run.name)
        return (
            f'<section class="card"><h3>{safe(caption)}</h3>'
            f"{player(f't2m-{id}', motions, self.skeleton, self.skeleton.fps, marks)}{''.join(told)}"
            f"{self._candidates(id, most, lambda row: self._made(caption, row))}</section>"
        )

    def _made(self, caption: str, row: dict[str, Any]) -> tuple[str, MotionFacts] | None:
        """What a candidate was asked for, and the facts of its motion."""
        joints = self._decoded(row.get("codes"))
        return None if joints is None or len(joints) < 2 else (caption, motion_facts(joints, self.skeleton))

    def _candidates(self, id: str, most_played: int, look: Look) -> str:
        """The candidates of Chain-of-Motion, with the chosen one marked, and what decided."""
        parts = []
        for run in self.runs:
            rows = [row for row in run.traces.get(id, ()) if row.get("duplicate_of") is None]
            if not rows:
                continue
            cards = candidate_cards(f"{run.name}-{id}", rows, self.task, self._decoded, self.skeleton, most_played)
            decided = what_decided(rows, look, run.scorers)
            summary = f"{len(rows)} candidates of {safe(run.name)}"
            parts.append(f"{decided}<details><summary>{summary}</summary>{cards}</details>")
        return "".join(parts)

    # --- Motion to text ---

    def _caption_card(self, id: str, replies: Sequence[dict[str, Any]], most: int) -> str:
        record = self.records[id]
        joints = self._joints(record.features)
        facts = motion_facts(joints, self.skeleton)
        told = ["".join(f"<li>{safe(caption.text)}</li>" for caption in record.captions)]
        for run, row in zip(self.runs, replies, strict=True):
            reply = parse_reply(row.get("text") or "", "m2t")
            answer = row.get("answer") or reply.answer or f"({row.get('problem') or 'no answer'})"
            wrong = contradictions(answer, facts)
            told.append(
                f"<p><b>{safe(run.name)}</b> {safe(answer)}</p><p class='soft'>{safe(reply.reasoning or '')}</p>"
                + mistakes(wrong)
            )
        shown = player(
            f"m2t-{id}", [PlayedMotion("real", joints)], self.skeleton, self.skeleton.fps, marks_of(facts, ())
        )
        return (
            f"<section class='card'>{shown}<p class='soft'>references</p><ul>{told[0]}</ul>"
            f"{''.join(told[1:])}{self._candidates(id, most, lambda row: _told(row, facts))}</section>"
        )

    def _joints(self, features: np.ndarray) -> np.ndarray:
        return self.skeleton.in_metres(joints_from_features(features, self.skeleton))

    def _decoded(self, codes: Sequence[int] | None) -> np.ndarray | None:
        if self.tokenizer is None or not codes or min(codes) < 0 or max(codes) >= self.tokenizer.nb_code:
            return None
        return self._joints(self.tokenizer.decode(np.array(codes)))


def _told(row: dict[str, Any], facts: MotionFacts) -> tuple[str, MotionFacts] | None:
    """What a candidate answers of a motion with these facts."""
    answer = parse_reply(row.get("text") or "", "m2t").answer
    return (answer, facts) if answer else None


def _sources(runs: Sequence[ShownRun], skeleton: Skeleton) -> dict[str, MotionRecord]:
    """The training clips that replies are copies of, by id."""
    found = {}
    for run in runs:
        if run.is_copy and (root := run.arguments.get("data_root")) is not None:
            wanted = {row["copied_from"] for row in run.predictions}
            found |= {record.id: record for record in read_split(root, "train", skeleton) if record.id in wanted}
    return found


def _tokenizer(checkpoint: str | None, given: str | None) -> MotionTokenizer | None:
    """The one that was named, which is the smaller file, or that of the checkpoint."""
    if given is not None:
        return MotionTokenizer.load(given)
    return None if checkpoint is None else motion_tokenizer_of(load_checkpoint(checkpoint), None, checkpoint)
