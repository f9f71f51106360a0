"""The reward that rewards/README.md teaches to write: as printed there, on toy people and on real ones."""

import re
from dataclasses import replace

import numpy as np
import pytest

from dataset.toy.clips import toy_clips
from rewards.base import T2M, RewardContext, Rollout, joints_in_metres
from rewards.mixture.loading import build_rewards
from tests.places import ROOT
from tests.rewards.motion_pack import needs_pack, read_pack
from utils.motion import features as features_module
from utils.motion.features import features_from_joints

CONTEXT = RewardContext(T2M, 16)
(CODE,) = re.findall(r"```python\n(.*?)```", (ROOT / "rewards/README.md").read_text("utf-8"), flags=re.DOTALL)


@pytest.fixture
def name(tmp_path):
    """The page's class in a file of its own, as --rewards takes it."""
    (tmp_path / "turning.py").write_text(CODE, encoding="utf-8")
    return f"{tmp_path / 'turning.py'}:TurnsAsTold"


def turn(caption, motion):
    return Rollout("t2m", caption, "", "", "", None, motion)


def turning_toys():
    for clip in toy_clips(300, seed=0):
        caption = clip.captions[0].text
        if re.search(r"\bturn", caption) and ("left" in caption) != ("right" in caption):
            yield turn(caption, features_from_joints(clip.joints, T2M))


def swapped(caption):
    return re.sub("left|right", lambda side: {"left": "right", "right": "left"}[side[0]], caption)


def test_it_has_20_lines_and_needs_one_module_of_ours():
    assert len([line for line in CODE.splitlines() if line.strip()]) <= 20
    assert re.findall(r"^(?:from|import) (\S+)", CODE, flags=re.MULTILINE) == ["re", "numpy", "rewards.base"]


def test_the_door_gives_the_joints_of_the_library():
    features = features_from_joints(next(iter(toy_clips(1, seed=0))).joints, T2M)
    assert np.array_equal(joints_in_metres(features, T2M), features_module.joints_in_metres(features, T2M))


def test_true_side_is_paid_and_the_other_is_not(name):
    rewards = build_rewards({name: 0.3}, CONTEXT)
    true = list(turning_toys())
    assert len(true) > 20
    right, wrong = (
        np.array(rewards.table(rollouts)["TurnsAsTold"])
        for rollouts in (true, [replace(rollout, caption=swapped(rollout.caption)) for rollout in true])
    )
    assert np.array_equal(right, -wrong)
    assert (right > 0.3).mean() > 0.95


def test_what_it_has_nothing_to_say_on(name):
    rewards = build_rewards({name: 0.3}, CONTEXT)
    still = np.zeros((40, 263), np.float32)
    still[:, 4], still[:, 7] = 0.1, -0.1  # left hip to the left of the pelvis, right hip to its right
    turned = still.copy()
    turned[:, 0] = -0.1  # half the turn a frame, in radians; right is positive
    scores = rewards.table([
        turn("a person walks", still), turn("a person turns left", None), turn("a person turns left", still),
        turn("a person turns left", turned),
    ])["TurnsAsTold"]  # fmt: skip
    assert scores == [None, -1.0, 0.0, 1.0]


@needs_pack
def test_real_people_turn_as_their_captions_say(name):
    rollouts = [
        turn(f"a person turns {side}", features_from_joints(joints, T2M))
        for clip, joints in read_pack().items()
        for side in re.findall("walk-turn-(left|right)", clip)
    ]
    scores = np.array(build_rewards({name: 0.3}, CONTEXT).table(rollouts)["TurnsAsTold"])
    assert len(scores) >= 20
    assert (scores > 0.5).mean() > 0.95
