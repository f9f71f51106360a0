"""`facts` and `grounding` on toy people: the right motion and the true text beside those that would game them."""

from dataclasses import replace

import numpy as np
import pytest

from dataset.toy.animation import animate
from dataset.toy.clips import toy_clips
from dataset.toy.programs import Action, Program
from models.language.rollout import Rollout
from rewards import facts as facts_reward
from rewards import grounding as grounding_reward
from rewards.base import RewardContext
from rewards.lacking import Lacking
from rewards.mixture.loading import load_reward, reference_free, usable_for
from utils.motion.features import features_from_joints
from utils.motion.skeleton import T2M

CONTEXT = RewardContext(skeleton=T2M, nb_code=512)
LEFT, RIGHT = (Action("turn", way, degrees=90) for way in ("left", "right"))
JUMP, SQUAT = Action("jump", "up", count=2), Action("squat", count=1)
KICK, WAVE, PUNCH = (
    Action(kind, way, "left", count=2) for kind, way in (("kick", "front"), ("wave", ""), ("punch", ""))
)
WALK = Action("walk", "forward", count=4)


def motion(*actions, seed=0):
    return features_from_joints(animate(Program(actions), np.random.default_rng(seed)), T2M)


def still():
    joints = animate(Program((JUMP,)), np.random.default_rng(0))
    return features_from_joints(joints[:1].repeat(60, axis=0), T2M)


def t2m(caption, made, **more):
    return Rollout("t2m", caption, "", "it moves", None, np.array([1]), made, **{"problem": None, **more})


def m2t(given, answer, reasoning="", **more):
    return Rollout("m2t", answer, "", reasoning, answer, np.array([1]), given, **{"problem": None, **more})


@pytest.fixture(scope="module")
def facts():
    return load_reward("facts", CONTEXT)


@pytest.fixture(scope="module")
def grounding():
    return load_reward("grounding", CONTEXT)


@pytest.mark.parametrize(
    ("caption", "right"),
    [
        ("a person turns left.", (LEFT,)),
        ("someone jumps up twice.", (JUMP,)),
        ("a man kicks twice with his left leg", (KICK,)),
        ("a person waves the left hand twice", (WAVE,)),
        ("a person walks forward, then squats", (WALK, SQUAT)),
    ],
)
def test_the_right_motion_is_worth_more_than_any_that_games_the_caption(facts, caption, right):
    mirrored = tuple(
        replace(action, way={"left": "right"}.get(action.way, action.way), side={"left": "right"}.get(action.side, ""))
        for action in right
    )
    everything = motion(LEFT, RIGHT, JUMP, KICK, WAVE, PUNCH, SQUAT, WALK)
    made = [motion(*right), motion(LEFT, RIGHT), everything, still(), motion(PUNCH), None]
    best, *others = facts.score([t2m(caption, one) for one in made])
    assert best == 1 and max(others) <= 0.85 and others[-1] == facts_reward.WORST
    if mirrored != right:
        assert facts.score([t2m(caption, motion(*mirrored))])[0] <= 0.75


def test_a_contradiction_is_worth_less_than_any_number_of_claims_that_hold():
    contradiction = load_reward("contradiction", CONTEXT)
    caption = "a person walks forward, then turns left."
    right, other = motion(WALK, LEFT), motion(WALK, RIGHT)
    made = [right, other, motion(WALK, LEFT, KICK), None, right[:1]]
    assert contradiction.score([t2m(caption, one) for one in made]) == [0, -1, 0, -1, -1]
    assert contradiction.score([t2m("a person dances.", right), m2t(right, caption)]) == [None, None]
    assert contradiction.score([t2m(caption, right, problem="no </think>")]) == [-1]


def test_other_numbers_and_another_order_cost(facts):
    once = replace(JUMP, count=1)
    scores = facts.score([t2m("a person jumps up twice", motion(one)) for one in (JUMP, once)])
    assert scores[0] == 1 and scores[1] < scores[0]
    caption = "a person squats once, then jumps up twice"
    ordered, turned = facts.score([t2m(caption, motion(*order)) for order in ((SQUAT, JUMP), (JUMP, SQUAT))])
    assert ordered == 1 and turned < 1


def test_nothing_to_check_is_none_and_a_malformed_reply_is_the_worst(facts, grounding):
    walk = motion(WALK)
    assert (
        facts.score([t2m("a person dances", walk), t2m("a person dances", None), m2t(walk, "he walks")]) == [None] * 3
    )
    bad = [
        t2m("he walks", walk, problem="no end"),
        t2m("he walks", walk, finished=False),
        t2m("he walks", np.full((9, 263), np.nan)),
    ]
    assert facts.score(bad) == [facts_reward.WORST] * 3
    assert grounding.score([m2t(still(), "a person dances"), t2m("he walks", walk)]) == [None, None]
    assert grounding.score([m2t(walk, None, problem="no answer"), m2t(None, "he walks")]) == [
        grounding_reward.WORST,
        None,
    ]


