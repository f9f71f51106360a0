"""What demo.py prints: motions and captions in words."""

import textwrap
from collections.abc import Sequence

from dataset.facts.in_words import facts_text
from dataset.facts.motion_facts import motion_facts
from models.inference.results import DescribedMotion, GeneratedMotion

_WIDTH = 100


def in_words(motion: GeneratedMotion, facts: bool) -> str:
    """What was asked, thought and made."""
    lines = [motion.caption, *_wrapped(motion.reasoning)]
    lines.append(f"  {motion.seconds:.1f} s, {len(motion.codes)} codes")
    if motion.scores:
        shown = (f"{name} {value:.3f}" for name, value in motion.scores.items() if value is not None)
        lines.append("  " + "  ".join(shown))
    return "\n".join([*lines, *(_facts(motion) if facts else ())])


def captions_in_words(name: str, windows: Sequence[DescribedMotion], facts: bool) -> str:
    lines = [name]
    for window in windows:
        lines.append(f"  {window.start:.1f} to {window.end:.1f} s: {window.caption}")
        lines += _wrapped(window.reasoning)
        lines += _facts(window) if facts else []
    return "\n".join(lines)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  | ", subsequent_indent="  | ")


def _facts(motion: GeneratedMotion | DescribedMotion) -> list[str]:
    return [f"  {line}" for line in facts_text(motion_facts(motion.joints, motion.skeleton)).splitlines()]
