"""A result is saved as what the ending of a name says; for AMASS with a folder of body models."""

import json

import numpy as np
import pytest

from dataset.sources.bvh.joint_mapping import read_bvh_joints
from models.inference.motion_files import MotionReading, read_motion
from models.inference.results import DescribedMotion, GeneratedMotion, save_captions, save_motions
from tests.dataset.sources.amass.synthetic_body_model import write_body_model
from tests.utils.motion_files.motions import LARGEST, largest_error, toy
from utils.errors import InputError
from utils.motion.skeleton import T2M


def motion(number=0):
    joints = toy()[number].astype(np.float32)
    codes = np.arange(len(joints) // 4)
    return GeneratedMotion("somebody walks.", "Think.", codes, np.zeros((len(joints), 263)), joints, T2M)


@pytest.fixture(scope="module")
def bodies(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bodies")
    write_body_model(folder / "smplh" / "male" / "model.npz", "smplh", num_betas=16)
    return folder


def test_amass_is_written_with_a_body_and_read_back(tmp_path, bodies, caplog):
    """The made-up body is not the toy people's: what the file says of the difference is what is found."""
    assert motion().save(tmp_path / "a.npz", body_models=bodies) == tmp_path / "a.npz"
    joints = read_motion(tmp_path / "a.npz", T2M, MotionReading(body_models=str(bodies)))
    assert joints.shape == motion().joints.shape
    said = float(caplog.messages[0].rpartition("up to ")[2].split()[0])
    assert 100 * largest_error(joints, motion().joints) == pytest.approx(said, abs=0.51)


def test_several_motions_get_a_file_each(tmp_path, bodies):
    written = save_motions(tmp_path / "a.npz", [motion(0), motion(1)], body_models=bodies)
    assert [path.name for path in written] == ["a-1.npz", "a-2.npz"] and all(path.is_file() for path in written)


def test_captions_are_saved_with_what_they_describe(tmp_path, bodies):
    window = DescribedMotion("somebody walks.", "Think.", 0.0, 2.0, np.arange(10), toy()[0], T2M)
    assert save_captions(tmp_path / "a.npz", {"x": [window]}, body_models=bodies) == [tmp_path / "a.npz"]
    save_captions(tmp_path / "a.json", {"x": [window]})
    assert json.loads((tmp_path / "a.json").read_text())["x"][0]["caption"] == "somebody walks."


def test_without_a_body_it_says_what_is_needed(tmp_path):
    with pytest.raises(InputError, match=r"a\.npz: AMASS stores poses of a body: give body_models"):
        motion().save(tmp_path / "a.npz")
    with pytest.raises(InputError, match="no smplh body model"):
        motion().save(tmp_path / "a.npz", body_models=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rig", ["mixamo", "cmu", "smpl"])
def test_bvh_has_the_names_of_the_rig(tmp_path, rig):
    motion().save(tmp_path / "a.bvh", rig)
    assert largest_error(read_bvh_joints(tmp_path / "a.bvh", None, T2M), motion().joints) < LARGEST


def test_json_holds_all_but_the_features(tmp_path):
    motion().save(tmp_path / "a.json")
    [row] = json.loads((tmp_path / "a.json").read_text())["motions"]
    assert row["caption"] == "somebody walks." and row["codes"] == motion().codes.tolist() and row["fps"] == 20
    assert largest_error(row["joints"], motion().joints) < 1e-3 and "motion" not in row
