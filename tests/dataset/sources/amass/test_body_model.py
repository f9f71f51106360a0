"""Joints equal those of the full smplx models, and body model files are found and checked."""

import numpy as np
import pytest
import smplx
import torch
from smplx.utils import Struct

from dataset.sources.amass.body_model import BodyModel, find_body_model
from tests.dataset.sources.amass.synthetic_body_model import LEG, rest_joints, upright, write_body_model
from utils.errors import InputError
from utils.files.arrays import read_npz
from utils.motion.bones import offsets_of_frame
from utils.motion.skeleton import T2M

FRAMES = 6


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bodies")
    return {
        "smpl": write_body_model(folder / "smpl.npz", "smpl", num_betas=10),
        "smplh": write_body_model(folder / "smplh.npz", "smplh", num_betas=16),
        "smplx": write_body_model(folder / "smplx.npz", "smplx", num_betas=10),
    }


def full_smplx(family, file, poses, betas, trans):
    """(T, 22, 3) by the complete forward pass: shape, pose blend shapes, skinning."""
    options = {"batch_size": len(poses), "num_betas": len(betas)}
    if family == "smpl":
        model = smplx.SMPL("unused", data_struct=Struct(**np.load(file)), **options)
    elif family == "smplh":
        model = smplx.SMPLH(str(file), ext="npz", use_pca=False, flat_hand_mean=True, **options)
    else:
        model = smplx.SMPLX(str(file), ext="npz", use_pca=False, flat_hand_mean=True, **options)
    poses, betas, trans = (torch.tensor(values, dtype=torch.float32) for values in (poses, betas, trans))
    body = poses[:, 3:72] if family == "smpl" else poses[:, 3:66]
    extra = {}
    if family != "smpl":
        extra = {"left_hand_pose": poses[:, -90:-45], "right_hand_pose": poses[:, -45:]}
    with torch.no_grad():
        result = model(
            global_orient=poses[:, :3], body_pose=body, betas=betas.expand(len(poses), -1), transl=trans, **extra
        )
    return result.joints[:, :22].numpy()


@pytest.mark.parametrize(("family", "width"), [("smpl", 72), ("smplh", 156), ("smplx", 165)])
def test_joints_equal_the_full_model(files, family, width):
    rng = np.random.default_rng(1)
    poses = rng.normal(scale=0.7, size=(FRAMES, width))
    poses[0] = 0
    betas, trans = rng.normal(size=10), rng.normal(scale=2, size=(FRAMES, 3))
    model = BodyModel.load(files[family])
    joints = model.joints(poses, betas, trans)
    assert model.family == family
    assert joints.shape == (FRAMES, 22, 3) and joints.dtype == np.float32
    np.testing.assert_allclose(joints, full_smplx(family, files[family], poses, betas, trans), atol=1e-5)


def test_rest_pose_and_shape_by_hand(files):
    model = BodyModel.load(files["smplh"])
    rest = model.joints(np.zeros((1, 156)), np.zeros(16), np.array([[1.0, 2.0, 3.0]]))[0]
    np.testing.assert_allclose(rest, rest_joints() + np.array([1, 2, 3]), atol=1e-6)
    legs = np.linalg.norm(offsets_of_frame(rest, T2M)[list(T2M.leg_joints)], axis=-1).sum()
    assert legs == pytest.approx(LEG, abs=1e-5)
    larger = model.joints(np.zeros((1, 156)), np.array([2.0]), np.zeros((1, 3)))[0]  # the missing betas count as 0
    np.testing.assert_allclose(larger, 1.1 * rest_joints(), atol=1e-6)


def test_root_turns_about_the_pelvis_not_about_the_origin(files):
    joints = BodyModel.load(files["smplh"]).joints(upright(1), np.zeros(10), np.zeros((1, 3)))[0]
    rest = rest_joints()
    x, y, z = (rest - rest[0]).T
    np.testing.assert_allclose(joints, np.stack([x, -z, y], axis=-1) + rest[0], atol=1e-6)


