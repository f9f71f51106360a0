"""Pages of what a model has just answered: motions for captions, captions for motions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dataset.facts.contradictions import contradictions
from dataset.facts.motion_facts import MotionFacts, motion_facts
from models.inference.body import joints_metres
from models.inference.results import DescribedMotion, GeneratedMotion
from models.reporting.cards import candidate_cards, marks_of, measured, safe
from models.reporting.deciding import what_decided
from models.tokenizer.motion_tokenizer import MotionTokenizer
from utils.report.player import Mark, PlayedMotion, page, player


def motions_page(motions: Sequence[GeneratedMotion], tokenizer: MotionTokenizer) -> str:
    """A card a motion: caption, player, reasoning, what was measured, and the candidates of Chain-of-Motion."""
    return page(motions[0].caption, "".join(_motion(number, one, tokenizer) for number, one in enumerate(motions)))


def captions_page(described: Mapping[str, Sequence[DescribedMotion]]) -> str:
    """A card a window of a motion: player, caption, reasoning."""
    cards = []
    for name, windows in described.items():
        cards.append(f"<h2>{safe(name)}</h2>")
        for window in windows:
            facts = motion_facts(window.joints, window.skeleton)
            wrong = contradictions(window.caption, facts)
            motion = [PlayedMotion(f"{window.start:.1f} to {window.end:.1f} s", window.joints)]
            shown = player(f"m{len(cards)}", motion, window.skeleton, window.skeleton.fps, marks_of(facts, wrong))
            cards.append(
                f'<section class="card"><h3>{safe(window.caption)}</h3>{shown}'
                f'<p class="soft">{safe(window.reasoning)}</p>{measured(facts, wrong)}</section>'
            )
    return page(next(iter(described)), "".join(cards))


def _motion(number: int, made: GeneratedMotion, tokenizer: MotionTokenizer) -> str:
    facts = motion_facts(made.joints, made.skeleton)
    wrong = contradictions(made.caption, facts)
    fps = made.skeleton.fps
    ends = [*(first for _, first in made.parts[1:]), len(made.joints)]
    parts = [Mark(first / fps, end / fps, text, True) for (text, first), end in zip(made.parts, ends, strict=False)]
    shown = player(f"g{number}", [PlayedMotion("", made.joints)], made.skeleton, fps, parts or marks_of(facts, wrong))
    rows = [row for row in made.trace if row.get("duplicate_of") is None]
    candidates = ""
    if rows:

        def decoded(codes: Sequence[int] | None) -> np.ndarray | None:
            return joints_metres(tokenizer.decode(np.array(codes)), made.skeleton) if codes else None

        def look(row: dict[str, Any]) -> tuple[str, MotionFacts] | None:
            joints = decoded(row.get("codes"))
            return None if joints is None or len(joints) < 2 else (made.caption, motion_facts(joints, made.skeleton))

        cards = candidate_cards(f"c{number}", rows, "t2m", decoded, made.skeleton)
        summary = f"{len(rows)} candidates of Chain-of-Motion"
        candidates = f"{what_decided(rows, look, {})}<details><summary>{summary}</summary>{cards}</details>"
    return (
        f'<section class="card"><h3>{safe(made.caption)}</h3>{shown}<p class="soft">{safe(made.reasoning)}</p>'
        f"{measured(facts, wrong)}{candidates}</section>"
    )
