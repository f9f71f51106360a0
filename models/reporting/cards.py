"""Parts of pages that show a motion: candidates of Chain-of-Motion, measured facts, what contradicts the caption."""

import html
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from dataset.facts.contradictions import Contradiction
from dataset.facts.in_words import facts_text
from dataset.facts.motion_facts import MotionFacts
from models.language.replies import parse_reply
from utils.motion.skeleton import Skeleton
from utils.report.player import Mark, PlayedMotion, player


def candidate_cards(
    name: str,
    rows: Sequence[dict[str, Any]],
    task: str,
    decoded: Callable[[Sequence[int] | None], np.ndarray | None],
    skeleton: Skeleton,
) -> str:
    """One card a candidate (rows of `com.trace`): scores, motion or caption, reasoning; the chosen one is marked.

    Args:
        name: another one for each reply of a page.
        decoded: codes -> joints (T, J, 3) in metres, None where they cannot be played.
    """
    cards = []
    for row in rows:
        scores = " ".join(f"{safe(one)} {value:.3f}" for one, value in row["scores"].items() if value is not None)
        joints = decoded(row.get("codes")) if task == "t2m" else None
        shown = ""
        if joints is not None:
            shown = player(f"{name}-{row['index']}", [PlayedMotion("", joints)], skeleton, skeleton.fps)
        text = parse_reply(row["text"], task)
        answer = f"<p>{safe(text.answer or '')}</p>" if task == "m2t" else ""
        cards.append(
            f'<div class="card{" chosen" if row["chosen"] else ""}"><h3>round {row["round"] + 1}, '
            f"{row['total']:.3f}{' (chosen)' if row['chosen'] else ''}</h3>{shown}{answer}"
            f'<p class="soft">{scores}</p><p class="soft">{safe(text.reasoning or "")}</p></div>'
        )
    return f'<div class="cards">{"".join(cards)}</div>'


def measured(facts: MotionFacts, wrong: Iterable[Contradiction]) -> str:
    """What was measured, behind a click, and what of it contradicts the caption, in sight."""
    lines = "".join(f"<li>{safe(line)}</li>" for line in facts_text(facts).splitlines())
    return f"{mistakes(wrong)}<details><summary>measured</summary><ul class='facts'>{lines}</ul></details>"


def mistakes(wrong: Iterable[Contradiction]) -> str:
    lines = "".join(f"<li class='fails'>says {safe(one.said)}, {safe(one.done)}</li>" for one in wrong)
    return f"<ul class='facts'>{lines}</ul>" if lines else ""


def marks_of(facts: MotionFacts, wrong: Sequence[Contradiction]) -> list[Mark]:
    """Turns and raised hands on the scrub bar; they fail where the caption says otherwise."""
    turns_hold = not any(one.said.startswith("turns") for one in wrong)
    hands_hold = not any(one.said.startswith("raises") for one in wrong)
    marks = []
    for turn in facts.turns:
        side = "left" if turn.degrees > 0 else "right"
        marks.append(Mark(turn.start_s, turn.end_s, f"turns {abs(turn.degrees):.0f} degrees {side}", turns_hold))
    for side, spans in (("left", facts.left_hand_up_s), ("right", facts.right_hand_up_s)):
        marks += [Mark(start, end, f"{side} hand is up", hands_hold) for start, end in spans]
    return marks


def safe(text: object) -> str:
    """A text as HTML shows it."""
    return html.escape(str(text))
