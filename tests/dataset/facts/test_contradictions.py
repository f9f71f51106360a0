"""Contradictions of captions and measured motions: by hand, on real motion, and as drafts of training data."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest

from dataset.actions.events import Event
from dataset.cot.drafts import Drafts
from dataset.cot.sample import Draft, Sample
from dataset.facts.contradictions import Contradiction, contradictions
from dataset.facts.motion_facts import MotionFacts, motion_facts
from tests.rewards.motion_pack import PACK, needs_pack, read_pack
from utils.motion.skeleton import T2M

STILL = MotionFacts(3.0, 0.0, 0.05, 0.02, 0.0, 0.0, -0.5, -0.5, 0.0)
WALK = replace(STILL, path_m=2.0, net_m=2.0, forward_m=2.0)
SIDES = ("right", "left")
JUMP = Event("jump", 0, 1, way="up")
KICK = Event("kick", 0, 1, "right", "front")
SQUAT = Event("squat", 2, 3)
TURN = Event("turn", 0, 1, way="left", degrees=90)
STEPS = Event("walk", 0, 4, "left", "forward", 8, metres=6.8, pace_m_s=1.7)


def done(*events):
    """Facts of a clip with these actions; the same one again counts as one more repetition."""
    moved = {"left_foot_m": 0.5, "right_foot_m": 0.5, "pelvis_drop_m": 0.4, "pelvis_rise_m": 0.3}
    actions = [replace(event, count=max(event.count, events.count(event))) for event in dict.fromkeys(events)]
    return replace(STILL, **moved, actions=tuple(actions), path_m=sum(event.metres for event in actions))


@pytest.mark.parametrize(
    ("caption", "facts", "said", "done"),
    [
        ("a person turns left.", replace(STILL, turn_deg=-85), "turns left", "turns right"),
        ("a person turns right on the spot", STILL, "turns right", "does not turn"),
        ("Someone walks around a corner to the right.", replace(WALK, turn_deg=90), "turns right", "turns left"),
        ("a man steps to the left.", replace(WALK, left_m=-0.6, forward_m=0), "moves left", "moves right"),
        ("a person walks backwards.", WALK, "moves backward", "moves forward"),
        ("a person runs forward.", STILL, "moves forward", "stays in place"),
        ("a person marches in place.", WALK, "stays in place", "walks away"),
        ("a person turns left and then right.", STILL, "turns", "does not turn"),
        ("a person punches with the left fist forward.", STILL, "punches with the left hand", "does not punch"),
        ("a person bends forward at a quick pace.", STILL, "bows", "does not bow"),
        ("a person jumps twice.", done(JUMP, JUMP, JUMP), "jumps twice", "jumps 3 times"),
        ("he kicks with his left leg", done(KICK), "kicks with the left leg", "kicks with the right leg"),
        ("he kicks to the side", done(KICK), "kicks to the side", "kicks to the front"),
        ("a man squats, then jumps", done(JUMP, SQUAT), "squats before it jumps", "jumps before it squats"),
        ("a man walks four steps forward", done(STEPS), "takes 4 steps", "takes 8 steps"),
        ("a man slowly walks forward", done(STEPS), "moves slowly", "moves at 1.7 metres a second"),
        ("starting with the right foot he walks ahead", done(STEPS), *(f"starts with the {x} foot" for x in SIDES)),
        ("a person turns left by 180 degrees", done(TURN), "turns by 180 degrees", "turns by 90 degrees"),
        ("a person raises the left hand.", STILL, "raises the left hand", "raises no hand"),
        ("he waves his left arm", replace(STILL, right_hand_m=0), "raises the left hand", "raises only the right hand"),
        ("he lifts both arms", replace(STILL, left_hand_m=0), "raises both hands", "raises only the left hand"),
        (
            "a person lifts the left hand above the head.",
            replace(STILL, left_hand_m=-0.15),
            "raises the hand to above the head",
            "raises the hand to shoulder height",
        ),
    ],
)
def test_what_is_denied_is_found(caption, facts, said, done):
    assert contradictions(caption, facts) == [Contradiction(said, done)]


@pytest.mark.parametrize(
    ("caption", "facts"),
    [
        ("a person turns left.", replace(STILL, turn_deg=85)),
        ("a person turns left and then turns right.", done(TURN, replace(TURN, way="right"))),
        ("a person leans to the left.", replace(STILL, lean_left_deg=9.0)),  # between leaning and not
        ("a person first takes a step back and then kicks forward.", replace(done(KICK), forward_m=-2.0, path_m=2.0)),
        ("a person walks forward and then jumps in place.", done(STEPS, replace(JUMP, start_s=5))),
        ("a person kicks a ball twice", replace(STILL, left_foot_m=0.2)),  # a foot was up: it may have been a kick
        ("a person scratches its head with the left hand twice.", WALK),
        ("a person turns left.", replace(STILL, turn_deg=-20)),  # too little to be sure
        ("a person dances.", WALK),
    ],
)
def test_what_may_be_is_left_alone(caption, facts):
    assert contradictions(caption, facts) == []


def test_words_tell_what_has_to_change():
    item = Contradiction("turns left", "turns right")
    assert item.lacking("t2m") == "the motion turns right, the text says turns left"
    assert item.lacking("m2t") == "the answer says turns left, the motion turns right"


@needs_pack
def test_real_captions_are_not_contradicted_and_those_of_other_clips_often_are():
    captions = {row["id"]: row["captions"] for row in map(json.loads, (PACK.parent / "meta.jsonl").open())}
    facts = {name: motion_facts(joints, T2M) for name, joints in read_pack().items()}
    assert not any(contradictions(caption, facts[name]) for name in facts for caption in captions[name])
    rng, names = random.Random(0), list(facts)
    other = [bool(contradictions(captions[rng.choice(names)][0], facts[name])) for name in names]
    assert np.mean(other) > 0.5


def test_a_draft_is_of_the_same_clip_or_says_what_it_lacks():
    turns = {"left": 90.0, "right": -90.0}
    samples = [
        Sample("t2m", f"a person turns {side}{how}.", (1,), f"It turns {side}.", id=f"{side}{n}")
        for side in turns
        for n in range(40)
        for how in ("", " slowly")
    ]
    facts = {f"{side}{n}": replace(STILL, turn_deg=turn) for side, turn in turns.items() for n in range(40)}
    drafts = Drafts(samples, facts, seed=1)
    found = [drafts.draft(index) for index in range(len(samples))]
    assert found == [Drafts(samples, facts, seed=1).draft(index) for index in range(len(samples))]
    wrong = 0
    for sample, draft in zip(samples, found, strict=True):
        own, other = (text.split()[3].strip(".") for text in (sample.caption, draft.caption))
        assert draft.reasoning == f"It turns {other}." and draft.caption != sample.caption
        if own == other:  # the other caption of the clip: nothing else that turns to this side is taken for a draft
            assert draft.lacking_t2m == draft.lacking_m2t == ""
        else:
            wrong += 1
            assert draft.lacking("t2m") == f"the motion turns {other}, the text says turns {own}"
            assert draft.lacking("m2t") == f"the answer says turns {other}, the motion turns {own}"
    assert 0.4 * len(samples) < wrong < 0.6 * len(samples)


def test_a_clip_with_one_caption_gets_drafts_of_others_and_one_that_nothing_contradicts_its_own():
    turns = [Sample("t2m", "a person turns left.", (1,), "L.", id="a"), Sample("t2m", "he turns right.", (1,), id="b")]
    facts = {"a": replace(STILL, turn_deg=90.0), "b": replace(STILL, turn_deg=-90.0)}
    assert all(Drafts(turns, facts, seed).draft(0).caption == "he turns right." for seed in range(8))
    told_twice = [turns[0], replace(turns[0], caption="the person turns left.")]
    assert all(Drafts(told_twice, facts, seed).draft(0).caption == told_twice[1].caption for seed in range(8))


def test_alone_there_is_no_draft():
    sample = Sample("t2m", "a person turns.", (1,), id="a")
    assert Drafts([sample, replace(sample, codes=(2,))], {}).draft(0) is None
    assert Drafts([sample, Sample("t2m", "she sits.", (1,), "S.", id="b")], {}).draft(0) == Draft("S.", "she sits.")
