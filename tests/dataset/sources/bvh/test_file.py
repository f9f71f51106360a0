"""The BVH reader on hand-made files whose joint positions are worked out by hand, and on files that are not sound."""

import re

import numpy as np
import pytest

from dataset.sources.bvh.file import read_bvh
from dataset.sources.bvh.motion import positions, resample
from tests.dataset.sources.bvh.synthetic_bvh import HIERARCHY, write
from utils.errors import InputError


def single_joint(channels, offset="0 0 0"):
    """A root with these channels and one fixed joint at (1, 2, 3) below it."""
    count = len(channels.split())
    return (
        f"HIERARCHY\nROOT Root\n{{\nOFFSET {offset}\nCHANNELS {count} {channels}\n"
        "JOINT Tip\n{\nOFFSET 1 2 3\nCHANNELS 0\nEnd Site\n{\nOFFSET 0 0 0\n}\n}\n}\n"
    )


def test_skeleton_offsets_and_rate(tmp_path):
    motion = read_bvh(write(tmp_path, [[0] * 11]))
    assert motion.joint_names == ("Reference", "Hips", "Arm", "Hand", "Tail")
    assert motion.parents == (-1, 0, 1, 2, 1)
    np.testing.assert_array_equal(motion.offsets, [[0, 0, 0], [0, 10, 0], [1, 0, 0], [0, 2, 0], [0, 0, -3]])
    assert motion.ends == ((3, (7, 7, 7)),) and motion.place_names == (*motion.joint_names, "Hand End Site")
    assert motion.fps == 20 and motion.rotations.shape == (1, 5, 4)


def test_forward_kinematics_by_hand(tmp_path):
    # The root travels to (5, 0, 6). Hips: 90 degrees about z: x -> y, y -> -x.
    # Arm: its place is (1, 0, 0) turned = (0, 1, 0). Then 90 degrees about x in its own frame: y -> z, z -> -y.
    # Hand in the arm's frame: z = 4 and x = 3 replace the OFFSET, y = 2 stays: (3, 2, 4) -> x turn (3, -4, 2)
    # -> z turn (4, 3, 2).
    values = [5, 0, 6, 90, 0, 0, 90, 0, 0, 4, 3]
    joints = positions(read_bvh(write(tmp_path, [[0] * 11, values])))
    assert joints.shape == (2, 6, 3)
    np.testing.assert_allclose(joints[0, :5], [[0, 0, 0], [0, 10, 0], [1, 10, 0], [1, 12, 0], [0, 10, -3]], atol=1e-12)
    np.testing.assert_allclose(joints[1, :5], [[5, 0, 6], [5, 10, 6], [5, 11, 6], [9, 14, 8], [5, 10, 3]], atol=1e-12)
    # The end site of the hand, (7, 7, 7) from it: x turn (7, -7, 7), z turn (7, 7, 7).
    np.testing.assert_allclose(joints[:, 5], [[8, 19, 7], [16, 21, 15]], atol=1e-12)


@pytest.mark.parametrize(
    ("channels", "angles", "tip"),
    [
        # (1, 2, 3): the last rotation acts first. Zx: x turn -> (1, -3, 2), then z turn -> (3, 1, 2).
        ("Zrotation Xrotation", "90 90", [3, 1, 2]),
        # Xz: z turn -> (-2, 1, 3), then x turn -> (-2, -3, 1).
        ("Xrotation Zrotation", "90 90", [-2, -3, 1]),
        # Yz: z turn -> (-2, 1, 3), then y turn (z -> x, x -> -z) -> (3, 1, 2).
        ("Yrotation Zrotation", "90 90", [3, 1, 2]),
        ("Yrotation", "-90", [-3, 2, 1]),
        # x, y and z in turn from the right: x -> (1, -3, 2), y -> (2, -3, -1), z -> (3, 2, -1).
        ("Zrotation Yrotation Xrotation", "90 90 90", [3, 2, -1]),
        ("zROTATION yrotation XRotation", "90 90 90", [3, 2, -1]),
    ],
)
def test_rotations_multiply_in_the_order_of_the_channels(tmp_path, channels, angles, tip):
    motion = read_bvh(write(tmp_path, [angles.split()], single_joint(channels)))
    np.testing.assert_allclose(positions(motion)[0, 1], tip, atol=1e-12)


