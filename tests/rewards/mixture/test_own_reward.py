"""The reward that the README teaches to write: as printed there, on toy people and on real ones."""

import re
from dataclasses import replace

import numpy as np
import pytest

from dataset.toy.clips import toy_clips
from models.language.rollout import Rollout
from rewards.base import RewardContext
from rewards.mixture.weighted import WeightedRewards
from tests.places import ROOT
from tests.rewards.motion_pack import needs_pack, read_pack
from utils.motion.features import features_from_joints
from utils.motion.skeleton import T2M

CONTEXT = RewardContext(T2M, 16)


@pytest.fixture
def name(tmp_path):
    """The README's class in a file of its own, as --rewards takes it."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    (tmp_path / "turning.py").write_text(code, encoding="utf-8")
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


def test_it_has_about_20_lines():
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 20


def test_true_side_is_paid_and_the_other_is_not(name):
    rewards = WeightedRewards.build({name: 0.3}, CONTEXT)
    true = list(turning_toys())
    assert len(true) > 20
    right, wrong = (
        np.array(rewards.table(rollouts)["TurnsAsTold"])
        for rollouts in (true, [replace(rollout, caption=swapped(rollout.caption)) for rollout in true])
    )
    assert np.array_equal(right, -wrong)
    assert (right > 0.3).mean() > 0.95


def test_what_it_has_nothing_to_say_on(name):
    rewards = WeightedRewards.build({name: 0.3}, CONTEXT)
    still, turned = np.zeros((40, 263), np.float32), np.full((40, 263), -0.1, np.float32)
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
    scores = np.array(WeightedRewards.build({name: 0.3}, CONTEXT).table(rollouts)["TurnsAsTold"])
    assert len(scores) >= 20
    assert (scores > 0.5).mean() > 0.95
