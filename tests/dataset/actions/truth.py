"""What toy programs and the describers of real motion say that happens, beside what is measured."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from dataset.actions.events import TRAVEL, Event
from dataset.facts.motion_facts import MotionFacts, motion_facts
from dataset.toy.programs import Action, Program
from tests.rewards.motion_pack import PACK, read_pack
from utils.motion.skeleton import T2M

# How far a count may be off (steps, swings), and degrees.
_OFF = {**dict.fromkeys(TRAVEL, 1), "wave": 1}
_OFF_DEG = 15.0
TOLERANCES = {"steps": 1, "waves": 1, "turns": 0, "turn_deg": 15, "path_m": 0.5, "net_m": 0.5, "forward_m": 0.5,
              "left_m": 0.5}  # fmt: skip


def expected(action: Action) -> list[Event]:
    """What an action of a toy program shows, without times."""
    kind, way, side, count = action.kind, action.way, action.side, action.count
    match kind:
        case "walk" | "run" if action.degrees:
            return [Event(kind, 0, 0, way="forward", count=0), _turn("turn", action)]
        case "walk" | "run":
            return [Event(kind, 0, 0, way="forward" if kind == "run" else way, count=count)]
        case "circle":
            return [Event("walk", 0, 0, way="forward", count=0), Event("circle", 0, 0, way=way, degrees=360)]
        case "turn":
            return [_turn("turn", action)]
        case "sidestep":
            return [Event(kind, 0, 0, way=way, count=2 * count)]
        case "sit_stand":
            return [Event("sit", 0, 0), Event("stand", 0, 0)]
    return [Event(kind, 0, 0, side, way, count or 1)]


def _turn(kind: str, action: Action) -> Event:
    return Event(kind, 0, 0, way=action.way, degrees=action.degrees)


def agrees(found: Event, wanted: Event) -> bool:
    """Whether an event is the one that is wanted: kind, way, side, count and degrees as far as they are told."""
    told = [name for name in ("way", "side") if getattr(wanted, name)]
    counted = not wanted.count or abs(found.count - wanted.count) <= _OFF.get(found.kind, 0)
    turned = not wanted.degrees or abs(found.degrees - wanted.degrees) <= _OFF_DEG
    same = found.kind == wanted.kind and all(getattr(found, name) == getattr(wanted, name) for name in told)
    return same and counted and turned


@dataclass
class Score:
    """By kind: how many are wanted, how many of them are found, how many are claimed, and how many of these falsely."""

    wanted: Counter = field(default_factory=Counter)
    right: Counter = field(default_factory=Counter)
    claimed: Counter = field(default_factory=Counter)
    false: Counter = field(default_factory=Counter)
    in_order: Counter = field(default_factory=Counter)

    def add(self, program: Program, found: Iterable[Event]) -> None:
        rest, starts = list(found), []
        self.claimed.update(event.kind for event in rest)
        for action in program.actions:
            for wanted in expected(action):
                self.wanted[wanted.kind] += 1
                match = next((event for event in rest if agrees(event, wanted)), None)
                match_of_kind = match or next((event for event in rest if event.kind == wanted.kind), None)
                self.right[wanted.kind] += match is not None
                if match_of_kind:
                    rest.remove(match_of_kind)
                    starts.append(match_of_kind.start_s)
        self.false.update(event.kind for event in rest)
        if len(program.actions) > 1:
            self.in_order[starts == sorted(starts)] += 1


def pack_pairs(split: str) -> Iterator[tuple[str, MotionFacts, dict]]:
    """(id, measured, told) of every clip of a split of the pack; `told` is a row of meta.jsonl."""
    rows = {row["id"]: row for row in map(json.loads, (PACK.parent / "meta.jsonl").open())}
    for name, joints in read_pack(split).items():
        yield name, motion_facts(joints, T2M), rows[name]


def pack_errors(facts: MotionFacts, told: dict) -> dict[str, list[float]]:
    """By what the describers told: by how much it differs from what is measured, for sides 0 or 1."""
    content, told = told["content"], told["facts"]
    errors: dict[str, list[float]] = {name: [abs(getattr(facts, name) - told[name])] for name in
                                      ("turn_deg", "path_m", "net_m", "forward_m", "left_m")}  # fmt: skip
    turns = [event for event in facts.actions if event.kind in ("turn", "circle")]
    errors["turns"] = [abs(len(turns) - len(told["turns"]))]
    if len(turns) == len(told["turns"]):
        pairs = [(event, other["deg"]) for event, other in zip(turns, told["turns"], strict=True)]
        errors["turn_deg"] += [abs(event.degrees - abs(degrees)) for event, degrees in pairs]
        errors["side of a turn"] = [float((event.way == "left") != (degrees > 0)) for event, degrees in pairs]
    ways = [event for event in facts.actions if event.kind in ("walk", "run")]
    if told["steps"] and content.startswith(("walk", "run", "dash")):
        errors["steps"] = [abs(sum(event.count for event in ways) - told["steps"])]
        errors["first foot"] = [float(ways[0].side != told["first_step"])] if ways and told["first_step"] else []
        errors["way"] = [float((ways[0].way == "forward") != (told["forward_m"] > 0))] if ways else []
    if content.startswith(("wave", "raise")):
        hands = {side: [event for event in facts.actions if event.kind in ("wave", "raise") and
                        event.side in (side, "both")] for side in ("left", "right")}  # fmt: skip
        errors["waves"] = [
            abs(sum(event.count for event in events if event.kind == "wave") - told[f"{side}_hand"]["waves"])
            for side, events in hands.items()
        ]
        errors["side of a hand"] = [
            float(bool(events) != (told[f"{side}_hand"]["raises"] > 0)) for side, events in hands.items()
        ]
    return errors