def test_position_channels_replace_the_offset_wherever_they_stand(tmp_path):
    hierarchy = single_joint("Xrotation Zposition Yrotation Xposition", offset="100 200 300")
    joints = positions(read_bvh(write(tmp_path, [[90, 5, 0, 4]], hierarchy)))
    np.testing.assert_allclose(joints[0, :2], [[4, 200, 5], [5, 197, 7]], atol=1e-12)


def test_layout_does_not_matter(tmp_path):
    plain = write(tmp_path, [[1, 2, 3, 10, 20, 30, 40, 50, 60, 7, 8], [2.5] * 11])
    expected = read_bvh(plain)
    text = plain.read_text()
    values = text.split("0.05\n")[1].split()
    compact = re.sub(r"\s+", " ", text.split("MOTION")[0]).replace("{ ", "{").replace(" }", "}")
    wild = (
        "\ufeff" + compact.replace(" OFFSET", "\tOFFSET\t").replace("JOINT", "\nJOINT\t") + "\nMOTION  \n\n"
        "Frames:2\n \nFrame  Time :\t0.05\n\n" + "\n\n".join(" \t".join(values[i : i + 4]) for i in range(0, 22, 4))
    )
    other = tmp_path / "wild.bvh"
    other.write_bytes((wild + "\n\n \n").replace("\n", "\r\n").encode("utf-8"))
    motion = read_bvh(other)
    assert (motion.joint_names, motion.parents, motion.fps) == (expected.joint_names, expected.parents, expected.fps)
    np.testing.assert_array_equal(motion.translations, expected.translations)
    np.testing.assert_array_equal(motion.rotations, expected.rotations)


def test_names_may_hold_spaces_and_prefixes(tmp_path):
    hierarchy = HIERARCHY.replace("JOINT Hips", "JOINT Bip01 L Hip").replace("JOINT Arm", "JOINT mixamorig:Arm")
    assert read_bvh(write(tmp_path, [[0] * 11], hierarchy)).joint_names[1:3] == ("Bip01 L Hip", "mixamorig:Arm")


@pytest.mark.parametrize(
    ("frame_time", "fps"),
    [
        ("0.033333", 30),
        ("0.0333333333333333", 30),
        ("0.016666", 60),
        (".00833333", 120),
        ("8.3333e-3", 120),
        ("0.0333667", 30000 / 1001),  # NTSC, not 30
        ("0.18", 1 / 0.18),  # few digits, but 6 fps would be 8 % off
        ("0.033", 30),
        ("0.03", 30),
        ("33.333", 30),
    ],
)
def test_a_rounded_frame_time_means_a_whole_frame_rate(tmp_path, frame_time, fps):
    assert read_bvh(write(tmp_path, [[0] * 11], frame_time=frame_time)).fps == pytest.approx(fps, rel=1e-12)


def test_a_given_rate_overrides_the_frame_time(tmp_path):
    assert read_bvh(write(tmp_path, [[0] * 11], frame_time="0"), fps=24).fps == 24
    for fps in (0, -1, float("nan"), float("inf"), 1e-300, 1e300):
        with pytest.raises(InputError, match="expected a frame rate of 1 to 1000 frames a second"):
            read_bvh(write(tmp_path, [[0] * 11]), fps=fps)


