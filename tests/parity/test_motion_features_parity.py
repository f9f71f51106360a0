"""Our features against the official HumanML3D sample and the field's reference implementation (read from ../shared)."""

import numpy as np
import pytest
import torch

from tests.places import SHARED
from utils.motion.bones import offsets_of_frame
from utils.motion.features import canonical_joints, features_from_joints, joints_from_features
from utils.motion.inverse_kinematics import retarget
from utils.motion.skeleton import T2M

SAMPLE, REFERENCE, PACK = SHARED / "data/humanml3d_sample", SHARED / "reference", SHARED / "data/bnr"
needs_shared = pytest.mark.skipif(not SAMPLE.is_dir(), reason="the shared data beside the repository is absent")
REFERENCE_CLIPS = ("bnr1_kick_normal_001_s1", "bnr2_walk-turn-left_youthful_012", "bnr2_wave-both-hands_elderly_020")


@needs_shared
def test_official_sample_recovers_its_joints():
    features = np.load(SAMPLE / "012314_new_joint_vecs.npy")
    joints = np.load(SAMPLE / "012314_new_joints.npy")
    assert np.abs(joints_from_features(features, T2M) - joints).max() < 1e-5


@needs_shared
def test_official_sample_is_extracted_again():
    published = np.load(SAMPLE / "012314_new_joint_vecs.npy")
    features = features_from_joints(np.load(SAMPLE / "012314_new_joints.npy"), T2M)
    # The published file comes from one frame more; the smoothing of the heading carries that 80 frames back.
    error = np.abs(features - published[: len(features)])
    assert error[:-80].max() < 1e-4
    assert error.max() < 0.02
    np.testing.assert_array_equal(features[:, T2M.contacts_slice], published[: len(features), T2M.contacts_slice])


@needs_shared
def test_target_skeleton_of_the_reference_is_the_official_sample():
    offsets = offsets_of_frame(np.load(SAMPLE / "012314_new_joints.npy")[0], T2M)
    np.testing.assert_allclose(offsets, np.load(REFERENCE / "target_offsets.npy"), atol=1e-6)


@needs_shared
@pytest.mark.parametrize("clip", REFERENCE_CLIPS)
def test_reference_implementation(clip):
    stored = np.load(REFERENCE / f"features_{clip}.npz")
    offsets = np.load(REFERENCE / "target_offsets.npy")
    joints = stored["joints_in"]
    uniform = retarget(torch.from_numpy(joints).double(), T2M, offsets)
    np.testing.assert_allclose(uniform, stored["uniform_joints"], atol=1e-5)
    features = features_from_joints(joints, T2M, offsets)
    expected = stored["features"]
    continuous = slice(0, T2M.contacts_slice.start)
    assert np.abs(features[:, continuous] - expected[:, continuous]).max() < 1e-4
    assert (features[:, T2M.contacts_slice] != expected[:, T2M.contacts_slice]).mean() <= 0.005
    assert np.abs(joints_from_features(features, T2M) - stored["recovered_joints"]).max() < 1e-5


def pack_clips(split):
    """Name and (T, 22, 3) joints of every clip of one split."""
    with np.load(PACK / f"joints_{split}.npz") as stored:
        pack = {key: stored[key] for key in stored.files}
    for index, name in enumerate(pack["names"]):
        frames = slice(*pack["offsets"][index : index + 2])
        relative = pack["local"][frames].astype(np.float32) * pack["local_scale"]
        root = pack["root"][frames][:, None]
        yield str(name), np.concatenate([root, relative + root], axis=1)


def check_round_trips(clips):
    for name, joints in clips:
        features = features_from_joints(joints, T2M)
        error = np.abs(joints_from_features(features, T2M) - canonical_joints(joints, T2M)[:-1]).max()
        assert np.isfinite(features).all() and error < 1e-5, f"{name}: {error}"


@needs_shared
def test_round_trip_of_the_validation_clips():
    check_round_trips(pack_clips("val"))


@needs_shared
@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "test"])
def test_round_trip_of_every_clip(split):
    check_round_trips(pack_clips(split))


@needs_shared
def test_the_clips_that_the_published_code_recovers_wrongly():
    wrong = {"bnr2_walk-turn-left_normal_031", "bnr2_walk-turn-left_normal_032", "bnr2_walk-turn-right_masculine_006"}
    clips = [clip for split in ("train", "val", "test") for clip in pack_clips(split) if clip[0] in wrong]
    assert len(clips) == 3
    check_round_trips(clips)
