"""AMASS files become a data set, with and without HumanML3D's index, on made-up people of real dimensions."""

import json

import numpy as np
import pytest

from dataset.humanml.layout import read_split, read_split_ids
from dataset.sources.amass.body_model import BodyModel
from dataset.sources.amass.clips import joints_of_clip, read_amass
from prepare import motions_from_amass
from tests.dataset.sources.amass.synthetic_body_model import walking, write_amass, write_body_model
from utils.errors import InputError
from utils.motion.features import canonical_joints
from utils.motion.skeleton import T2M

TAGGED = "he raises the left arm.#he/PRON raise/VERB the/DET left/ADJ arm/NOUN#0.0#0.0\n"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Two recordings of 4 s, a body shape, and body models."""
    folder = tmp_path_factory.mktemp("amass")
    for gender in ("male", "female"):
        write_body_model(folder / f"models/smplh/{gender}/model.npz", "smplh")
    poses, trans = walking(481, 120.0)
    write_amass(folder / "data/KIT/3/kick left02_poses.npz", poses, trans)
    write_amass(folder / "data/Transitions_mocap/mazen_c3d/jump_poses.npz", poses, trans, gender=np.array("female"))
    np.savez(folder / "data/KIT/3/shape.npz", betas=np.zeros(16), gender=np.array("male"))
    return folder


def convert(archive, out, monkeypatch, *more):
    given = ["--amass-dir", archive / "data", "--body-models", archive / "models", "--out-dir", out, "--device", "cpu"]
    monkeypatch.setattr("sys.argv", ["motions_from_amass", *map(str, [*given, *more])])
    motions_from_amass.main()


def expected_joints(archive, name, rule="resample"):
    clip = read_amass(archive / f"data/{name}.npz")
    return joints_of_clip(clip, BodyModel.load(archive / f"models/smplh/{clip.gender}/model.npz"), rule=rule)


def test_recordings_become_clips_and_shapes_are_left_out(archive, tmp_path, monkeypatch, capsys):
    convert(archive, tmp_path, monkeypatch, "--no-retarget", "--seed", "1")
    printed = capsys.readouterr().out
    assert "1 .npz files hold a body shape" in printed and "2 clips converted" in printed
    ids = read_split_ids(tmp_path, "all")
    assert ids == ["KIT_3_kick left02_poses", "Transitions_mocap_mazen_c3d_jump_poses"]
    joints = canonical_joints(expected_joints(archive, "KIT/3/kick left02_poses"), T2M)[:-1]
    made = np.load(tmp_path / f"new_joints/{ids[0]}.npy")
    np.testing.assert_allclose(made, joints, atol=1e-5)
    # He walks ahead at 1 m/s (4 s) with the left arm rising, the head on top.
    assert made[-1, 0, 2] == pytest.approx(4, abs=0.1) and abs(made[-1, 0, 0]) < 0.1
    wrist = made[:, T2M.joint("left_wrist"), 1]
    assert wrist[-1] - wrist[0] > 0.3 and (made[:, T2M.joint("head"), 1] > made[:, T2M.joint("neck"), 1]).all()
    convert(archive, tmp_path, monkeypatch, "--no-retarget", "--seed", "1")
    assert "0 clips converted, 2 already there" in capsys.readouterr().out


def write_index(folder, *rows):
    path = folder / "index.csv"
    path.write_text("source_path,start_frame,end_frame,new_name\n" + "".join(f"{row}\n" for row in rows))
    return path


def test_the_index_cuts_names_and_mirrors(archive, tmp_path, monkeypatch, capsys):
    humanact = archive / "data/humanact12/humanact12/P01.npy"
    humanact.parent.mkdir(parents=True, exist_ok=True)
    np.save(humanact, expected_joints(archive, "KIT/3/kick left02_poses")[:50].astype(np.float64))
    index = write_index(
        tmp_path,
        "./pose_data/KIT/3/kick left02_poses.npy,5,60,000000.npy",
        "./pose_data/Transitions_mocap/mazen_c3d/jump_poses.npy,0,60,000021.npy",
        "./pose_data/humanact12/humanact12/P01.npy,0,-1,000002.npy",
        "./pose_data/CMU/80/80_63_poses.npy,516,716,000003.npy",
    )
    (tmp_path / "texts").mkdir()
    for id in ("000000", "000021", "000002"):
        (tmp_path / f"texts/{id}.txt").write_text(TAGGED)
    (tmp_path / "splits").mkdir()
    splits = {"train": "000000 M000000 000003", "val": "000002 M000002", "test": "M000021 000021"}
    for split, ids in splits.items():
        (tmp_path / f"splits/{split}.txt").write_text("\n".join(ids.split()))
    out = tmp_path / "out"
    given = ["--index", index, "--texts-dir", tmp_path / "texts", "--splits-dir", tmp_path / "splits"]
    convert(archive, out, monkeypatch, *given, "--skip-bad")
    printed = capsys.readouterr().out
    assert "6 clips converted" in printed
    assert "bad clip 000003: 000003: CMU/80/80_63_poses is not below" in printed
    assert read_split_ids(out, "train") == ["000000", "M000000"] and read_split_ids(out, "test") == [
        "M000021",
        "000021",
    ]
    assert json.loads((out / "dataset.json").read_text())["conversion"]["target"] == "000021"
    frames = {id: len(np.load(out / f"new_joint_vecs/{id}.npy")) for id in ("000000", "000021", "000002")}
    assert frames == {"000000": 54, "000021": 59, "000002": 49}  # one frame fewer than the joints
    # Of Transitions_mocap the first half second is dropped before the index counts.
    clip = expected_joints(archive, "Transitions_mocap/mazen_c3d/jump_poses", "stride")[10:][:60]
    np.testing.assert_allclose(np.load(out / "new_joints/000021.npy"), canonical_joints(clip, T2M)[:-1], atol=1e-3)
    record, image = (next(iter(read_split(out, "test", T2M)[i].captions)) for i in (1, 0))
    assert "left arm" in record.text and "right arm" in image.text and "right/ADJ" in image.tokens
    joints, mirrored = (np.load(out / f"new_joints/{id}.npy") for id in ("000021", "M000021"))
    left, right = T2M.joint("left_wrist"), T2M.joint("right_wrist")
    np.testing.assert_allclose(mirrored[:, right], joints[:, left] * [-1, 1, 1], atol=1e-3)


def test_broken_recordings_are_named(archive, tmp_path, monkeypatch, capsys):
    data = tmp_path / "data"
    poses, trans = walking(241, 120.0)
    write_amass(data / "good_poses.npz", poses, trans)
    cut = write_amass(data / "cut_poses.npz", poses, trans)
    cut.write_bytes(cut.read_bytes()[:2000])
    write_amass(data / "nan_poses.npz", poses, np.full_like(trans, np.nan))
    write_amass(data / "slow_poses.npz", poses, trans, fps=0.0)
    write_amass(data / "none_poses.npz", poses, trans, gender=np.array("unknown"))
    given = ["--amass-dir", data, "--body-models", archive / "models", "--out-dir", tmp_path / "out"]
    monkeypatch.setattr("sys.argv", ["motions_from_amass", *map(str, given)])
    with pytest.raises(InputError):
        motions_from_amass.main()
    printed = capsys.readouterr().out
    for id, reason in {"cut": "cut_poses.npz", "nan": "NaN", "slow": "frame rate", "none": "unknown"}.items():
        assert any(line.startswith(f"bad clip {id}_poses:") and reason in line for line in printed.splitlines()), id
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_what_is_missing_is_said_before_the_work(archive, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no smplh body model of gender 'neutral'"):
        convert(archive, tmp_path / "out", monkeypatch, "--gender", "neutral")
    with pytest.raises(InputError, match="22 joints of t2m"):
        convert(archive, tmp_path / "out", monkeypatch, "--dataname", "kit")
    assert not (tmp_path / "out").exists()


def test_the_neutral_body_is_enough_for_neutral_recordings(tmp_path, monkeypatch, capsys):
    write_body_model(tmp_path / "models/SMPLH_NEUTRAL.npz", "smplh")
    poses, trans = walking(241, 120.0)
    for name in "ab":
        write_amass(tmp_path / f"data/{name}_poses.npz", poses, trans, gender=np.array("neutral"))
    convert(tmp_path, tmp_path / "out", monkeypatch)
    assert "2 clips converted" in capsys.readouterr().out
