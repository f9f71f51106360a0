"""Joint files in any unit, with any axis up, at any rate; files that are no joints."""

import numpy as np
import pytest

from dataset.sources.joints import guess_unit, read_joints
from dataset.sources.units import leg_length, to_metres_y_up
from dataset.toy.clips import toy_clips
from utils.errors import InputError
from utils.motion.skeleton import KIT, T2M

WALK = next(iter(toy_clips(4, seed=3))).joints.astype(np.float64)


def saved(tmp_path, joints, name="a"):
    path = tmp_path / f"{name}.npy"
    np.save(path, joints)
    return path


@pytest.mark.parametrize(("metres", "up"), [(1.0, "y"), (0.01, "y"), (0.001, "z"), (0.0254, "-y"), (1.0, "-x")])
def test_unit_and_axis_are_undone(tmp_path, metres, up):
    turn = to_metres_y_up(np.eye(3), 1.0, up).T
    path = saved(tmp_path, WALK @ np.linalg.inv(turn).T / metres)
    np.testing.assert_allclose(read_joints(path, T2M, 20, metres, up), WALK, atol=1e-9)


def test_without_a_word_joints_stay_as_they_are(tmp_path):
    np.testing.assert_array_equal(read_joints(saved(tmp_path, WALK), T2M, 20), WALK)
    assert len(read_joints(saved(tmp_path, WALK), T2M, 40)) == (len(WALK) + 1) // 2


def test_kits_joints_are_in_its_own_unit_and_sides_or_in_the_worlds(tmp_path):
    world = WALK[:, :21]
    world[:, [KIT.joint("root")]] = 0
    for leg in ("left", "right"):
        for height, joint in ((0.9, "hip"), (0.5, "knee"), (0.1, "ankle")):
            world[:, KIT.joint(f"{leg}_{joint}")] = [0.1 if leg == "left" else -0.1, height, 0]
    own = KIT.from_metres(world)
    np.testing.assert_array_equal(read_joints(saved(tmp_path, own), KIT, 12.5), own)
    np.testing.assert_allclose(read_joints(saved(tmp_path, world * 1000), KIT, 12.5, 0.001), own)
    assert guess_unit([saved(tmp_path, own)], KIT)[0] is None
    # Legs of 0.8 m in millimetres would be 1.25 m in KIT-ML's unit.
    assert [guess_unit([saved(tmp_path, world * scale)], KIT)[0] for scale in (100, 1000)] == ["cm", "mm"]


@pytest.mark.parametrize(("metres", "name"), [(1.0, None), (0.01, "cm"), (0.001, "mm")])
def test_the_unit_is_told_by_the_legs(tmp_path, metres, name):
    paths = [saved(tmp_path, WALK / metres, f"{index}") for index in range(3)]
    paths.append(saved(tmp_path, np.full((4, 22, 3), np.nan), "bad"))
    unit, leg = guess_unit(paths, T2M)
    assert unit == name and 0.5 < leg * metres < 1.3


def test_a_unit_that_nothing_tells(tmp_path):
    with pytest.raises(InputError, match="no person in m, cm, mm: say --unit"):
        guess_unit([saved(tmp_path, WALK * 1e9)], T2M)
    with pytest.raises(InputError, match="none of the files"):
        guess_unit([saved(tmp_path, WALK[:, :5])], T2M)
    with pytest.raises(InputError, match="none of the files"):
        guess_unit([saved(tmp_path, WALK[:0])], T2M)


def test_a_wrong_unit_is_refused_with_the_right_one(tmp_path):
    with pytest.raises(InputError, match=r"a\.npy: the legs are \d+ m long .*--unit cm\?"):
        read_joints(saved(tmp_path, WALK * 100), T2M, 20)
    with pytest.raises(InputError, match=r"--unit mm\?"):
        read_joints(saved(tmp_path, WALK * 1000), T2M, 20, 0.01)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (WALK[:, :21], r"a\.npy: expected joints \(T, 22, 3\), got \(\d+, 21, 3\)"),
        (WALK[0], "expected joints"),
        (WALK + 1j, "does not hold one array of numbers, but of complex128"),
        (np.where(np.arange(22)[:, None] == 3, np.inf, WALK), "not finite"),
        (WALK * 1e300, "legs are"),
    ],
)
def test_files_that_are_no_joints(tmp_path, array, message):
    with pytest.raises(InputError, match=message):
        read_joints(saved(tmp_path, array), T2M, 20)


@pytest.mark.parametrize(
    ("array", "hint"),
    [
        (np.zeros((9, 52, 3)), r"\(9, 52, 3\): of SMPL's joints the first 22 are meant, save joints\[:, :22\]"),
        (np.zeros((9, 66)), r"joints.reshape\(-1, 22, 3\)"),
        (WALK[None], r"save joints\[0\]"),
        (np.zeros((9, 263)), "features, which need no conversion"),
    ],
)
def test_other_shapes_that_are_known_say_the_way_out(tmp_path, array, hint):
    with pytest.raises(InputError, match=hint):
        read_joints(saved(tmp_path, array), T2M, 20)
    with pytest.raises(InputError, match=r"none of the files looked at can be read: .*a\.npy"):
        guess_unit([tmp_path / "a.npy"], T2M)


def test_children_of_one_metre_are_told_how_to_grow(tmp_path):
    child = saved(tmp_path, WALK * 0.42 / leg_length(WALK, T2M))
    with pytest.raises(InputError, match=r"0\.42 m long .*if these are children, --unit 1\.9 gives"):
        read_joints(child, T2M, 20)
    assert len(read_joints(child, T2M, 20, metres_per_unit=1.9)) == len(WALK)
