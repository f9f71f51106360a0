"""What comes back from a model can be saved as what a name says, and is plain data."""

import json

import numpy as np
import pytest

from models.inference.results import save_captions, save_motions
from utils.errors import InputError


@pytest.fixture(scope="module")
def made(speaker):
    return speaker.generate(["someone walks", "someone <b>jumps</b>"], seconds=2)


def test_json_holds_all_of_it(made, tmp_path):
    [path] = save_motions(tmp_path / "all.json", made)
    rows = json.loads(path.read_text())["motions"]
    assert [row["caption"] for row in rows] == ["someone walks", "someone <b>jumps</b>"]
    for row, motion in zip(rows, made, strict=True):
        assert row["codes"] == motion.codes.tolist() and row["seconds"] == 2.0 and row["fps"] == 20
        assert np.allclose(row["joints"], motion.joints, atol=1e-4) and len(row["joint_names"]) == 22


def test_an_array_is_joints_in_metres(made, tmp_path):
    files = save_motions(tmp_path / "x.npy", made)
    assert [file.name for file in files] == ["x-1.npy", "x-2.npy"]
    for file, motion in zip(files, made, strict=True):
        assert np.array_equal(np.load(file), motion.joints)


def test_pictures_and_pages_hold_all_side_by_side(made, tmp_path):
    for ending in ("png", "gif", "html"):
        [file] = save_motions(tmp_path / f"x.{ending}", made)
        assert file.stat().st_size > 1000
    page = (tmp_path / "x.html").read_text()
    assert "someone walks" in page and "<b>jumps" not in page


def test_another_ending_is_refused(made, tmp_path):
    with pytest.raises(InputError, match=r"\.fbx|ending|ends"):
        made[0].save(tmp_path / "x.fbx")
    assert list(tmp_path.iterdir()) == []


def test_captions_are_saved_by_the_name_of_their_motion(speaker, walk, tmp_path):
    [windows] = speaker.caption(walk)
    [path] = save_captions(tmp_path / "c.json", {"walk.bvh": windows})
    [row] = json.loads(path.read_text())["walk.bvh"]
    assert row == windows[0].as_dict() and row["start"] == 0 and row["end"] == pytest.approx((len(walk) - 1) / 20)
