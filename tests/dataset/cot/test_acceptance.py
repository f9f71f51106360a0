"""Annotations are accepted or rejected for the reason that is true of them."""

import json
from dataclasses import replace

import pytest

from dataset.actions.events import Event
from dataset.actions.series import Turn
from dataset.cot.acceptance import Bounds, rejection_of
from dataset.facts.motion_facts import MotionFacts, motion_facts
from tests.rewards.motion_pack import PACK, needs_pack, read_pack
from utils.motion.skeleton import T2M

STILL = MotionFacts(3.0, 0.0, 0.05, 0.02, 0.0, 0.0, -0.5, -0.5, 0.0)
WALK = replace(STILL, path_m=2.0, net_m=2.0, forward_m=2.0)
TURN = replace(STILL, turn_deg=85.0)
BOTH_WAYS = (Turn(85.0, 0.5, 1.0), Turn(-85.0, 1.5, 2.0))
BOTH_TURNS = tuple(
    Event("turn", turn.start_s, turn.end_s, way=way, degrees=85.0)
    for turn, way in zip(BOTH_WAYS, ("left", "right"), strict=True)
)
CAPTION = "a person turns left."
GOOD = (
    "Both feet take small steps while the pelvis stays where it is, so nothing travels. Only the heading changes, and "
    "it does so towards the left side of the body by about a quarter turn."
)


def kind(reasoning=GOOD, caption=CAPTION, answer=CAPTION, facts=TURN, task="m2t", bounds=None):
    found = rejection_of(task, caption, reasoning, answer, facts, bounds or Bounds())
    return found and found.kind


def test_good_ones_pass():
    assert kind() is None
    assert kind(task="t2m", answer="A quarter turn to the left is made.") is None
    assert kind(facts=None) is None


@pytest.mark.parametrize(
    ("reasoning", "expected"),
    [
        ("The feet turn the body.", "length"),
        (GOOD * 8, "length"),
        (
            "Los dos pies dan pasos pequeños mientras la pelvis se queda en su sitio, por eso nada se desplaza y solo "
            "cambia la orientación del cuerpo hacia el lado izquierdo.",
            "language",
        ),
        (
            "Beide Füße machen kleine Schritte, während das Becken an seinem Ort bleibt; nur die Blickrichtung ändert "
            "sich, und zwar um etwa neunzig Grad nach links herum.",
            "language",
        ),
        ("双脚小步移动，身体停在原地，没有前进，只有朝向改变，向左转动大约四分之一圈，然后停下。", "language"),
        ("A person turns left. " * 8, "copy"),
        ("So a person turns left, and a person turns left: " * 3, "copy"),
        (f"The caption says left. {GOOD}", "source"),
        (f"{GOOD} This fits the measured facts.", "source"),
        (f"{GOOD} In the contact sheet the arms hang down.", "source"),
        (GOOD.replace("left", "right"), "contradiction"),
        (f"{GOOD} The person walks forward meanwhile.", "contradiction"),
    ],
)
def test_what_is_wrong_is_named(reasoning, expected):
    answer = "It is a turn." if expected == "contradiction" else CAPTION
    assert kind(reasoning, answer=answer, facts=replace(TURN, turn_deg=85.0, forward_m=-1.0, path_m=1.0)) == expected


def test_details_say_what_was_found():
    def detail(*arguments):
        return rejection_of(*arguments, Bounds()).detail

    assert detail("m2t", CAPTION, "Too short.", CAPTION, TURN) == "2 words, expected 20 to 180"
    assert detail("m2t", CAPTION, f"The caption fits. {GOOD}", CAPTION, TURN) == "speaks of 'caption'"
    assert (
        detail("m2t", CAPTION, GOOD, CAPTION, replace(STILL, turn_deg=-80))
        == "the answer says turns left, but the motion turns right"
    )
    assert detail("m2t", CAPTION, GOOD, "a person turns right.", TURN) == "way: the caption says left, the answer right"


def test_bounds_are_inclusive():
    words = len(GOOD.split())
    assert kind(bounds=Bounds(words, words)) is None
    assert kind(bounds=Bounds(words + 1, 99)) == kind(bounds=Bounds(1, words - 1)) == "length"


def test_an_answer_may_use_other_words_and_round_numbers_but_no_other_facts():
    caption = "someone raises the left hand ten times."
    text = GOOD.replace("left side of the body by", "same way, and an arm goes up by")
    assert kind(text, caption, "the left arm is lifted about 11 times", STILL, "t2m", None) == "contradiction"
    assert kind(text, caption, "the left arm is lifted about 11 times", None) is None
    assert kind(text, caption, "the left arm is lifted three times", None) == "answer"
    assert kind(text, caption, "the right arm is lifted", None) == "answer"
    assert kind(text, caption, "an arm is lifted", None) is None


@pytest.mark.parametrize(
    ("more", "facts"),
    [
        ("Then it turns right by as much.", replace(STILL, turns=BOTH_WAYS, actions=BOTH_TURNS)),
        ("It does not walk forward.", TURN),
        ("There is no turn to the right at all.", TURN),
        ("The left knee bends a little.", TURN),
        ("For balance the trunk moves forward.", TURN),
        ("Its arm moves forward and back.", TURN),
        ("Both arms hang down, the person holds the left hand low.", TURN),
    ],
)
def test_what_may_be_true_is_left_alone(more, facts):
    assert kind(f"{GOOD} {more}", answer="It turns.", facts=facts) is None


def test_the_text_may_be_named_where_it_is_what_the_model_reads():
    assert kind(f"The text asks for a turn. {GOOD}", task="t2m") is None
    assert kind(f"The text asks for a turn. {GOOD}", task="m2t") == "source"
    assert kind(f"The measurements ask for a turn. {GOOD}", task="t2m") == "source"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            "While the arms swing, the body goes forward.",
            "the reasoning says moves forward, but the motion stays in place",
        ),
        (
            "Meanwhile the person raises the left hand.",
            "the reasoning says raises the left hand, but the motion raises no hand",
        ),
        ("It is all done on the spot, standing still.", None),
    ],
)
def test_a_clause_among_others_is_read(more, said):
    found = rejection_of("m2t", "a turn.", f"{GOOD} {more}", "a turn.", TURN, Bounds())
    assert (found and found.detail) == said


@needs_pack
def test_what_was_written_of_real_motion_passes_and_what_was_written_of_other_motion_often_fails():
    rows = {row["id"]: row for row in map(json.loads, (PACK.parent / "meta.jsonl").open())}
    facts = {name: motion_facts(joints, T2M) for name, joints in read_pack().items()}
    names = list(facts)
    own = [kind(rows[n]["reasoning"], rows[n]["captions"][0], rows[n]["captions"][0], facts[n]) for n in names]
    assert not any(own)
    pairs = zip(names, names[len(names) // 2 :] + names[: len(names) // 2], strict=True)
    other = [kind(rows[b]["reasoning"], rows[b]["captions"][0], rows[b]["captions"][0], facts[a]) for a, b in pairs]
    assert set(other) == {None, "contradiction"} and other.count("contradiction") > 0.4 * len(other)