def test_resampling_turns_by_slerp_and_moves_in_straight_lines(tmp_path):
    hierarchy = single_joint("Xposition Zrotation Xrotation Yrotation")
    motion = read_bvh(write(tmp_path, [[0, 0, 0, 0], [2, 90, 0, 0], [4, 90, 0, 0]], hierarchy, "0.1"))
    twice = resample(motion, 20)
    assert twice.fps == 20 and twice.rotations.shape == (5, 2, 4) and twice.translations.shape == (5, 2, 3)
    half = np.cos(np.pi / 8), 0, 0, np.sin(np.pi / 8)  # 45 degrees about z
    np.testing.assert_allclose(twice.rotations[1, 0], half, atol=1e-12)
    np.testing.assert_allclose(twice.translations[:, 0, 0], [0, 1, 2, 3, 4], atol=1e-12)
    # The tip stays on its circle: straight lines between the positions would cut the corner.
    tips = positions(twice)
    np.testing.assert_allclose(np.linalg.norm(tips[:, 1] - tips[:, 0], axis=-1), np.sqrt(14), atol=1e-12)
    # From 170 to -100 degrees is a turn of 90, not of -270: half-way is 215.
    jump = read_bvh(write(tmp_path, [[0, 170, 0, 0], [0, -100, 0, 0]], hierarchy, "0.1"))
    angle = resample(jump, 20).rotations[1, 0]
    expected = np.array([np.cos(np.radians(215) / 2), 0, 0, np.sin(np.radians(215) / 2)])
    assert abs(angle @ expected) == pytest.approx(1, abs=1e-12)


def test_resampling_never_extrapolates_and_keeps_the_time(tmp_path):
    hierarchy = single_joint("Xposition Zrotation")
    motion = read_bvh(write(tmp_path, [[frame, 3 * frame] for frame in range(9)], hierarchy, "0.033333"))
    slower = resample(motion, 20)  # frames at 0, 1.5, 3, 4.5, 6, 7.5 of 0..8
    np.testing.assert_allclose(slower.translations[:, 0, 0], [0, 1.5, 3, 4.5, 6, 7.5], atol=1e-12)
    np.testing.assert_allclose(2 * np.degrees(np.arccos(slower.rotations[:, 0, 0]))[1:], np.arange(1, 6) * 4.5)
    assert resample(motion, 30) is motion
    single = read_bvh(write(tmp_path, [[1, 90]], hierarchy))
    np.testing.assert_array_equal(resample(single, 12.5).rotations, single.rotations)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("HIERARCHY", "Hello", r":1: not a BVH file"),
        ("MOTION", "", r":31: unexpected 'Frames:' in the HIERARCHY section"),
        ("JOINT Arm", "JOINT Hips", r":11: a second joint named 'Hips'"),
        ("OFFSET 0 10 0", "OFFSET 0 ten 0", r":8: expected a number, got 'ten'"),
        ("OFFSET 0 10 0", "OFFSET 0 nan 0", r":8: expected a number, got 'nan'"),
        ("    OFFSET 0 10 0\n", "", r":27: joint 'Hips' has no OFFSET"),
        ("CHANNELS 2 Zposition", "CHANNELS 2 Wposition", r":17: expected 2 different.*got 'Wposition'"),
        ("CHANNELS 2 Zposition", "CHANNELS 2 Xposition", r":17: expected 2 different.*got 'Xposition'"),
        ("CHANNELS 2", "CHANNELS 7", r":17: expected the number of channels.*'7'"),
        ("CHANNELS 2", f"CHANNELS {'1' * 5000}", r":17: expected the number of channels.*'1{40}'"),
        ("OFFSET 0 10 0", "OFFSET 0 1e300 0", r":8: expected a number, got '1e300'"),
        ("OFFSET 0 10 0", f"OFFSET 0 {'1' * 5000} 0", r":8: expected a number, got '1{40}'"),
        ("JOINT Tail", "BONE Tail", r":24: unexpected 'BONE'"),
        ("  }\n}\nMOTION", "}\nMOTION", r"ends before its last closing brace"),
        ("Frame Time", "Time", r":30: expected 'Frames: N' and 'Frame Time"),
        ("Frames: 2", "Frames: -4", r":31: .*'-4'"),
        ("Frames: 2", "Frames: two", r":31: expected one frame or more, got 'two'"),
        ("Frames: 2", "Frames: \u0662", r":31: expected one frame or more"),
        (" 0.5\n", " 0.5 7\n", r":34: 12 values, a frame has 11: the file is damaged here"),
        (" 0.5\n", " 0,5\n", r":34: .* got '0,5': numbers have a decimal point"),
        (" 0.5\n", " 0_5\n", r":34: expected a finite number in the motion, got '0_5'"),
        (" 0.5\n", " 0.5;\n1\n", r":34: .* got '0.5;': numbers stand apart by blanks"),
        (" 0.5\n", " 0.5\x00\n1\n", r":34: .*: a NUL byte, the file is damaged"),
        (" 0.5\n", " \x1a\n1\n", r":34: .*: Ctrl-Z, the end mark of DOS"),
        (" 0.5\n", " 1e300\n", r":34: expected a finite number in the motion, got '1e300'"),
        (" 0.5\n", f" {'9' * 5000}\n", r":34: .* got '9{40}'"),
        (" 0.5\n", " NaN\n", r":34: expected a finite number in the motion, got 'NaN'"),
        (" 0.5\n", " 1e999\n", r":34: .*'1e999'"),
        ("Frame Time: 0.05", "Frame Time: 0", r":32: the frame time must be .* '0'"),
        ("Frame Time: 0.05", "Frame Time: -0.05", r":32: the frame time"),
        ("Frame Time: 0.05", "Frame Time: fast", r":32: the frame time"),
        ("Frame Time: 0.05", "Frame Time: 1e9", r":32: the frame time must be seconds, 0.001 to 0.2, got '1e9'"),
    ],
)
def test_what_is_not_sound_is_named_with_its_line(tmp_path, old, new, message):
    path = write(tmp_path, [[0] * 11, [*range(10), 0.5]])
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=message) as error:
        read_bvh(path)
    assert str(error.value).startswith(str(path))


