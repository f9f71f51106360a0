"""Templates write the captions of toy programs: direction, side, speed and count in varied words.

In a template `{times}` says how often, `{steps}` how many steps, and `{s}` names the side. The speed goes before the
verb or to the end.
"""

import numpy as np

from dataset.toy.programs import Action, Program

_NUMBER = {1: "one", 2: "two", 3: "three", 4: "four", 6: "six"}
_SUBJECTS = ("a person", "a person", "a person", "someone", "somebody", "the person", "this person", "a figure")
_JOINTS = ("{a} and then {b}", "{a}, then {b}", "first {a} and then {b}")
_ADVERBS = {
    "slow": ("slowly", "slowly", "at a slow pace", "in a slow way"),
    "quick": ("quickly", "fast", "rapidly", "at a quick pace", "in a quick way"),
}
_BEFORE_VERB = {"slow": "slowly", "quick": "quickly"}
_STEADY = "at a steady pace"

_JUMP_TARGET = {"backward": "backward", "left": "to the left", "right": "to the right"}
_WALK_STEPS = {
    "forward": ("takes {steps} forward", "walks {steps} forward", "walks forward for {steps}", "walks ahead {steps}"),
    "backward": (
        "takes {steps} backward",
        "walks {steps} backward",
        "walks backward for {steps}",
        "takes {steps} back",
    ),
}
_WALK_OPEN = {
    "forward": ("walks forward", "walks straight ahead", "walks ahead", "goes forward on foot"),
    "backward": ("walks backward", "walks straight back", "moves backward on foot", "walks back"),
}
_TURNING = {
    90: (
        "walks forward and turns to the {s}",
        "walks around a corner to the {s}",
        "walks ahead and turns {s} by ninety degrees",
        "turns {s} while walking forward",
    ),
    180: (
        "walks forward, turns around to the {s} and walks back",
        "walks in a half circle to the {s}",
        "walks ahead and turns {s} by one hundred eighty degrees",
        "turns around to the {s} while walking and goes back",
    ),
}
_ON_THE_SPOT = {
    90: (
        "turns to the {s} on the spot",
        "turns {s} by ninety degrees in place",
        "rotates a quarter circle to the {s} on the spot",
    ),
    180: (
        "turns around to the {s} on the spot",
        "turns {s} by one hundred eighty degrees in place",
        "rotates a half circle to the {s} on the spot",
    ),
}
_RUN = {
    "slow": ("jogs forward", "runs forward slowly", "jogs straight ahead"),
    "normal": ("runs forward", "runs straight ahead", "runs ahead"),
    "quick": ("runs forward quickly", "sprints forward", "runs straight ahead fast", "sprints straight ahead"),
}
_RAISE_WHERE = {
    "front": ("to the front", "straight in front of the body", "forward"),
    "side": ("to the side", "out to the side", "sideways"),
    "overhead": ("above the head", "over the head", "straight up above the head"),
}
_KICK = {
    "front": (
        "kicks forward with the {s} leg {times}",
        "kicks the {s} foot to the front {times}",
        "kicks forward with the {s} foot {times}",
    ),
    "side": (
        "kicks to the side with the {s} leg {times}",
        "kicks sideways with the {s} foot {times}",
        "swings the {s} leg out to the side {times}",
    ),
}
_BOW = (
    "bows {how} {times}",
    "bends forward {how} at the waist {times}",
    "bows {how} and straightens up {times}",
    "bows {how} and returns upright {times}",
)
_BODY = {
    "squat": (
        "squats down {times}",
        "squats {times}",
        "crouches down low {times}",
        "bends both knees deeply and stands up again {times}",
        "lowers the body into a crouch and comes up again {times}",
    ),
    "knee": (
        "lifts the {s} knee {times}",
        "raises the {s} knee up to the hip {times}",
        "brings the {s} knee up {times}",
    ),
    "lean": (
        "leans to the {s} {times}",
        "leans over towards the {s} {times}",
        "bends the upper body to the {s} {times}",
        "tilts the torso to the {s} and comes back {times}",
    ),
}


def write_captions(program: Program, rng: np.random.Generator, count: int = 3) -> list[str]:
    """`count` different captions (lowercase, each one sentence with its full stop)."""
    captions: list[str] = []
    while len(captions) < count:
        caption = _caption(program, rng)
        if caption not in captions:
            captions.append(caption)
    return captions


def _caption(program: Program, rng: np.random.Generator) -> str:
    phrases = [_with_speed(action, _phrase(action, rng), rng) for action in program.actions]
    text = phrases[0] if len(phrases) == 1 else _pick(rng, _JOINTS).format(a=phrases[0], b=phrases[1])
    return f"{_pick(rng, _SUBJECTS)} {text}."


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


