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
    most_played: int = 1000,
) -> str:
    """One card a candidate (rows of `com.trace`): scores, motion or caption, reasoning; the chosen one is marked.

    Args:
        name: another one for each reply of a page.
        decoded: codes -> joints (T, J, 3) in metres, None where they cannot be played.
        most_played: of so many the motion is shown, the chosen one's and those of the highest scores.
    """
    cards = []
    ranked = sorted(rows, key=lambda row: (row["chosen"], row["total"]), reverse=True)
    played = {row["index"] for row in ranked[:most_played]}
    for row in rows:
        scores = " ".join(f"{safe(one)} {value:.3f}" for one, value in row["scores"].items() if value is not None)
        joints = decoded(row.get("codes")) if task == "t2m" and row["index"] in played else None
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


def marks_of(facts: MotionFacts, wrong: Sequence[Contradiction], row: int = 0, name: str = "") -> list[Mark]:
    """Measured turns and raised hands on the scrub bar, and what the caption says otherwise.

    A turn or a hand fails where the caption names the other side or another height. What contradicts the caption and
    has no moment of its own, such as a turn that never comes, fails from the first frame to the last.

    Args:
        row: number of the motion in its player.
        name: of the system that made it, said first.
    """
    said = f"{name}: " if name else ""
    marks, placed = [], set()
    for turn in facts.turns:
        side = "left" if turn.degrees > 0 else "right"
        denying = [one for one in wrong if one.done == f"turns {side}"]
        placed.update(denying)
        text = f"{said}turns {abs(turn.degrees):.0f} degrees {side}"
        marks.append(Mark(turn.start_s, turn.end_s, text, not denying, row))
    for side, spans in (("left", facts.left_hand_up_s), ("right", facts.right_hand_up_s)):
        denying = [one for one in wrong if spans and _denies_hand(one, side)]
        placed.update(denying)
        marks += [Mark(start, end, f"{said}{side} hand is up", not denying, row) for start, end in spans]
    missing = [one for one in wrong if one not in placed]
    whole = [Mark(0.0, facts.seconds, f"{said}{one.done}, the text says {one.said}", False, row) for one in missing]
    return [*whole, *sorted(marks, key=lambda mark: mark.start)]


def _denies_hand(one: Contradiction, side: str) -> bool:
    """Whether that the hand of `side` is up is what contradicts the caption."""
    if not one.said.startswith("raises"):
        return False
    if one.said.startswith("raises the hand to"):
        return True  # up, but not as high as told
    return one.said == f"raises the {'left' if side == 'right' else 'right'} hand"


def safe(text: object) -> str:
    """A text as HTML shows it."""
    return html.escape(str(text))
