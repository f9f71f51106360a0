"""Parts are measured in groups: on a CPU in this process, on a GPU each group in a process of its own.

A process of its own loses nothing of the others when it crashes, fills the GPU, or is not ready in time: it is ended
then, and what it had measured stays.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.places import ROOT

if TYPE_CHECKING:
    from tests.gpu.bench import Part

# Where each part is; its function has its name.
PARTS = {
    "peak": "tests.gpu.motion_tokenizer",
    "tokenizer": "tests.gpu.motion_tokenizer",
    "load": "tests.gpu.sft",
    "sft": "tests.gpu.sft",
    "memory": "tests.gpu.memory",
    "rollouts": "tests.gpu.replies",
    "com": "tests.gpu.replies",
    "grpo": "tests.gpu.grpo",
    "vllm": "tests.gpu.grpo",
}
# Groups without a language model, then those of each; and the share of the time that each may take.
OF_THE_MACHINE = ((("peak", "tokenizer"), 2.0),)
OF_A_MODEL = ((("load", "sft", "memory"), 3.5), (("rollouts", "grpo", "com"), 3.0))
LAST = ((("vllm",), 3.0),)
GRACE = 5.0  # seconds in which a process may end by itself


@dataclass(frozen=True)
class Group:
    """Parts that share a process, the model that they are measured with, and their share of the time."""

    parts: tuple[str, ...]
    shape: str
    share: float


def groups_of(shapes: Sequence[str], wanted: Sequence[str]) -> list[Group]:
    """In the order in which they are measured: what matters most first, what starts slowly last."""
    found = [Group(parts, shapes[0], share) for parts, share in OF_THE_MACHINE]
    for table in (OF_A_MODEL, LAST):
        found += [Group(parts, shape, share) for shape in shapes for parts, share in table]
    chosen = [Group(tuple(part for part in one.parts if part in wanted), one.shape, one.share) for one in found]
    return [one for one in chosen if one.parts]


def budgets(groups: Sequence[Group], deadline: float) -> Iterator[tuple[Group, float]]:
    """Each group with its own end: its share of what is left when its turn comes."""
    for number, group in enumerate(groups):
        now, ahead = time.monotonic(), sum(one.share for one in groups[number:])
        yield group, now + max(0.0, deadline - now) * group.share / ahead


def part_named(name: str) -> "Part":
    """The function of a part; what it needs is imported now."""
    return getattr(import_module(PARTS[name]), name)


def in_a_process(group: Group, flags: Sequence[str], folder: Path, deadline: float) -> list[dict[str, Any]]:
    """The rows of a group that is measured by `python -m tests.gpu` with these flags and those of one group.

    Args:
        folder: for the rows.
        deadline: of `time.monotonic`; a process that is not ready then is ended.
    """
    from tests.gpu.bench import FAILED, PART_ENDED, row

    seconds = max(0.0, deadline - time.monotonic())
    file = folder / f"rows-{group.parts[0]}-{group.shape}.jsonl"
    command = [
        sys.executable, "-m", "tests.gpu", *flags, "--shapes", group.shape, "--parts", *group.parts,
        "--minutes", str(seconds / 60), "--rows-to", str(file),
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        ended = f"its process ended with status {process.wait(seconds + GRACE)}"
    except subprocess.TimeoutExpired:
        ended = f"not ready after {seconds:.0f} s (--minutes)"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    lines = file.read_text("utf-8").splitlines(keepends=True) if file.is_file() else []
    rows = [json.loads(line) for line in lines if line.endswith("\n")]
    whole = {one["part"] for one in rows if one["what"] == PART_ENDED}
    return rows + [row(part, group.shape, FAILED, problem=ended) for part in group.parts if part not in whole]
