"""Facts as metrics: does a motion do what its caption claims (t2m), is what an answer claims true of its motion (m2t)?

Measured, without any network (`dataset.facts`). A text that claims nothing that can be checked has no part in them.
"""

import numpy as np

from dataset.claims.claims import Claim, claims_of
from dataset.facts.motion_facts import MotionFacts, motion_facts
from dataset.facts.untold import counted, untold
from dataset.facts.verdicts import verdict
from utils.motion.features import joints_in_metres
from utils.motion.skeleton import Skeleton

# Says left, goes right: what a text claims of a left or a right, and fails.
WRONG_SIDE = "Wrong-side"
OF_MOTIONS = ("Facts", "Contradicted", WRONG_SIDE)
OF_CAPTIONS = ("Grounding", "Told", WRONG_SIDE)
_SIDES, _SIDED = ("left", "right"), ("side", "way", "first foot")


def facts_of(motion: np.ndarray | None, skeleton: Skeleton) -> MotionFacts | None:
    """Facts of (T, D) features; None without a finite motion of two frames."""
    if motion is None or len(motion) < 2 or not np.isfinite(motion).all():
        return None
    return motion_facts(joints_in_metres(motion, skeleton), skeleton)


def kept(caption: str | None, facts: MotionFacts | None) -> dict[str, float]:
    """Facts: of the caption's claims that can be said of the motion, the share that hold. Contradicted: 1 if one fails.
    `WRONG_SIDE`: of its claims of a left or a right, the share that fail; left out where it has none.

    Empty without a motion, and where nothing can be said.
    """
    verdicts = [answer for _, answer in _said(caption, facts)]
    found = {"Facts": float(np.mean(verdicts)), "Contradicted": float(not all(verdicts))} if verdicts else {}
    return {**found, **_wrong_side(caption, facts)}


def grounded(answer: str | None, facts: MotionFacts | None) -> dict[str, float]:
    """Grounding: of the answer's claims that can be said, the share that hold. Told: the share of the motion's actions
    that the answer tells. `WRONG_SIDE` as in `kept`. Each is left out where there is none.
    """
    verdicts = [verdict for _, verdict in _said(answer, facts)]
    happening = counted(facts) if facts is not None else []
    found = {"Grounding": float(np.mean(verdicts))} if verdicts else {}
    if happening:
        found["Told"] = 1 - len(untold(claims_of(answer or ""), facts)) / len(happening)
    return {**found, **_wrong_side(answer, facts)}


def _wrong_side(text: str | None, facts: MotionFacts | None) -> dict[str, float]:
    sided = [not answer for claim, answer in _said(text, facts) if _names_a_side(claim)]
    return {WRONG_SIDE: float(np.mean(sided))} if sided else {}


def _names_a_side(claim: Claim) -> bool:
    return claim.slot in _SIDED and claim.value in _SIDES


def _said(text: str | None, facts: MotionFacts | None) -> list[tuple[Claim, bool]]:
    """The claims of a text that can be said of a motion, and whether they hold."""
    if facts is None or not text:
        return []
    found = [(claim, verdict(claim, facts)) for claim in claims_of(text)]
    return [(claim, answer) for claim, answer in found if answer is not None]
