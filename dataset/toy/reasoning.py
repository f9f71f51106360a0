"""Toy programs get short chains of thought: what moves, where to, on which side, how often, how long.

Everything follows from the program and the length of the clip. A text has two or three sentences of 20 to 40 words.
"""

from collections.abc import Callable

import numpy as np

from dataset.toy.programs import Action, Program
from utils.motion.skeleton import T2M

_NUMBER = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
_PACE = {"slow": "slowly", "normal": "at a normal pace", "quick": "quickly"}
_OTHER = {"left": "right", "right": "left"}
_REACH = {"front": "straight in front of the body", "side": "out to the side", "overhead": "above the head"}
_QUARTERS = {90: "a quarter turn, about ninety degrees", 180: "a half turn"}
_LENGTHS = ("The clip lasts about {}.", "It takes about {}.", "All of it fits in about {}.")
_DOING = {
    "walk": "walking",
    "circle": "walking",
    "run": "running",
    "turn": "turning",
    "wave": "waving",
    "punch": "punching",
    "clap": "clapping",
}
_FIRST = ("First, ", "To begin, ", "The first part is this: ")
_SECOND = ("After that, ", "Then, ", "Next, ")


def write_reasoning(program: Program, frames: int, rng: np.random.Generator, count: int = 2) -> list[str]:
    """`count` different reasonings for a clip of `frames` frames."""
    reasonings: list[str] = []
    while len(reasonings) < count:
        text = _reasoning(program, frames, rng)
        if text not in reasonings:
            reasonings.append(text)
    return reasonings


def _reasoning(program: Program, frames: int, rng: np.random.Generator) -> str:
    length = _pick(rng, _LENGTHS).format(_seconds(frames))
    if len(program.actions) == 1:
        (action,) = program.actions
        detail = f"{_detail(action)}, {_DOING.get(action.kind, 'moving')} {_PACE[action.speed]}"
        return f"{_capital(_what(action, rng))}. {_capital(detail)}. {length}"
    first, second = (_detail(action) for action in program.actions)
    return f"{_pick(rng, _FIRST)}{first}. {_pick(rng, _SECOND)}{second}. {length}"


def _seconds(frames: int) -> str:
    whole = max(round(frames / T2M.fps), 1)
    return f"{_NUMBER[whole]} second{'' if whole == 1 else 's'}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{_NUMBER[count]} times")


def _what(action: Action, rng: np.random.Generator) -> str:
    """A clause on the kind of action and the parts of the body that do it, the same for every program of a kind."""
    return _pick(rng, _KINDS[action.kind])


def _detail(action: Action) -> str:
    """A clause on the facts of this action, but for its speed; without a full stop."""
    return _DETAILS[action.kind](action)


_KINDS: dict[str, tuple[str, ...]] = {
    "walk": (
        "this is walking, so the legs step in turn and the arms swing against them",
        "the feet carry the body along while each arm swings against its leg",
    ),
    "run": (
        "this is running, so both feet leave the ground between steps and the elbows stay bent",
        "the legs push off strongly and the bent arms swing against them",
    ),
    "circle": (
        "the path bends all the time, so the body keeps turning with every step",
        "this is walking along a round path that ends where it began",
    ),
    "sidestep": (
        "the body keeps facing forward while the feet move sideways",
        "one foot steps out to the side and the other foot follows",
    ),
    "turn": (
        "the body stays in its place and the feet take small steps to turn it",
        "nothing travels here, only the heading changes with small steps",
    ),
    "jump": (
        "a jump needs bent knees, a push off with both feet and a soft landing",
        "both legs bend, push the body into the air and catch it again",
    ),
    "squat": (
        "both feet stay planted while the knees bend and the hips sink",
        "the legs do the work: the hips go down and back, the arms reach forward",
    ),
    "wave": (
        "only an arm gesture is needed, so the feet stay planted",
        "the body stands still and the forearm does the work",
    ),
    "raise": ("this is an arm gesture, so both feet stay planted", "the body stands still and only the shoulders work"),
    "kick": (
        "one leg must carry the body while the other leg kicks",
        "the weight moves onto the standing leg so that the other foot is free",
    ),
    "punch": (
        "both fists come up to guard the chest and the trunk turns into each punch",
        "the feet stay planted while the arm shoots forward from the shoulder",
    ),
    "knee": (
        "one leg carries the body while the other knee comes up to hip height",
        "the weight moves onto one foot so that the other foot can leave the ground",
    ),
    "clap": (
        "both arms rise and the palms meet, the feet stay planted",
        "this is a gesture of both hands while the body stands still",
    ),
    "bow": (
        "the trunk bends at the hips while both feet stay planted",
        "the legs stay straight and the upper body goes down and comes up again",
    ),
    "lean": (
        "both feet stay planted and only the trunk bends to one side",
        "the spine bends sideways while the legs stay straight",
    ),
    "sit": (
        "the knees bend and the hips go down and back onto a seat",
        "the trunk leans forward while the hips sink, then it becomes upright",
    ),
    "stand": (
        "the person begins on a seat with bent knees and the legs push the body up",
        "the trunk leans forward first, then the knees straighten",
    ),
    "sit_stand": (
        "the hips sink onto a seat, rest there and rise again",
        "the knees bend for the seat and straighten again for standing",
    ),
}


