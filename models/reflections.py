"""What a refinement query says of an attempt: in Chain-of-Motion and in all training that prepares for it."""

from dataset.sample import Draft
from models.prompts import Reflection
from models.rollout import Rollout


def reflection_on(attempt: Rollout, lacking: str) -> Reflection:
    """Its reasoning and, for m2t, its caption; parts that a malformed attempt lacks are empty.

    `lacking` says in words what is wrong with it (`rewards.lacking`), and may be empty.
    """
    return Reflection(attempt.reasoning or "", (attempt.answer or "") if attempt.task == "m2t" else "", lacking)


def reflection_on_draft(draft: Draft, task: str) -> Reflection:
    """The same of an attempt that training data hold."""
    return Reflection(draft.reasoning, draft.caption if task == "m2t" else "", draft.lacking(task))
