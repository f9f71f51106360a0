"""The columns of foreign chain-of-thought data are recognised by usual names, or named by the user.

The columns of the published MoUnd-MoGen-CoT-140K could not be looked up when this was written. Known of it are the
field names that its authors' own training code reads (``caption``, ``motion_tokens``, ``reasoning``, ``task``,
``sample_weight``), and that its reasoning was asked for as ``<think>...</think><answer>...</answer>``; both are read.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from utils.errors import InputError

# What a column may hold -> its usual names, likeliest first, in lower case with _ between words.
_NAMES = {
    "caption": (
        "caption captions motion_caption text description motion_description texts annotation action_description "
        "summary raw_text"
    ),
    "motion_tokens": (
        "motion_tokens motion_token motion_codes motion_ids motion_token_ids motion_tokens_ids tokens codes token_ids "
        "vq_codes vq_tokens code_indices motion_indices indices motion"
    ),
    "reasoning": (
        "reasoning cot chain_of_thought think thinking thought thoughts rationale reasoning_trace reasoning_content "
        "reasoning_text cot_reasoning explanation analysis"
    ),
    "task": "task task_type task_name type",
    "id": "id motion_id clip_id sample_id name motion_name file_name filename video_name motion_path index",
    "split": "split",
    "sample_weight": "sample_weight weight reward advantage",
    "conversation": "messages conversations conversation dialogue dialog chat",
    "query": "instruction prompt question query problem user",
    "context": "input context",
    "reply": "output response answer completion target assistant solution",
}
USUAL_NAMES = {role: tuple(names.split()) for role, names in _NAMES.items()}


@dataclass(frozen=True)
class Columns:
    """The columns of one file or split by their role (a key of `USUAL_NAMES`); roles without a column are left out."""

    by_role: Mapping[str, str]

    def __contains__(self, role: str) -> bool:
        return role in self.by_role

    def described(self) -> str:
        return ", ".join(f"{role} = {column}" for role, column in self.by_role.items())


def parse_mapping(items: Sequence[str]) -> dict[str, str]:
    """``role=column`` texts -> column by role; an empty column means that there is none. Raises InputError."""
    mapping = {}
    for item in items:
        role, equals, column = item.partition("=")
        if not equals or role not in USUAL_NAMES:
            raise InputError(f"--map {item}: expected ROLE=COLUMN, ROLE one of {', '.join(USUAL_NAMES)}")
        mapping[role] = column
    return mapping


def detect_columns(columns: Iterable[str], given: Mapping[str, str], has_codes: bool, where: str) -> Columns:
    """Find the columns of one file or split.

    Args:
        columns: all their names.
        given: column by role, as the user says; empty for a role that is not to be looked for.
        has_codes: the codes come from elsewhere, by id.
        where: names the file or split in messages.

    Raises:
        InputError: a given column is not there, or nothing holds captions, or codes; it lists the columns.
    """
    # What the user says comes first, then usual names among the other columns.
    seen = list(columns)
    listed = f"{where} has the columns {', '.join(seen) or 'none'}"
    missing = next((column for column in given.values() if column and column not in seen), None)
    if missing is not None:
        raise InputError(f"--map names the column {missing!r}, but {listed}")
    by_name = {_usual(column): column for column in seen if column not in given.values()}
    found = {role: column for role, column in given.items() if column}
    for role, names in USUAL_NAMES.items():
        if role not in given:
            column = next((by_name[name] for name in names if name in by_name), None)
            if column is not None:
                found[role] = column
    # Each row must have a motion and a caption: of their own, or in a query and its reply.
    exchange = "conversation" in found or ("reply" in found and {"query", "context"} & set(found))
    if not exchange and not has_codes and not {"motion_tokens", "reply"} & set(found):
        raise InputError(_missing("motion codes", "motion_tokens", listed))
    if not exchange and not {"caption", "reply", "reasoning"} & set(found):
        raise InputError(_missing("captions", "caption", listed))
    if has_codes and "id" not in found:
        raise InputError(_missing("the ids that --codes is looked up by", "id", listed))
    return Columns(found)


def _missing(what: str, role: str, listed: str) -> str:
    usual = ", ".join(USUAL_NAMES[role][:6])
    return (
        f"no column was recognised that holds {what}: {listed}. Say which with --map {role}=COLUMN "
        f"(usual names: {usual}, ...; roles: {', '.join(USUAL_NAMES)})"
    )


def _usual(name: str) -> str:
    """``Motion Tokens`` and ``motionTokens`` -> ``motion_tokens``."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()).strip("_")