def _walk(action: Action) -> str:
    if action.degrees:
        return f"the body goes forward and its path bends to the {action.way}, {_QUARTERS[action.degrees]}"
    if action.count:
        return f"the body goes {action.way} with {_NUMBER[action.count]} steps and stops"
    return f"the body goes straight {action.way} with steady steps"


def _run(action: Action) -> str:
    if action.degrees:
        return f"the body runs forward and its path bends to the {action.way}, {_QUARTERS[action.degrees]}"
    return {"slow": "the body goes straight forward in a jog", "normal": "the body runs straight forward"}.get(
        action.speed, "the body goes straight forward in a sprint"
    )


def _circle(action: Action) -> str:
    seen = {"left": "counterclockwise", "right": "clockwise"}[action.way]
    return f"the person walks one full circle to the {action.way}, {seen} from above"


def _sidestep(action: Action) -> str:
    steps = "one step" if action.count == 1 else f"{_NUMBER[action.count]} steps"
    return f"the {action.way} foot leads {steps} to the {action.way} and the {_OTHER[action.way]} foot closes"


def _turn(action: Action) -> str:
    return f"the body rotates to the {action.way} on the spot by {_QUARTERS[action.degrees]}"


def _jump(action: Action) -> str:
    where = {
        "up": "straight up and lands in the same place",
        "forward": "forward and lands further ahead",
        "backward": "backward and lands further back",
    }.get(action.way, f"sideways to the {action.way} and lands there")
    return f"the body jumps {_times(action.count)} {where}"


def _wave(action: Action) -> str:
    if action.side == "both":
        return f"both hands go up beside the head and swing out and in {_times(action.count)}"
    return (
        f"the {action.side} hand goes up beside the head and swings {_times(action.count)} "
        f"while the {_OTHER[action.side]} arm hangs down"
    )


def _raise(action: Action) -> str:
    again = "and then comes down" if action.count == 1 else f"and comes down, {_times(action.count)} in a row"
    if action.side == "both":
        return f"both arms lift {_REACH[action.way]} {again.replace('comes', 'come')}"
    return f"the {action.side} arm lifts {_REACH[action.way]} {again}"


def _kick(action: Action) -> str:
    where = {"front": "to the front", "side": "out to the side"}[action.way]
    return (
        f"the {action.side} leg kicks {where} {_times(action.count)} while the {_OTHER[action.side]} leg "
        "carries the weight"
    )


def _punch(action: Action) -> str:
    return f"the {action.side} fist shoots forward {_times(action.count)} and comes back to the chest"


def _knee(action: Action) -> str:
    return f"the {action.side} knee goes up {_times(action.count)} while the {_OTHER[action.side]} foot stays down"


def _clap(action: Action) -> str:
    where = {"front": "in front of the chest", "overhead": "above the head"}[action.way]
    return f"the hands meet {where} {_times(action.count)}"


def _bow(action: Action) -> str:
    how = {"deep": "deeply, until the back is nearly level", "slight": "only slightly"}[action.way]
    return f"the upper body bends forward {how}, {_times(action.count)}"


def _lean(action: Action) -> str:
    return f"the torso bends to the {action.way} and becomes upright again {_times(action.count)}"


def _squat(action: Action) -> str:
    return f"the hips sink close to the heels and rise again {_times(action.count)}"


def _sit(action: Action) -> str:
    return {
        "sit": "the person goes from standing to sitting and stays there",
        "stand": "the person goes from sitting to standing",
    }.get(action.kind, "the person sits down, waits a moment and stands up again")


_DETAILS: dict[str, Callable[[Action], str]] = {
    "walk": _walk,
    "run": _run,
    "circle": _circle,
    "sidestep": _sidestep,
    "turn": _turn,
    "jump": _jump,
    "squat": _squat,
    "wave": _wave,
    "raise": _raise,
    "kick": _kick,
    "punch": _punch,
    "knee": _knee,
    "clap": _clap,
    "bow": _bow,
    "lean": _lean,
    "sit": _sit,
    "stand": _sit,
    "sit_stand": _sit,
}
