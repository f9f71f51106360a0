"""Physical: hand-computed terms on simple motions, and the order of real motion above every corruption of it."""

import numpy as np
import pytest
import torch

from models.language.rollout import Rollout
from rewards.base import RewardContext
from rewards.physical_plausibility import TERMS, PhysicalPlausibility, physical_terms, weighted_penalty
from rewards.physical_quantities import (
    bone_deviation,
    depth,
    joint_acceleration,
    joint_speed,
    knee_flexion,
    lift,
    roughness,
    support_speed,
)
from tests.places import SHARED
from tests.rewards.motion_corruptions import CORRUPTIONS, SEEN_BY, floating, noise, raise_by, slide, stretch, teleport
from tests.rewards.motion_pack import needs_pack, read_pack
from utils.motion.features import features_from_joints, joints_from_features
from utils.motion.skeleton import KIT, T2M

SAMPLES = SHARED / "data" / "humanml3d_sample"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the HumanML3D samples are not beside the repository")

REWARD = PhysicalPlausibility(RewardContext(skeleton=T2M, nb_code=512))
FPS = T2M.fps
BONE_M = 0.3


def rollout(motion, task="t2m") -> Rollout:
    return Rollout(task, "x", "", "", "", None if motion is None else np.arange(10), motion)


def standing(skeleton=T2M, frames=60, bone=BONE_M) -> np.ndarray:
    """(T, J, 3): the rest pose, feet on the floor."""
    pose = np.zeros((skeleton.num_joints, 3))
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0:
            pose[joint] = pose[parent] + bone * skeleton.directions()[joint]
    pose[:, 1] -= pose[:, 1].min()
    return np.repeat(pose[None], frames, axis=0).astype(np.float32)


def batch(*clips):
    """Joints padded with nonsense, to show that padding is not read."""
    frames = max(len(clip) for clip in clips)
    joints = torch.full((len(clips), frames, clips[0].shape[1], 3), 1e3)
    valid = torch.zeros(len(clips), frames, dtype=torch.bool)
    for index, clip in enumerate(clips):
        joints[index, : len(clip)] = torch.from_numpy(np.asarray(clip, dtype=np.float32))
        valid[index, : len(clip)] = True
    return joints, valid


def values(track, index=0):
    return track.values[index][track.valid[index]].numpy()


def test_speed_and_acceleration_of_a_known_motion():
    clip = standing(frames=40)
    time = np.arange(40) / FPS
    clip[:, 20, 0] += 0.5 * 3.0 * time**2  # one wrist, 3 m/s^2
    joints, valid = batch(clip, standing(frames=50))
    np.testing.assert_allclose(values(joint_acceleration(joints, valid, FPS)), 3.0, atol=2e-3)
    np.testing.assert_allclose(values(joint_speed(joints, valid, FPS)), 3.0 * (time[1:] + time[:-1]) / 2, atol=1e-4)
    assert len(values(joint_speed(joints, valid, FPS), 1)) == 49


def test_roughness_is_near_zero_for_smooth_and_about_two_for_noise():
    rng = np.random.default_rng(0)
    smooth = standing(frames=60)
    smooth[:, :, 2] += np.linspace(0, 3, 60)[:, None]
    rough = standing(frames=60) + rng.normal(0, 0.05, (60, 22, 3))
    joints, valid = batch(smooth, rough)
    track = roughness(joints, valid, FPS)
    assert values(track, 0).max() < 1e-2
    # |third difference| / |first difference| of white noise is sqrt(20) / sqrt(2) = 3.2, less by the floor of 0.4 m/s
    speed = 0.05 * np.sqrt(2) * FPS * np.sqrt(8 / np.pi)
    assert values(track, 1).mean() == pytest.approx(np.sqrt(10) * speed / (speed + 0.4), rel=0.1)


def test_bone_deviation_by_hand():
    clip = standing(frames=5)
    clip[0, 15] += clip[0, 15] - clip[0, 12]  # the head's bone is twice as long in the first frame
    joints, valid = batch(clip, standing(frames=9))
    np.testing.assert_allclose(values(bone_deviation(joints, valid, T2M)), [1 / 21, 0, 0, 0, 0], atol=1e-6)


def test_depth_and_lift():
    high, low = standing(frames=50), standing(frames=50)
    high[:, :, 1] += 0.25
    low[10:20, :, 1] -= 0.07
    hop = standing(frames=50)
    hop[20:30, :, 1] += 0.4  # half a second in the air is no floating
    joints, valid = batch(high, low, hop)
    np.testing.assert_allclose(values(lift(joints, valid, FPS), 0), 0.25, atol=1e-6)
    assert values(lift(joints, valid, FPS), 2).max() == 0
    np.testing.assert_allclose(np.unique(values(depth(joints, valid), 1)), [0, 0.07], atol=1e-6)
    assert values(depth(joints, valid), 0).max() == 0