def test_true_texts_are_worth_more_than_those_that_game_the_motion(grounding):
    given = motion(KICK)
    true = m2t(given, "a person kicks forward twice with the left leg.", "The left leg kicks to the front twice.")
    others = {
        "nothing": m2t(given, "a person does something.", "The person is here."),
        "one safe claim": m2t(given, "a person kicks.", "The person is here."),
        "everything": m2t(given, "a person kicks with the left leg, kicks with the right leg, turns left, turns right,"
                                 " jumps, walks forward, squats and claps.", "The left and right leg kick."),
        "other side": m2t(given, "a person kicks forward twice with the right leg.", "The right leg kicks twice."),
        "other action": m2t(given, "a person walks forward and sits down.", "The person walks."),
        "false reasoning": m2t(given, true.answer, "The person walks forward, turns left and squats."),
    }  # fmt: skip
    best, *rest = grounding.score([true, *others.values()])
    assert best == 1 and max(rest) < 0.85, dict(zip(others, rest, strict=True))
    scores = dict(zip(others, rest, strict=True))
    assert scores["other action"] < scores["nothing"] < scores["one safe claim"]


def test_true_captions_of_toy_people_are_worth_the_most(facts, grounding):
    clips = list(toy_clips(24, 3))
    motions = [features_from_joints(clip.joints, T2M) for clip in clips]
    captions = [clip.captions[0].text for clip in clips]
    own = facts.score([t2m(caption, made) for caption, made in zip(captions, motions, strict=True)])
    other = facts.score([t2m(caption, made) for caption, made in zip(captions, motions[1:] + motions[:1], strict=True)])
    assert np.mean(own) > 0.97 and np.mean(other) < 0.5
    told = [m2t(made, clip.captions[0].text, clip.reasoning[0]) for made, clip in zip(motions, clips, strict=True)]
    lies = [
        m2t(made, clip.captions[0].text, clip.reasoning[0])
        for made, clip in zip(motions[1:] + motions[:1], clips, strict=True)
    ]
    assert np.mean(grounding.score(told)) > 0.9 and np.mean(grounding.score(lies)) < 0.5


def test_what_is_lacking_is_told_in_the_words_of_the_facts():
    lacking = Lacking(T2M, 512)
    made = motion(replace(KICK, side="right"))
    assert (
        "the motion kicks with the right leg, the text says kicks with the left leg"
        in lacking([t2m("a person kicks forward twice with the left leg.", made)])[0]
    )
    (text,) = lacking([m2t(motion(JUMP), "a person jumps three times.")])
    assert text == "the answer says jumps 3 times, the motion jumps twice"


def test_how_much_of_an_attempt_is_right():
    lacking, walks_then_turns = Lacking(T2M, 512), motion(WALK, LEFT)
    codes = np.zeros(len(walks_then_turns) // 4, dtype=int)

    def right(caption, made):
        return lacking.right_until([replace(t2m(caption, made), codes=codes[: len(made) // 4])])[0]

    assert right("a person walks forward, then turns left.", walks_then_turns) is None
    turned = right("a person walks forward, then turns right.", walks_then_turns)
    assert len(codes) / 4 < turned < len(codes)
    assert right("a person walks backward, then turns right.", walks_then_turns) < turned
    # A body that leaps through space breaks a limit there, whatever the caption says.
    jumps = walks_then_turns.copy()
    jumps[40, T2M.root_slice.start + 1] += 3.0
    assert right("a person walks forward, then turns left.", jumps) in (9, 10)
    assert right("a person walks forward, then turns left.", walks_then_turns[:1]) is None
    nobody = replace(t2m("a person walks forward.", None), codes=None)
    assert lacking.right_until([nobody]) == [None]


def test_how_much_of_a_reasoning_is_right():
    lacking, made = Lacking(T2M, 512), motion(WALK, LEFT)
    true, false, last = "it walks 2.5 m forward.", "then it turns to the right!", "it stands."
    told = [" ".join(sentences) for sentences in ([true, false, last], [true, last], [false, true], [])]
    texts = [replace(m2t(made, "a person walks.", text), text=f"{text}</think><answer>x</answer>") for text in told]
    found = lacking.right_until(texts)
    assert found == [len(true), len(texts[1].text), 0, None]  # all, up to the caption, where nothing fails


def test_all_are_named_and_read_no_reference():
    weights = {"facts": 1.0, "contradiction": 1.0, "grounding": 1.0}
    assert usable_for(weights, ("t2m",)) == {"facts": 1.0, "contradiction": 1.0}
    assert usable_for(weights, ("m2t",)) == {"grounding": 1.0}
    assert reference_free(weights) == weights
