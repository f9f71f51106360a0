"""BVH files: two readers, ours and bvhio, find the joints, the rate and the sides again."""

from pathlib import Path

import bvhio
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dataset.sources.bvh.file import read_bvh
from dataset.sources.bvh.joint_mapping import load_mapping, read_bvh_joints
from dataset.sources.bvh.motion import positions
from tests.rewards.motion_pack import needs_pack
from tests.utils.motion_files.motions import LARGEST, kit, largest_error, real, stretched, toy
from utils.motion.skeleton import KIT, T2M
from utils.motion_files.bvh import write_bvh
from utils.motion_files.posing import pose
from utils.motion_files.rigs import RIGS, rig

MOTIONS = {
    "toy": lambda: toy()[:3],
    "stretched": lambda: (stretched(toy()[4]),),
    "one frame": lambda: (toy()[0][:1],),
}
# Every place in a file is written to 1e-5 of a unit, every turn to 1e-5 of a degree.
ROUNDING = 1e-4


def written(path, joints, name, skeleton=T2M, fps=20.0):
    motion = pose(joints, rig(name, skeleton), fps)
    write_bvh(path, motion)
    return motion


def by_bvhio(path: Path, names):
    """(T, J, 3) in the unit of the file, of the named joints."""
    root = bvhio.readAsHierarchy(str(path))
    joints = {joint.Name: joint for joint, _, _ in root.layout()}
    first, last = root.getKeyframeRange()
    found = np.empty((last - first + 1, len(names), 3))
    for frame in range(first, last + 1):
        root.loadPose(frame)
        found[frame - first] = [list(joints[name].PositionWorld) for name in names]
    return found


@pytest.mark.parametrize("name", RIGS)
@pytest.mark.parametrize("motions", [*MOTIONS, pytest.param("real", marks=needs_pack)])
def test_two_readers_find_the_joints_again(tmp_path, name, motions):
    for number, joints in enumerate(real() if motions == "real" else MOTIONS[motions]()):
        path = tmp_path / f"{number}.bvh"
        motion = written(path, joints, name)
        assert read_bvh(path).fps == 20.0
        assert largest_error(read_bvh_joints(path, None, T2M), joints) < LARGEST
        places = motion.rig.metres_per_unit * by_bvhio(path, motion.rig.joint_names)
        assert len(places) == len(joints)
        assert largest_error(places, motion.joints()) < 5 * ROUNDING
        assert largest_error(places, motion.rig.place(joints)) < LARGEST


@pytest.mark.parametrize("fps", [20.0, 12.5, 30.0, 59.94, 120.0])
def test_the_rate_is_kept(tmp_path, fps):
    written(tmp_path / "a.bvh", toy()[0], "mixamo", fps=fps)
    assert read_bvh(tmp_path / "a.bvh").fps == pytest.approx(fps, rel=1e-6)
    assert bvhio.readAsBvh(str(tmp_path / "a.bvh")).FrameTime == pytest.approx(1 / fps, abs=1e-7)


@pytest.mark.parametrize("name", RIGS)
def test_the_root_is_where_it_was_in_the_unit_of_the_rig(tmp_path, name):
    joints = toy()[1] + np.array([3.0, 0.0, -2.0])
    motion = written(tmp_path / "a.bvh", joints, name)
    root = read_bvh(tmp_path / "a.bvh").translations[:, 0]
    assert largest_error(root * motion.rig.metres_per_unit, joints[:, 0]) < ROUNDING
    assert {"mixamo": 0.01, "cmu": 0.056444, "smpl": 0.01}[name] == motion.rig.metres_per_unit