def test_support_speed_of_a_slide_and_of_a_step():
    slid = standing(frames=40)
    slid[:, :, 2] += 0.8 * np.arange(40)[:, None] / FPS
    step = standing(frames=40)  # the body moves over a left foot that stays: someone carries it
    step[:, :, 2] += 0.8 * np.arange(40)[:, None] / FPS
    step[:, list(T2M.left_foot)] = standing(frames=40)[:, list(T2M.left_foot)]
    joints, valid = batch(slid, step)
    np.testing.assert_allclose(values(support_speed(joints, valid, FPS), 0), 0.8, atol=1e-4)
    assert values(support_speed(joints, valid, FPS), 1).max() < 1e-4


def test_crawling_on_resting_hands_does_not_slide():
    clip = standing(frames=40)
    clip[:, :, 1] += 0.5
    clip[:, :, 2] += 0.8 * np.arange(40)[:, None] / FPS
    clip[:, 20] = [1.0, 0.02, 0.0]
    joints, valid = batch(clip)
    assert values(support_speed(joints, valid, FPS)).max() < 1e-4


@pytest.mark.parametrize("bend", [0, 40, 90, 130, -40])
def test_knee_flexion_is_signed_by_the_foot(bend):
    clip = standing(frames=2)
    knee, ankle, foot = (T2M.joint(f"left_{name}") for name in ("knee", "ankle", "foot"))
    angle = np.deg2rad(bend)
    shin = np.array([0, -np.cos(angle), -np.sin(angle)])
    forward = np.array([0, -np.sin(angle), np.cos(angle)])
    clip[:, ankle] = clip[:, knee] + BONE_M * shin
    clip[:, foot] = clip[:, ankle] + BONE_M * forward
    joints, _ = batch(clip)
    left, right = knee_flexion(joints, T2M)[0, 0].tolist()
    assert left == pytest.approx(bend, abs=1e-3)
    assert right == pytest.approx(0, abs=1e-3)


def test_a_knee_bent_the_wrong_way_and_a_folded_elbow_are_seen():
    backwards, folded = standing(), standing()
    knee, ankle, foot = (T2M.joint(f"left_{name}") for name in ("knee", "ankle", "foot"))
    backwards[:, ankle] = backwards[:, knee] + BONE_M * np.array([0, -0.5, 0.866])
    backwards[:, foot] = backwards[:, ankle] + BONE_M * np.array([0, 0.866, 0.5])
    elbow, wrist, shoulder = (T2M.joint(f"left_{name}") for name in ("elbow", "wrist", "shoulder"))
    folded[:, wrist] = folded[:, elbow] + 0.9 * (folded[:, shoulder] - folded[:, elbow])
    terms = physical_terms(*batch(backwards, folded, standing()), T2M)
    # 60 degrees the wrong way is 40 beyond -20: the full term. 180 is 20 beyond 160: two thirds.
    np.testing.assert_allclose(terms["angles"], [1.0, 2 / 3, 0.0], atol=1e-3)


def test_terms_half_by_extent_and_half_by_the_worst_frame():
    high = standing(frames=50)
    high[:, :, 1] += 0.13  # 0.10 over the limit of 0.03, of a ramp of 0.20
    terms = physical_terms(*batch(high), T2M)
    assert terms["floating"].item() == pytest.approx(0.5, abs=1e-5)
    low = standing(frames=50)
    low[:5, :, 1] -= 0.06  # 0.05 of a ramp of 0.10, in a tenth of the clip
    terms = physical_terms(*batch(low), T2M)
    assert terms["penetration"].item() == pytest.approx((0.5 * 0.1 + 0.5) / 2, abs=1e-5)
    assert weighted_penalty(terms).item() >= 0.5 * 0.275


def test_weights_of_the_terms():
    def penalty(**terms):
        return weighted_penalty({name: torch.tensor([terms.get(name, 0.0)]) for name in TERMS}).item()

    assert penalty(bones=1) == penalty(angles=1) == penalty(bones=1, angles=0.5) == pytest.approx(0.6)
    assert penalty(velocity=1) == pytest.approx(0.25)
    assert penalty(acceleration=1) == pytest.approx(0.15)
    assert penalty(skating=0.4) == penalty(penetration=0.4) == penalty(floating=0.4) == pytest.approx(0.2)
    assert penalty(**dict.fromkeys(TERMS, 1.0)) == 1.0


