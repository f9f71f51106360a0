"""The ending of a name says what is written; a file is there whole or not at all."""

import errno
import os

import numpy as np
import pytest
from PIL import Image

from dataset.sources.bvh.joint_mapping import read_bvh_joints
from models.inference.motion_files import read_motion
from tests.utils.motion_files.motions import LARGEST, kit, largest_error, toy
from utils.errors import InputError
from utils.motion.skeleton import KIT, T2M
from utils.motion_files import write
from utils.motion_files.write import ENDINGS, WrittenMotion, check_ending, write_motions

ALONE, TOGETHER = (".bvh", ".glb", ".npy"), (".gif", ".png", ".html")


def motion(number=0, title="somebody walks"):
    return WrittenMotion(toy()[number][:12], T2M, 20.0, title)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("ending", [*ALONE, *TOGETHER])
def test_one_motion_gets_the_name_that_was_asked_for(tmp_path, ending):
    path = tmp_path / "new" / f"walk{ending}"
    assert write_motions(path, [motion()]) == [path]
    assert names(path.parent) == [path.name] and path.stat().st_size > 500


@pytest.mark.parametrize("ending", ALONE)
def test_several_motions_get_a_file_each(tmp_path, ending):
    written = write_motions(tmp_path / f"walk{ending}", [motion(0), motion(1), motion(2)])
    assert [path.name for path in written] == [f"walk-{n}{ending}" for n in (1, 2, 3)] == names(tmp_path)
    if ending == ".bvh":
        for number, path in enumerate(written):
            assert largest_error(read_bvh_joints(path, None, T2M), motion(number).joints) < LARGEST


@pytest.mark.parametrize("ending", TOGETHER)
def test_several_motions_share_a_picture_and_a_page(tmp_path, ending):
    assert write_motions(tmp_path / f"walk{ending}", [motion(0), motion(1)]) == [tmp_path / f"walk{ending}"]
    assert names(tmp_path) == [f"walk{ending}"]
    if ending == ".gif":
        with Image.open(tmp_path / "walk.gif") as picture:
            assert picture.width == 2 * 400 and picture.n_frames == 12


def test_kit_joints_are_written_in_its_own_unit_and_sides(tmp_path):
    """As its data set has them: what reads `new_joints` reads the file, and finds the metres again."""
    joints = kit(toy()[0])
    write_motions(tmp_path / "a.npy", [WrittenMotion(joints, KIT, KIT.fps)])
    assert largest_error(read_motion(tmp_path / "a.npy", KIT), joints) < 1e-5


def test_joints_are_written_in_metres(tmp_path):
    write_motions(tmp_path / "a.NPY", [motion()])
    joints = np.load(tmp_path / "a.NPY")
    assert joints.dtype == np.float32 and largest_error(joints, motion().joints) < 1e-6


@pytest.mark.parametrize("name", ["walk", "walk.fbx", "walk.bvh.txt", ".bvh", "walk."])
def test_other_endings_are_refused_and_those_we_write_are_named(tmp_path, name):
    with pytest.raises(InputError) as refused:
        check_ending(tmp_path / name)
    assert all(ending in str(refused.value) for ending in ENDINGS)
    with pytest.raises(InputError, match="expected a name that ends in"):
        write_motions(tmp_path / name, [motion()])
    assert names(tmp_path) == []
    check_ending("walk.GLB")


@pytest.mark.parametrize("name", ["walk.json", "walk.npz"])
def test_what_needs_more_than_joints_is_refused_here(tmp_path, name):
    with pytest.raises(InputError, match=r"expected a name that ends in \.gif, .*\.npy$"):
        write_motions(tmp_path / name, [motion()])
    assert names(tmp_path) == []


@pytest.mark.parametrize("ending", [*ALONE, *TOGETHER])
def test_a_motion_with_a_nan_is_refused_before_anything_is_written(tmp_path, ending):
    broken = motion(1, "broken").joints.copy()
    broken[3, 2, 0] = np.nan
    with pytest.raises(InputError, match=r"walk.*frame 3 of 'broken' holds values that are not finite"):
        write_motions(tmp_path / f"walk{ending}", [motion(), WrittenMotion(broken, T2M, 20.0, "broken")])
    assert names(tmp_path) == []


@pytest.mark.parametrize("ending", [*ALONE, *TOGETHER])
def test_a_disk_that_is_full_leaves_what_was_there(tmp_path, ending, monkeypatch):
    path = tmp_path / f"walk{ending}"
    write_motions(path, [motion()])
    before = path.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_motions(path, [motion(2)])
    assert path.read_bytes() == before and names(tmp_path) == [path.name]


def test_every_ending_has_its_writer():
    assert set(ALONE) | set(TOGETHER) | {".mp4"} <= set(ENDINGS)
    assert {*write._ALONE, *write._TOGETHER, write.JSON_ENDING, write.AMASS_ENDING} == set(ENDINGS)


def test_an_unknown_rig_writes_nothing(tmp_path):
    with pytest.raises(InputError, match="unknown rig 'unity'"):
        write_motions(tmp_path / "a.bvh", [motion()], "unity")
    assert names(tmp_path) == []
