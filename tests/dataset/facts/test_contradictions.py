"""Contradictions of captions and measured motions: by hand, on real motion, and as drafts of training data."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest

from dataset.cot.drafts import Drafts
from dataset.cot.sample import Draft, Sample
from dataset.facts.contradictions import Contradiction, contradictions
from dataset.facts.motion_facts import MotionFacts, motion_facts
from tests.rewards.motion_pack import PACK, needs_pack, read_pack
from utils.motion.skeleton import T2M

STILL = MotionFacts(3.0, 0.0, 0.05, 0.02, 0.0, 0.0, -0.5, -0.5, 0.0)
WALK = replace(STILL, path_m=2.0, net_m=2.0, forward_m=2.0)


@pytest.mark.parametrize(
    ("caption", "facts", "said", "done"),
    [
        ("a person turns left.", replace(STILL, turn_deg=-85), "turns left", "turns right"),
        ("a person turns right on the spot", STILL, "turns right", "does not turn"),
        ("Someone walks around a corner to the right.", replace(WALK, turn_deg=90), "turns right", "turns left"),
        ("a man steps to the left.", replace(WALK, left_m=-0.6, forward_m=0), "moves left", "moves right"),
        ("a person walks backwards.", WALK, "moves backward", "moves forward"),
        ("a person runs forward.", STILL, "moves forward", "stays in place"),
        ("a person jumps in place.", WALK, "stays in place", "walks away"),
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
        ("a person turns left and then turns right.", STILL),  # both ways: nothing is denied
        ("a person punches with the left fist forward.", STILL),  # no travel, no raising
        ("a person leans to the left.", STILL),
        ("a person first takes a step back and then kicks forward.", replace(WALK, forward_m=-2)),
        ("a person bends forward at a quick pace.", STILL),  # the pace of no walk
        ("a person walks forward and then jumps in place.", WALK),
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