def test_left_stays_left(tmp_path):
    """The left wrist alone goes up; in the file it is the joint called left, at +X of who faces +Z."""
    own = rig("mixamo", T2M)
    joints = np.repeat(toy()[0][:1], 10, axis=0)
    elbow, wrist = T2M.joint("left_elbow"), T2M.joint("left_wrist")
    length = np.linalg.norm(joints[0, wrist] - joints[0, elbow])
    joints[5:, wrist] = joints[5:, elbow] + [0, length, 0]
    written(tmp_path / "a.bvh", joints, "mixamo")
    motion = read_bvh(tmp_path / "a.bvh")
    places = positions(motion)[:, : T2M.num_joints]  # without the end sites
    rise = places[9, :, 1] - places[0, :, 1]
    assert motion.joint_names[int(np.argmax(rise))] == "mixamorig:LeftHand" and rise.max() > 10
    index = {
        joint: motion.joint_names.index(name) for joint, name in zip(T2M.joint_names, own.joint_names, strict=True)
    }
    assert places[0, index["left_hip"], 0] > places[0, index["right_hip"], 0]


def test_kit_has_its_21_joints_and_its_rate(tmp_path):
    joints = kit(toy()[2])
    motion = written(tmp_path / "a.bvh", joints, "mixamo", KIT, KIT.fps)
    places = motion.rig.metres_per_unit * by_bvhio(tmp_path / "a.bvh", motion.rig.joint_names)
    assert places.shape == joints.shape and largest_error(places, joints) < LARGEST
    table = tmp_path / "kit.yaml"
    lines = [f"  {ours}: '{name}'" for ours, name in zip(KIT.joint_names, motion.rig.joint_names, strict=True)]
    table.write_text("\n".join(["name: kit", "skeleton: kit", "metres_per_unit: 0.01", "up: y", "joints:", *lines]))
    read = KIT.in_metres(read_bvh_joints(tmp_path / "a.bvh", load_mapping(table), KIT))
    assert largest_error(read, joints) < LARGEST


def somersault(frames=40):
    """A body that turns once over its head, a little askew: its root comes by the angles at which two axes are one."""
    standing = toy()[0][0] - toy()[0][0, 0]
    turns = Rotation.from_euler("ZXY", [[4.0, 360 * step / frames, 7.0] for step in range(frames)], degrees=True)
    return np.einsum("tab,jb->tja", turns.as_matrix(), standing) + np.array([0, 1.2, 0])


@pytest.mark.parametrize(
    "motions", [toy, lambda: (somersault(),), pytest.param(real, marks=needs_pack)], ids=["toy", "somersault", "real"]
)
def test_half_way_between_two_frames_no_bone_spins(tmp_path, motions):
    """Programs draw straight lines between the angles of frames; the joints must stay near those of both frames."""
    for joints in motions():
        fine = pose(joints, rig("mixamo", T2M), 20.0)
        write_bvh(tmp_path / "a.bvh", fine)
        head, _, rows = (tmp_path / "a.bvh").read_text().partition("Frames:")
        values = np.array([line.split() for line in rows.splitlines()[2:]], dtype=float)
        middle = (values[1:] + values[:-1]) / 2
        lines = [" ".join(map(str, row)) for row in middle]
        (tmp_path / "b.bvh").write_text(f"{head}Frames: {len(middle)}\nFrame Time: 0.05\n" + "\n".join(lines) + "\n")
        between = read_bvh_joints(tmp_path / "b.bvh", None, T2M)
        step = np.linalg.norm(np.diff(joints, axis=0), axis=-1)
        off = np.linalg.norm(between - (joints[1:] + joints[:-1]) / 2, axis=-1)
        assert (off < 0.02 + 0.25 * step).all()


def test_the_tips_of_a_skeleton_have_end_sites(tmp_path):
    written(tmp_path / "a.bvh", toy()[0], "mixamo")
    ends = {read_bvh(tmp_path / "a.bvh").joint_names[joint] for joint, _ in read_bvh(tmp_path / "a.bvh").ends}
    tips = ("Head", "LeftHand", "RightHand", "LeftToeBase", "RightToeBase")
    assert ends == {f"mixamorig:{tip}" for tip in tips}