def test_standing_still_scores_zero_for_both_skeletons_and_any_unit():
    for skeleton in (T2M, KIT):
        for unit in (1.0, 1000.0):
            reward = PhysicalPlausibility(RewardContext(skeleton=skeleton, nb_code=512))
            features = features_from_joints(standing(skeleton, bone=0.3 * unit), skeleton)
            assert reward.score([rollout(features)]) == [pytest.approx(0.0, abs=1e-6)], (skeleton.name, unit)


def test_a_reply_without_motion_is_worst_and_the_other_task_is_none():
    good = features_from_joints(standing(), T2M)
    broken = good.copy()
    broken[3, 5] = np.nan
    rollouts = [rollout(None), rollout(good), rollout(broken), rollout(good, "m2t"), rollout(good[:1])]
    assert REWARD.score(rollouts) == [-1.0, pytest.approx(0.0), -1.0, None, pytest.approx(0.0)]
    terms = REWARD.terms(rollouts)
    assert set(terms) == set(TERMS)
    assert all(column[0] is column[2] is column[3] is None for column in terms.values())
    assert all(column[1] == pytest.approx(0.0) for column in terms.values())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, 1e38, -1e20, 1e10])
def test_what_is_beyond_any_body_is_worst_and_never_perfect(value):
    good = features_from_joints(standing(), T2M)
    for columns in (slice(3, 4), T2M.positions_slice, slice(None)):
        broken = good.astype(np.float64)
        broken[:, columns] = value
        assert REWARD.penalty([broken, good, None, good[:0]]) == [1.0, pytest.approx(0.0), 1.0, 1.0]
        assert REWARD.score([rollout(broken)]) == [-1.0]
        assert all(column == [None] for column in REWARD.terms([rollout(broken)]).values())


def test_scores_do_not_depend_on_the_batch():
    rng = np.random.default_rng(0)
    rollouts = [rollout(noise(standing(frames=n), rng, T2M)) for n in (20, 61, 41)]
    together = REWARD.score(rollouts)
    assert together == pytest.approx([REWARD.score([one])[0] for one in rollouts], abs=1e-6)


def test_more_of_a_fault_costs_more():
    joints = standing(frames=80)

    def score(make, amounts):
        motions = [make(joints, np.random.default_rng(0), T2M, amount) for amount in amounts]
        return REWARD.score([rollout(motion) for motion in motions])

    for make, amounts in [
        (noise, (0.002, 0.005, 0.01)),
        (slide, (0.1, 0.3, 0.6)),
        (teleport, (0.02, 0.5, 1.0)),
        (stretch, (0.01, 0.05, 0.1)),
        (lambda clip, _, skeleton, height: raise_by(clip, skeleton, height), (0.02, 0.1, 0.2)),
        (lambda clip, _, skeleton, height: raise_by(clip, skeleton, -height), (0.005, 0.05, 0.1)),
    ]:
        scores = score(make, amounts)
        assert scores[0] > scores[1] > scores[2] >= -1.0
        assert scores[0] <= 0.0


@pytest.fixture(scope="module")
def real_clips():
    clips = list(read_pack().values())[::2]
    rollouts = [rollout(features_from_joints(clip, T2M)) for clip in clips]
    return clips, rollouts, np.array(REWARD.score(rollouts))


@needs_pack
def test_real_clips_are_near_zero(real_clips):
    _, _, scores = real_clips
    assert len(scores) == 193
    assert -scores.mean() < 0.01
    assert np.mean(scores > -0.05) > 0.95


@needs_pack
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_real_motion_is_above_its_corruption(real_clips, name):
    clips, rollouts, real = real_clips
    rng = np.random.default_rng(0)
    corrupted = [rollout(CORRUPTIONS[name](clip, rng, T2M)) for clip in clips]
    scores = np.array(REWARD.score(corrupted))
    assert np.mean(real > scores) >= 0.99
    assert (real - scores).mean() > 0.1
    term = SEEN_BY[name]
    assert np.mean(REWARD.terms(corrupted)[term]) > np.mean(REWARD.terms(rollouts)[term]) + 0.2


@needs_samples
def test_official_samples_are_near_zero_and_above_their_corruptions():
    for file in ("012314_new_joint_vecs.npy", "000612_new_joint_vecs.npy"):
        features = np.load(SAMPLES / file)
        real = REWARD.score([rollout(features)])[0]
        assert real > -0.03
        joints = joints_from_features(features, T2M)
        for make in CORRUPTIONS.values():
            assert REWARD.score([rollout(make(joints, np.random.default_rng(0), T2M))])[0] < real - 0.1


def test_floating_helper_raises_every_joint():
    joints = standing(frames=10)
    raised = joints_from_features(floating(joints, np.random.default_rng(0), T2M), T2M)
    np.testing.assert_allclose(raised[..., 1], joints[:-1, :, 1] + 0.2, atol=1e-5)
