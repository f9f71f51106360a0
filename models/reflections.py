"""What a refinement query says of an attempt: in Chain-of-Motion and in the reinforcement learning that trains it."""

from models.prompts import Reflection
from models.rollout import Rollout


def reflection_on(attempt: Rollout, lacking: str = "") -> Reflection:
    """Its reasoning and, for m2t, its caption; parts that a malformed attempt lacks are empty."""
    return Reflection(attempt.reasoning or "", (attempt.answer or "") if attempt.task == "m2t" else "", lacking)
