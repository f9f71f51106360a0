"""Which epoch of GRPO is the best: by a judge that gives no reward, by the held-out reward, or the last one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rewards.grpo.hacking import HACKING, HELD_OUT, HELD_OUT_TOTAL

BEFORE = -1  # the epoch before the first
JUDGE, REWARD, LAST = "judge", "reward", "last"
Kind = Literal["judge", "reward", "last"]

_DISTANCE, _FORMED, _CAPTIONS = f"{HELD_OUT}MM-Dist", f"{HELD_OUT}well_formed_t2m", f"{HELD_OUT}CIDEr"


@dataclass(frozen=True)
class BestBy:
    """What makes an epoch the best.

    The judge's number is one for each task. t2m: MM-Dist over the share of well-formed replies. It is the mean of a
    distance over all clips, so few of them tell two epochs apart where FID is biased and R@1 counts in steps (of the
    quickstart's first GRPO runs it alone was clear), and since no malformed reply has a distance, their share counts
    against the epoch. m2t: CIDEr. It compares with the true captions and follows no evaluator: a mixture with much
    `consistency` raised R@1 and lowered CIDEr. Both tasks: the ratio of the two, in which a per cent of either counts
    alike.

    Attributes:
        kind: `JUDGE` (``--val-evaluator``), `REWARD` or `LAST`.
        tasks: what is trained.
        skips_hacked: an epoch at which rewards.grpo.hacking warns is never the best.
    """

    kind: Kind = REWARD
    tasks: tuple[str, ...] = ("t2m",)
    skips_hacked: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The numbers of a validation that decide."""
        if self.kind == LAST:
            return ()
        if self.kind == REWARD:
            return (HELD_OUT_TOTAL,)
        by_task = {"t2m": _DISTANCE, "m2t": _CAPTIONS}
        return tuple(by_task[task] for task in self.tasks)

    def __str__(self) -> str:
        decides = " and ".join(name.removeprefix(HELD_OUT) for name in self.names)
        return {JUDGE: f"{decides} of --val-evaluator", REWARD: "held-out reward", LAST: "last epoch"}[self.kind]

    def badness(self, row: Mapping[str, float | None]) -> float:
        """Lower is better; infinite where the validation could not compute it."""
        if self.kind == LAST:
            return -row["epoch"]
        if self.kind == REWARD:
            return -_number(row, HELD_OUT_TOTAL, -math.inf)
        distance = captions = 1.0
        if "t2m" in self.tasks:
            formed = _number(row, _FORMED, 0.0)
            distance = _number(row, _DISTANCE, math.inf) / formed if formed > 0 else math.inf
        if "m2t" in self.tasks:
            captions = _number(row, _CAPTIONS, -math.inf)
        if math.isinf(distance) or math.isinf(captions):
            return math.inf
        return -captions / distance if "m2t" in self.tasks else distance

    def best_epoch(self, validations: Sequence[Mapping[str, float | None]]) -> int | None:
        """The best epoch of some validations, oldest first; None: none could be measured.

        Of equally good ones it is the first, which has gone less far from the start. The start itself (`BEFORE`) is no
        epoch.
        """
        usable = [row for row in validations if row["epoch"] != BEFORE]
        if self.skips_hacked:
            usable = [row for row in usable if not row.get(HACKING)]
        measured = [(badness, row["epoch"]) for row in usable if (badness := self.badness(row)) < math.inf]
        return min(measured)[1] if measured else None


BY_REWARD = BestBy()


def _number(row: Mapping[str, float | None], name: str, missing: float) -> float:
    value = row.get(name)
    return missing if value is None or not math.isfinite(value) else value
