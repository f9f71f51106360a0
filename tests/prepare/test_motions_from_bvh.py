"""Folders of BVH files become data sets: made-up people always, the real files of the pack where they are."""

import json

import numpy as np
import pytest

from dataset.humanml.layout import read_split, read_split_ids
from dataset.sources.bvh.joint_mapping import read_bvh_joints
from prepare import motions_from_bvh
from tests.dataset.sources.bvh.synthetic_bvh import SHIPPED_METRES, body, bvh_text
from tests.places import ROOT, SHARED
from utils.errors import InputError
from utils.motion.features import canonical_joints
from utils.motion.skeleton import T2M

REAL = SHARED / "data" / "bnr" / "bvh"
TAGGED = "a person walks.#a/DET person/NOUN walk/VERB#0.0#0.0\n"


@pytest.fixture
def folders(tmp_path):
    """Three people on other skeletons, one in a sub-folder; 90 frames at 30 fps are 60 at 20 fps."""
    for id, name in (("walks/a", "lafan1"), ("b", "mixamo"), ("c", "cmu")):
        path = tmp_path / f"bvh/{id}.bvh"
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = "mixamorig:" if name == "mixamo" else ""
        path.write_text(bvh_text(body(name), SHIPPED_METRES[name], prefix, frames=91, frame_time=1 / 30, swing=20))
    (tmp_path / "texts").mkdir()
    for id in ("walks_a", "b", "c"):
        (tmp_path / f"texts/{id}.txt").write_text(TAGGED)
    return tmp_path


def convert(folders, monkeypatch, *more):
    given = [
        "--bvh-dir",
        folders / "bvh",
        "--texts-dir",
        folders / "texts",
        "--out-dir",
        folders / "out",
        "--seed",
        "1",
    ]
    monkeypatch.setattr("sys.argv", ["motions_from_bvh", *map(str, [*given, *more])])
    motions_from_bvh.main()


def test_every_shipped_skeleton_is_recognised_and_resampled(folders, monkeypatch, capsys):
    convert(folders, monkeypatch, "--no-retarget")
    assert "3 clips converted, 0 already there, 0 bad" in capsys.readouterr().out
    out = folders / "out"
    assert read_split_ids(out, "all") == ["b", "c", "walks_a"]
    joints = read_bvh_joints(folders / "bvh/walks/a.bvh", None, T2M)
    assert joints.shape == (61, 22, 3)
    np.testing.assert_allclose(np.load(out / "new_joints/walks_a.npy"), canonical_joints(joints, T2M)[:-1], atol=1e-5)
    records = [
        record
        for split in ("train", "val", "test")
        if read_split_ids(out, split)
        for record in read_split(out, split, T2M)
    ]
    assert {record.id: record.num_frames for record in records} == dict.fromkeys(["walks_a", "b", "c"], 60)
    settings = json.loads((out / "dataset.json").read_text())["conversion"]
    assert settings["source"] == "BVH, mapping auto" and settings["target"] == "none"


def test_bad_files_are_named_and_the_good_ones_finished(folders, monkeypatch, capsys, caplog):
    good = (folders / "bvh/b.bvh").read_text()
    (folders / "bvh/cut.bvh").write_text(good[: len(good) - 400])
    (folders / "bvh/nan.bvh").write_text(good.replace("0.000000000", "nan", 1))
    (folders / "bvh/rig.bvh").write_text(good.replace("Hips", "Bassin"))
    (folders / "bvh/big.bvh").write_text(bvh_text(body("lafan1"), 0.0001, frames=91))
    (folders / "bvh/walks_a.bvh").write_text(good)  # the id of walks/a.bvh too
    for id in ("cut", "nan", "rig", "big"):
        (folders / f"texts/{id}.txt").write_text(TAGGED)
    with pytest.raises(InputError, match="4 of 7 clips"):
        convert(folders, monkeypatch)
    printed = capsys.readouterr().out
    expected = {
        "nan": "nan",
        "rig": "bandai_namco, biped, cmu",
        "big": "legs are",
        "walks_a": "2 files have this id",
    }
    for id, reason in expected.items():
        line = next(line for line in printed.splitlines() if line.startswith(f"bad clip {id}:"))
        assert reason in line
    # A file whose end is lost still has the frames before it.
    assert "cut.bvh:" in caplog.text and "'Frames: 91', but 90 are there" in caplog.text
    assert {path.stem for path in (folders / "out/new_joint_vecs").iterdir()} == {"b", "c", "cut"}
    convert(folders, monkeypatch, "--skip-bad")


