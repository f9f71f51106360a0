"""A program of one or two actions says what a toy clip shows; it is the ground truth of the clip."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

SPEEDS = ("slow", "normal", "quick")
SIDES = ("left", "right")


@dataclass(frozen=True)
class Action:
    """One action, such as a walk or a jump.

    Attributes:
        kind: walk, run, sidestep, turn, circle, jump, squat, wave, raise, kick, punch, knee, clap, bow, lean, sit,
            stand, sit_stand.
        way: direction or place: forward, backward, left, right, up (jump); straight, left, right (walk and run
            forward with a turn); front, side, overhead (raise); front, overhead (clap); front, side (kick);
            slight, deep (bow).
        side: the limb: left, right, both.
        speed: slow, normal, quick.
        count: repetitions, or steps; 0 where it is left open.
        degrees: of a turn; 0 without one.
    """

    kind: str
    way: str = ""
    side: str = ""
    speed: str = "normal"
    count: int = 0
    degrees: int = 0


@dataclass(frozen=True)
class Program:
    """One or two actions, one after the other."""

    actions: tuple[Action, ...]

    @property
    def name(self) -> str:
        """A readable name; different programs have different ones."""
        return " then ".join(_action_name(action) for action in self.actions)

    def as_fields(self) -> list[dict[str, Any]]:
        """Plain data for the sidecar file."""
        return [asdict(action) for action in self.actions]


def _action_name(action: Action) -> str:
    parts = [action.kind, action.way, action.side, action.speed]
    parts += [f"x{action.count}"] if action.count else []
    parts += [f"{action.degrees}deg"] if action.degrees else []
    return "-".join(part for part in parts if part)


def _grid(kind: str, **choices: tuple) -> list[Action]:
    """Every combination of the given field values."""
    return [Action(kind, **dict(zip(choices, values, strict=True))) for values in product(*choices.values())]


def _single_actions() -> dict[str, list[Action]]:
    """The actions of one-action programs, by family. Where slow or many repetitions get too long they are left out."""
    return {
        "walk": _grid("walk", way=("forward",), speed=SPEEDS, count=(0, 2, 4))
        + _grid("walk", way=("forward",), speed=("normal", "quick"), count=(6,)),
        "walk_back": _grid("walk", way=("backward",), speed=SPEEDS, count=(0, 2, 4)),
        "run": _grid("run", way=("straight",), speed=SPEEDS),
        "sidestep": _grid("sidestep", way=SIDES, speed=SPEEDS, count=(1, 2, 3)),
        "turn": _grid("turn", way=SIDES, speed=SPEEDS, degrees=(90, 180)),
        "walk_turn": _grid("walk", way=SIDES, speed=SPEEDS, degrees=(90, 180)),
        "run_turn": _grid("run", way=SIDES, degrees=(90,)),
        "circle": _grid("circle", way=SIDES, speed=SPEEDS),
        "jump": _grid("jump", way=("up", "forward"), count=(1, 2, 3))
        + _grid("jump", way=("backward", "left", "right"), count=(1, 2)),
        "squat": _grid("squat", speed=("normal", "quick"), count=(1, 2, 3))
        + _grid("squat", speed=("slow",), count=(1,)),
        "wave": _grid("wave", side=(*SIDES, "both"), speed=("normal", "quick"), count=(2, 4))
        + _grid("wave", side=(*SIDES, "both"), speed=("slow",), count=(2,)),
        "raise": _grid("raise", way=("front", "side", "overhead"), side=(*SIDES, "both"), speed=SPEEDS, count=(1,))
        + _grid("raise", way=("front", "side", "overhead"), side=(*SIDES, "both"), count=(2,)),
        "kick": _grid("kick", way=("front", "side"), side=SIDES, speed=("normal", "quick"), count=(1, 2)),
        "punch": _grid("punch", side=SIDES, speed=("normal", "quick"), count=(1, 2, 4)),
        "knee": _grid("knee", side=SIDES, speed=("normal",), count=(1, 2, 3)),
        "clap": _grid("clap", way=("front", "overhead"), speed=("normal", "quick"), count=(2, 4)),
        "bow": _grid("bow", way=("slight", "deep"), speed=SPEEDS, count=(1,)) + _grid("bow", way=("deep",), count=(2,)),
        "lean": _grid("lean", way=SIDES, count=(1, 2)),
        "sit": _grid("sit", speed=SPEEDS)
        + _grid("stand", speed=SPEEDS)
        + _grid("sit_stand", speed=("normal", "quick")),
    }


def _sequences() -> list[Program]:
    """Programs of two actions at normal speed; an action is never followed by one of its own kind."""
    first = [
        Action("walk", "forward", count=4),
        Action("walk", "backward", count=4),
        *_grid("sidestep", way=SIDES, count=(2,)),
        *_grid("turn", way=SIDES, degrees=(90,)),
        Action("jump", "up", count=1),
        Action("bow", "deep", count=1),
    ]
    second = [
        *_grid("wave", side=SIDES, count=(2,)),
        *_grid("raise", way=("overhead",), side=("both",), count=(1,)),
        *_grid("kick", way=("front",), side=SIDES, count=(1,)),
        *_grid("punch", side=SIDES, count=(1,)),
        *_grid("turn", way=SIDES, degrees=(90,)),
        Action("jump", "up", count=1),
        Action("squat", count=1),
        Action("sit"),
    ]
    return [Program((a, b)) for a, b in product(first, second) if a.kind != b.kind]


# The share of the clips that each family gets: about the same for all that are easily told apart, and close to a fifth
# for programs of two actions.
_SHARES = {
    "walk": 6,
    "walk_back": 5,
    "run": 3,
    "sidestep": 5,
    "turn": 5,
    "walk_turn": 5,
    "run_turn": 2,
    "circle": 4,
    "jump": 5,
    "squat": 4,
    "wave": 6,
    "raise": 7,
    "kick": 5,
    "punch": 5,
    "knee": 3,
    "clap": 3,
    "bow": 3,
    "lean": 2,
    "sit": 4,
    "sequence": 18,
}


def program_families() -> dict[str, list[Program]]:
    """Every program, by family."""
    families = {family: [Program((action,)) for action in actions] for family, actions in _single_actions().items()}
    return {**families, "sequence": _sequences()}


def all_programs() -> list[Program]:
    return [program for programs in program_families().values() for program in programs]


def sample_programs(count: int, rng: np.random.Generator) -> list[Program]:
    """`count` programs in random order: each family by its share, each program of a family equally often."""
    families = program_families()
    total = sum(_SHARES.values())
    chosen: list[Program] = []
    done = 0.0
    for family, programs in families.items():
        done += count * _SHARES[family] / total
        deck = _endless_deck(programs, rng)
        while len(chosen) < round(done):
            chosen.append(next(deck))
    return [chosen[index] for index in rng.permutation(len(chosen))]


def _endless_deck(programs: list[Program], rng: np.random.Generator) -> Iterator[Program]:
    while True:
        for index in rng.permutation(len(programs)):
            yield programs[index]
