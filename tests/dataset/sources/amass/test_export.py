"""Joints become a file of AMASS that our reader and the full smplx models give the same joints for."""

import errno
import logging
import os

import numpy as np
import pytest

from dataset.sources.amass.body_model import BodyModel, find_body_model
from dataset.sources.amass.clips import joints_of_clip, read_amass
from dataset.sources.amass.export import TOLD, any_body, clip_of_joints, write_amass
from tests.dataset.sources.amass.synthetic_body_model import walking, write_body_model
from tests.dataset.sources.amass.test_body_model import full_smplx
from tests.rewards.motion_pack import needs_pack
from tests.utils.motion_files.motions import kit, largest_error, real, toy
from utils.errors import InputError
from utils.files.arrays import names_in_npz
from utils.motion.bones import bone_vectors
from utils.motion.skeleton import KIT, T2M

WIDTHS = {"smpl": 72, "smplh": 156, "smplx": 165}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of body models for each family, a neutral body alone."""
    root = tmp_path_factory.mktemp("bodies")
    for family in WIDTHS:
        write_body_model(root / family / family / "neutral" / "model.npz", family, num_betas=10)
    return {family: root / family for family in WIDTHS}


def read_back(path, folder):
    clip = read_amass(path)
    return joints_of_clip(clip, BodyModel.load(find_body_model(folder, clip.family, clip.gender)), clip.fps)


def of_body(folder, betas):
    """(T, 22, 3) metres, Y up, of somebody of that body who walks with a rising arm."""
    body = any_body(folder)
    poses, trans = walking(60, 20.0, WIDTHS[body.model.family])
    return body.model.joints(poses, np.array(betas), trans)[..., [0, 2, 1]] * np.array([-1, 1, 1])


@pytest.mark.parametrize("family", WIDTHS)
@pytest.mark.parametrize("betas", [[0.0], [1.5, -2.0, 0.7, 1.0, -1.2]], ids=["average", "some shape"])
def test_a_motion_of_such_a_body_is_read_back_within_2_cm(tmp_path, folders, family, betas, caplog):
    """Measured: the joint that is farthest off, over all frames and all 22 joints; 3 mm at most here."""
    joints = of_body(folders[family], betas)
    with caplog.at_level(logging.WARNING):
        off = write_amass(tmp_path / "a.npz", joints, T2M, 20.0, any_body(folders[family]))
    found = read_back(tmp_path / "a.npz", folders[family])
    assert len(found) == len(joints) and caplog.messages == []
    assert largest_error(found, joints) == pytest.approx(off, abs=1e-4)
    assert off < 0.005 < TOLD


@pytest.mark.parametrize("family", WIDTHS)
def test_the_full_model_gives_the_joints_too(tmp_path, folders, family):
    joints = of_body(folders[family], [1.0, 0.5])
    write_amass(tmp_path / "a.npz", joints, T2M, 20.0, any_body(folders[family]))
    clip = read_amass(tmp_path / "a.npz")
    file = find_body_model(folders[family], family, "neutral")
    found = full_smplx(family, file, clip.poses, clip.betas[:10], clip.trans)
    assert largest_error(found[..., [0, 2, 1]] * np.array([-1, 1, 1]), joints) < TOLD


@pytest.mark.parametrize("motions", [toy, pytest.param(real, marks=needs_pack)])
def test_other_people_are_put_on_the_body_and_by_how_much_is_told(tmp_path, folders, motions, caplog):
    """The made-up body has eyeballed proportions: bones point where they pointed, joints are some cm elsewhere."""
    for joints in motions():
        caplog.clear()
        off = write_amass(tmp_path / "a.npz", joints, T2M, 20.0, any_body(folders["smplh"]))
        found = read_back(tmp_path / "a.npz", folders["smplh"])
        assert largest_error(found, joints) == pytest.approx(off, abs=1e-4) and off < 0.15
        said = [f"joints are up to {100 * off:.0f} cm elsewhere"] if off > TOLD else []
        assert [message.partition(": ")[2].partition(": ")[2] for message in caplog.messages] == said
        for limb in ("knee", "ankle", "elbow", "wrist"):
            joint = T2M.joint(f"left_{limb}")
            bones = [bone_vectors(motion, T2M)[:, joint] for motion in (found, joints)]
            cosine = (bones[0] * bones[1]).sum(-1) / np.prod(np.linalg.norm(bones, axis=-1), axis=0)
            assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 1.0


def test_the_file_says_what_amass_says(tmp_path, folders):
    write_amass(tmp_path / "a.npz", of_body(folders["smplh"], [0.0]), T2M, 20.0, any_body(folders["smplh"]))
    said = {"poses", "trans", "betas", "gender", "mocap_framerate", "mocap_frame_rate", "surface_model_type"}
    assert names_in_npz(tmp_path / "a.npz") == said
    clip = read_amass(tmp_path / "a.npz")
    assert (clip.gender, clip.family, clip.fps) == ("neutral", "smplh", 20.0)
    assert clip.poses.shape == (60, 156) and clip.trans.shape == (60, 3) and clip.betas.shape == (16,)
    assert not clip.poses[:, 66:].any()  # hands are at rest
    # Z is up, and who walks ahead in ours walks ahead in AMASS's world.
    assert clip.trans[:, 2].mean() == pytest.approx(1.2, abs=0.02) and np.ptp(clip.trans[:, 1]) > 2


def test_left_stays_left(tmp_path, folders):
    """The left arm of who walks rises, in the file that is read back too."""
    write_amass(tmp_path / "a.npz", of_body(folders["smpl"], [0.0]), T2M, 20.0, any_body(folders["smpl"]))
    found = read_back(tmp_path / "a.npz", folders["smpl"])
    rise = found[-1, :, 1] - found[0, :, 1]
    assert T2M.joint_names[int(rise.argmax())] == "left_wrist" and rise.max() > 0.3
    assert (found[:, T2M.joint("left_hip"), 0] < found[:, T2M.joint("right_hip"), 0]).all()  # walking to -Z


def test_which_body_is_taken(tmp_path, folders):
    assert any_body(folders["smplx"]).model.family == "smplx"
    for family, gender in (("smplx", "neutral"), ("smplh", "male"), ("smplh", "female")):
        write_body_model(tmp_path / family / gender / "model.npz", family, num_betas=10)
    body = any_body(tmp_path)
    assert (body.model.family, body.gender) == ("smplh", "male")
    assert any_body(tmp_path, "female").gender == "female"
    assert any_body(tmp_path, "neutral").model.family == "smplx"
    with pytest.raises(InputError, match="no smplh body model of gender 'neutral'"):
        any_body(tmp_path / "smplx" / "neutral")
    with pytest.raises(InputError, match="gender must be one of"):
        any_body(tmp_path, "robot")


def test_what_has_no_such_body_is_refused(tmp_path, folders):
    body = any_body(folders["smplh"])
    with pytest.raises(InputError, match=r"a\.npz: AMASS has SMPL's 22 joints, these are the 21 of kit"):
        write_amass(tmp_path / "a.npz", kit(toy()[0]), KIT, KIT.fps, body)
    broken = toy()[0].copy()
    broken[2, 3] = np.nan
    with pytest.raises(InputError, match=r"a\.npz: the motion holds values that are not finite"):
        write_amass(tmp_path / "a.npz", broken, T2M, 20.0, body)
    with pytest.raises(InputError, match=r"joints must be \(T, 22, 3\), got \(0, 22, 3\)"):
        clip_of_joints(np.zeros((0, 22, 3)), 20.0, body)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_leaves_what_was_there(tmp_path, folders, monkeypatch):
    body, joints = any_body(folders["smplh"]), of_body(folders["smplh"], [0.0])
    write_amass(tmp_path / "a.npz", joints, T2M, 20.0, body)
    before = (tmp_path / "a.npz").read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_amass(tmp_path / "a.npz", joints[:5], T2M, 20.0, body)
    assert (tmp_path / "a.npz").read_bytes() == before and len(list(tmp_path.iterdir())) == 1