def _with_speed(action: Action, phrase: str, rng: np.random.Generator) -> str:
    """The phrase with the speed of the action; normal speed mostly goes without saying."""
    if action.kind == "run" and not action.degrees:
        return phrase
    if action.speed == "normal":
        said = action.kind in ("walk", "circle", "sidestep") and rng.random() < 0.12
        return f"{phrase} {_STEADY}" if said else phrase
    if rng.random() < 0.35:
        return f"{_BEFORE_VERB[action.speed]} {phrase}"
    return f"{phrase} {_pick(rng, _ADVERBS[action.speed])}"


def _times(count: int, rng: np.random.Generator) -> str:
    if count == 1:
        return "once"
    if count == 2:
        return _pick(rng, ("twice", "twice", "two times"))
    return f"{_NUMBER[count]} times"


def _steps(count: int) -> str:
    return "one step" if count == 1 else f"{_NUMBER[count]} steps"


def _phrase(action: Action, rng: np.random.Generator) -> str:
    """The action in the third person, without its speed."""
    template = _pick(rng, _templates(action, rng))
    return template.format(
        s=action.side or action.way,
        times=_times(action.count, rng) if action.count else "",
        steps=_steps(action.count) if action.count else "",
    )


def _templates(action: Action, rng: np.random.Generator) -> tuple[str, ...]:
    """All ways to say this action."""
    match action.kind:
        case "walk" if action.degrees:
            return _TURNING[action.degrees]
        case "walk":
            return _WALK_STEPS[action.way] if action.count else _WALK_OPEN[action.way]
        case "run" if action.degrees:
            return ("runs forward and turns to the {s}", "runs around a corner to the {s}", "turns {s} while running")
        case "run":
            return _RUN[action.speed]
        case "circle":
            around = {"left": "counterclockwise", "right": "clockwise"}[action.way]
            return ("walks in a circle to the {s}", f"walks {around} in a circle", f"walks in a full circle {around}")
        case "sidestep":
            return ("sidesteps to the {s} {times}", "takes {steps} sideways to the {s}", "moves {steps} to the {s}")
        case "turn":
            return _ON_THE_SPOT[action.degrees]
        case "jump":
            return _jump_templates(action)
        case "sit":
            return ("sits down", "sits down on a chair", "takes a seat", "lowers the body onto a chair")
        case "stand":
            return ("stands up", "stands up from a chair", "gets up from a seat", "rises from a chair")
        case "sit_stand":
            return ("sits down and stands up again", "sits down on a chair and gets up again")
        case "wave" | "raise" | "clap" | "punch":
            return _arm_templates(action, rng)
        case _:
            return _body_templates(action)


def _jump_templates(action: Action) -> tuple[str, ...]:
    if action.way == "up":
        return (
            "jumps up {times}",
            "jumps in place {times}",
            "jumps straight up on the spot {times}",
            "hops up {times}",
        )
    if action.way == "forward":
        return ("jumps forward {times}", "leaps forward {times}", "jumps ahead with both feet {times}")
    target = _JUMP_TARGET[action.way]
    return (f"jumps {target} {{times}}", f"leaps {target} {{times}}", f"hops {target} with both feet {{times}}")


def _arm_templates(action: Action, rng: np.random.Generator) -> tuple[str, ...]:
    both = action.side == "both"
    hand, arm, it = ("both hands", "both arms", "them") if both else ("the {s} hand", "the {s} arm", "it")
    match action.kind:
        case "wave":
            return (
                f"waves {hand} {{times}}",
                f"waves with {hand} {{times}}",
                f"raises {hand} and waves {{times}}",
                f"lifts {hand} and waves {it} {{times}}",
            )
        case "raise":
            where = _pick(rng, _RAISE_WHERE[action.way])
            if both and action.way == "side":
                where = where.replace("side", "sides") if where != "sideways" else where
            if action.count > 1:
                return tuple(f"{verb} {arm} {where} {{times}}" for verb in ("raises", "lifts", "stretches"))
            return (
                f"raises {arm} {where}",
                f"lifts {arm} {where}",
                f"stretches {arm} {where}",
                f"raises {arm} {where} and lowers {it} again",
                f"lifts {arm} {where} and brings {it} down",
            )
        case "punch":
            return (
                "punches with the {s} hand {times}",
                "punches forward with the {s} fist {times}",
                "raises both fists and punches with the {s} hand {times}",
            )
    if action.way == "overhead":
        return (
            "claps above the head {times}",
            "claps both hands over the head {times}",
            "claps high above the head {times}",
        )
    return ("claps {times}", "claps both hands together {times}", "claps in front of the chest {times}")


def _body_templates(action: Action) -> tuple[str, ...]:
    if action.kind == "kick":
        return _KICK[action.way]
    if action.kind == "bow":
        how = {"deep": "deeply", "slight": "slightly"}[action.way]
        return tuple(template.replace("{how}", how) for template in _BOW)
    if action.kind not in _BODY:
        raise ValueError(f"no caption for {action}")
    return _BODY[action.kind]