def test_files_that_cannot_be_read_or_hold_nothing(tmp_path):
    with pytest.raises(InputError, match=r"absent\.bvh: no such file"):
        read_bvh(tmp_path / "absent.bvh")
    for content in (b"", b"\x93NUMPY\x01\x00" + bytes(range(256))):
        (tmp_path / "other.bvh").write_bytes(content)
        with pytest.raises(InputError, match=r"other\.bvh:1: not a BVH file"):
            read_bvh(tmp_path / "other.bvh")
    (tmp_path / "cut.bvh").write_text(HIERARCHY)
    with pytest.raises(InputError, match="not a whole BVH file: no MOTION section"):
        read_bvh(tmp_path / "cut.bvh")
    with pytest.raises(InputError, match="no joint has a channel"):
        read_bvh(write(tmp_path, [[]], single_joint("")))


def test_position_channels_that_nobody_filled_leave_the_offset(tmp_path):
    hierarchy = HIERARCHY.replace("CHANNELS 3 Zrotation Xrotation Yrotation",
                                  "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation")  # fmt: skip
    empty = positions(read_bvh(write(tmp_path, [[5, 0, 6] + [0] * 3 + [90, 0, 0] + [0] * 5] * 2, hierarchy)))
    np.testing.assert_allclose(empty[0, :5], [[5, 0, 6], [5, 10, 6], [5, 11, 6], [3, 11, 6], [5, 10, 3]], atol=1e-12)
    # One frame that says something makes them true in all.
    filled = [[5, 0, 6] + [0] * 11, [5, 0, 6, 0, 1, 0] + [0] * 8]
    heights = positions(read_bvh(write(tmp_path, filled, hierarchy)))[:, 1, 1]
    np.testing.assert_allclose(heights, [0, 1])