def test_a_unit_and_a_mapping_can_be_given_and_must_make_sense(folders, monkeypatch, capsys):
    with pytest.raises(InputError, match="unknown joint mapping 'maya'"):
        convert(folders, monkeypatch, "--mapping", "maya")
    for flag, value, message in (
        ("--up", "up", "up: expected one of"),
        ("--unit", "furlong", "furlong"),
        ("--unit", "1e300", "metres_per_unit: expected"),
        ("--fps", "nan", "--fps"),
        ("--fps", "1e-300", "--fps: expected a frame rate of 1 to 1000"),
    ):
        with pytest.raises(SystemExit) as end:
            convert(folders, monkeypatch, flag, value)
        assert end.value.code == 2 and message in capsys.readouterr().err
    with pytest.raises(InputError, match="2 of 3"):  # only LaFAN1's own joints fit its table
        convert(folders, monkeypatch, "--mapping", "lafan1")


@pytest.mark.skipif(not REAL.is_dir(), reason="the shared data beside the repository is absent")
def test_the_real_files_become_a_data_set_without_captions(tmp_path, monkeypatch, capsys):
    arguments = ["--bvh-dir", REAL, "--out-dir", tmp_path / "out"]
    monkeypatch.setattr("sys.argv", ["motions_from_bvh", *map(str, arguments)])
    motions_from_bvh.main()
    assert "40 clips converted, 0 already there, 0 bad" in capsys.readouterr().out
    features = [np.load(path) for path in (tmp_path / "out/new_joint_vecs").iterdir()]
    assert len(features) == 40 and all(np.isfinite(motion).all() for motion in features)
    # Turns are seen: at least one of these files walks a turn of more than 40 degrees to either side.
    turns = [-2 * motion[:, 0].sum() for motion in features]
    assert max(turns) > 0.7 and min(turns) < -0.7


def test_another_content_of_the_joint_table_makes_the_clips_anew(folders, monkeypatch, capsys):
    for path in (folders / "bvh/b.bvh", folders / "bvh/c.bvh"):
        path.unlink()
    table = folders / "mine.yaml"
    table.write_text((ROOT / "dataset/sources/bvh/joint_mappings/lafan1.yaml").read_text())
    convert(folders, monkeypatch, "--mapping", table)
    convert(folders, monkeypatch, "--mapping", table)
    assert "0 clips converted, 1 already there" in capsys.readouterr().out
    table.write_text(table.read_text() + "# another one\n")
    convert(folders, monkeypatch, "--mapping", table)
    assert "1 clips converted, 0 already there" in capsys.readouterr().out


def test_folders_behind_links_are_searched_and_each_once(folders, monkeypatch, capsys):
    (folders / "elsewhere").mkdir()
    (folders / "bvh/c.bvh").rename(folders / "elsewhere/c.bvh")
    (folders / "texts/c.txt").rename(folders / "texts/link_c.txt")
    (folders / "bvh/link").symlink_to(folders / "elsewhere")
    (folders / "bvh/again").symlink_to(folders / "bvh/walks")
    (folders / "bvh/loop").symlink_to(folders / "bvh")
    convert(folders, monkeypatch)
    assert "3 clips converted, 0 already there, 0 bad" in capsys.readouterr().out
    assert read_split_ids(folders / "out", "all") == ["b", "link_c", "walks_a"]