def test_number_of_betas(files):
    poses, trans = np.zeros((1, 156)), np.zeros((1, 3))
    betas = np.random.default_rng(2).normal(size=16)
    ten, sixteen = BodyModel.load(files["smplh"]), BodyModel.load(files["smplh"], num_betas=16)
    np.testing.assert_array_equal(ten.joints(poses, betas, trans), ten.joints(poses, betas[:10], trans))
    assert np.abs(ten.joints(poses, betas, trans) - sixteen.joints(poses, betas, trans)).max() > 1e-3
    # What is not there cannot be used: SMPL has 10, and behind the 10 shapes of SMPL-X are its 10 expressions.
    assert BodyModel.load(files["smpl"], num_betas=16).shape_offsets.shape == (22, 3, 10)
    assert BodyModel.load(files["smplx"], num_betas=16).shape_offsets.shape == (22, 3, 10)


def test_long_clips_are_computed_in_parts(files, monkeypatch):
    model = BodyModel.load(files["smplh"])
    rng = np.random.default_rng(3)
    clip = rng.normal(size=(7, 156)), rng.normal(size=10), rng.normal(size=(7, 3))
    whole = model.joints(*clip)
    monkeypatch.setattr("dataset.sources.amass.body_model._FRAMES_AT_ONCE", 3)
    np.testing.assert_allclose(model.joints(*clip), whole, atol=1e-6)


@pytest.mark.parametrize("shapes", [((5, 63), (10,), (5, 3)), ((5, 66), (10,), (4, 3)), ((5, 66), (1, 10), (5, 3))])
def test_wrong_shapes_are_named(files, shapes):
    with pytest.raises(InputError, match="poses"):
        BodyModel.load(files["smplh"]).joints(*map(np.zeros, shapes))


def test_pickled_arrays_are_refused_with_advice(tmp_path):
    sparse = np.array({"data": 1}, dtype=object)
    path = write_body_model(tmp_path / "model.npz", "smpl", num_betas=10, J_regressor=sparse)
    with pytest.raises(InputError, match=r"model\.npz: cannot read J_regressor.*convert"):
        BodyModel.load(path)


def test_files_that_are_no_body_model_are_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        BodyModel.load(tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(InputError, match=r"text\.npz: not an \.npz"):
        BodyModel.load(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", v_template=np.zeros((5, 3)))
    with pytest.raises(InputError, match="lacks J_regressor, kintree_table, shapedirs"):
        BodyModel.load(tmp_path / "other.npz")
    small = write_body_model(tmp_path / "small.npz", "smpl", num_betas=10, J_regressor=np.zeros((16, 6890)))
    with pytest.raises(InputError, match=r"J_regressor \(24, 52 or 55, V\), got .*\(16, 6890\)"):
        BodyModel.load(small)
    tree = np.zeros((2, 24), dtype=np.uint32)
    with pytest.raises(InputError, match="kintree_table"):
        BodyModel.load(write_body_model(tmp_path / "tree.npz", "smpl", num_betas=10, kintree_table=tree))


def test_damaged_content_is_named(tmp_path):
    path = tmp_path / "damaged.npz"
    np.savez(path, v_template=np.ones((500, 3)))
    content = bytearray(path.read_bytes())
    content[3000:3100] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged\.npz: cannot read v_template"):
        read_npz(path, ["v_template"])


@pytest.mark.parametrize(
    "layout",
    ["smplh/male/model.npz", "male/model.npz", "smplh/SMPLH_MALE.npz", "SMPLH_MALE.npz", "SMPLH/Male/model.npz"],
)
def test_common_layouts_are_found(tmp_path, layout):
    (tmp_path / layout).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / layout).touch()
    assert find_body_model(tmp_path, "smplh", "male").samefile(tmp_path / layout)
    with pytest.raises(InputError, match="female"):
        find_body_model(tmp_path, "smplh", "female")


def test_a_missing_body_model_says_what_was_looked_for(tmp_path):
    with pytest.raises(InputError) as caught:
        find_body_model(tmp_path / "absent", "smplx", "neutral")
    for part in ("smplx/neutral/model.npz", "neutral/model.npz", "smplx/SMPLX_NEUTRAL.npz", "licence", "smpl-x.is.tue"):
        assert part in str(caught.value)
