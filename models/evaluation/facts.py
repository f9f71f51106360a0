"""Facts as metrics: does a motion do what its caption claims (t2m), is what an answer claims true of its motion (m2t)?

Measured, without any network (`dataset.facts`). A text that claims nothing that can be checked has no part in them.
"""

import numpy as np

from dataset.claims.claims import claims_of
from dataset.facts.motion_facts import MotionFacts, motion_facts
from dataset.facts.untold import counted, untold
from dataset.facts.verdicts import verdict
from utils.motion.features import joints_in_metres
from utils.motion.skeleton import Skeleton

OF_MOTIONS = ("Facts", "Contradicted")
OF_CAPTIONS = ("Grounding", "Told")


def facts_of(motion: np.ndarray | None, skeleton: Skeleton) -> MotionFacts | None:
    """Facts of (T, D) features; None without a finite motion of two frames."""
    if motion is None or len(motion) < 2 or not np.isfinite(motion).all():
        return None
    return motion_facts(joints_in_metres(motion, skeleton), skeleton)


def kept(caption: str | None, facts: MotionFacts | None) -> dict[str, float]:
    """Facts: of the caption's claims that can be said of the motion, the share that hold. Contradicted: 1 if one fails.

    Empty without a motion, and where nothing can be said.
    """
    verdicts = _said(caption, facts)
    return {"Facts": float(np.mean(verdicts)), "Contradicted": float(not all(verdicts))} if verdicts else {}


def grounded(answer: str | None, facts: MotionFacts | None) -> dict[str, float]:
    """Grounding: of the answer's claims that can be said, the share that hold. Told: the share of the motion's actions
    that the answer tells. Each is left out where there is none.
    """
    verdicts, happening = _said(answer, facts), counted(facts) if facts is not None else []
    found = {"Grounding": float(np.mean(verdicts))} if verdicts else {}
    if happening:
        found["Told"] = 1 - len(untold(claims_of(answer or ""), facts)) / len(happening)
    return found


def _said(text: str | None, facts: MotionFacts | None) -> list[bool]:
    if facts is None or not text:
        return []
    return [answer for claim in claims_of(text) if (answer := verdict(claim, facts)) is not None]
