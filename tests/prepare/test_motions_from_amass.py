"""AMASS files become a data set, with and without HumanML3D's index, on made-up people of real dimensions."""

import json
import shutil

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


def full_index(archive, folder):
    """An index with its two known clips of one frame, and splits that list all: arguments of the command."""
    index = write_index(
        folder,
        "./pose_data/KIT/3/kick left02_poses.npy,5,60,000000.npy",
        "./pose_data/Transitions_mocap/mazen_c3d/jump_poses.npy,0,60,000021.npy",
        "./pose_data/KIT/3/kick left02_poses.npy,7,8,009707.npy",
        "./pose_data/Transitions_mocap/mazen_c3d/jump_poses.npy,70,90,011059.npy",  # the recording ends at 71
    )
    (folder / "splits").mkdir()
    for split, ids in {"train": "000000 009707", "val": "000021", "all": "000000 000021 009707 011059"}.items():
        listed = [f"{mirror}{id}" for id in ids.split() for mirror in ("", "M")]
        (folder / f"splits/{split}.txt").write_text("\n".join(listed))
    return ["--index", index, "--splits-dir", folder / "splits"]


def test_a_complete_index_ends_well_though_two_clips_have_one_frame(archive, tmp_path, monkeypatch, capsys):
    convert(archive, tmp_path / "out", monkeypatch, *full_index(archive, tmp_path))
    printed = capsys.readouterr().out
    assert "2 clips of the index have one frame (009707, 011059): left out, as published" in printed
    assert "bad clip" not in printed
    assert read_split_ids(tmp_path / "out", "all") == ["000000", "M000000", "000021", "M000021"]


def test_those_two_clips_are_made_where_another_index_gives_them_more(archive, tmp_path, monkeypatch, capsys):
    index = write_index(
        tmp_path,
        "./pose_data/KIT/3/kick left02_poses.npy,5,60,009707.npy",
        "./pose_data/KIT/3/kick left02_poses.npy,9,10,000001.npy",
    )
    with pytest.raises(InputError, match="2 of 4 clips could not be used"):  # 000001 and its mirror image
        convert(archive, tmp_path / "out", monkeypatch, "--index", index)
    assert "bad clip 000001: " in capsys.readouterr().out
    assert (tmp_path / "out/new_joints/009707.npy").is_file()


def test_a_recording_of_the_newer_archives_is_never_taken_without_a_word(archive, tmp_path, monkeypatch, capsys):
    poses, trans = walking(481, 120.0)
    for name in ("000000_poses", "000021_stageii"):
        write_amass(tmp_path / f"data/KIT/3/{name}.npz", poses, trans)
    index = write_index(tmp_path, *(f"./pose_data/KIT/3/{id}_poses.npy,5,60,{id}.npy" for id in ("000000", "000021")))
    given = ["--amass-dir", tmp_path / "data", "--index", index]
    with pytest.raises(InputError, match="could not be used"):
        convert(archive, tmp_path / "out", monkeypatch, *given)
    printed = capsys.readouterr().out
    assert "bad clip 000021: " in printed and "frame rates can differ" in printed and "--newer-recordings" in printed
    assert set(read_split_ids(tmp_path / "out", "all")) == {"000000", "M000000"}
    convert(archive, tmp_path / "taken", monkeypatch, *given, "--newer-recordings")
    assert "note: 1 clips are of *_stageii.npz (000021" in capsys.readouterr().out
    assert (tmp_path / "taken/new_joints/000021.npy").is_file()


def test_a_missing_recording_names_the_paths_that_were_tried(archive, tmp_path, monkeypatch, capsys):
    index = write_index(tmp_path, "./pose_data/KIT/3/kick left02_poses.npy,5,60,000021.npy",
                        "./pose_data/CMU/80/80_63_poses.npy,5,60,000003.npy")  # fmt: skip
    convert(archive, tmp_path / "out", monkeypatch, "--index", index, "--skip-bad")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("bad clip 000003")]
    for tried in ("CMU/80/80_63_poses.npz", "CMU/CMU/80/80_63_poses.npz", "CMU/80/80_63_stageii.npz"):
        assert tried in line


def test_body_models_in_pickles_are_mentioned_and_never_opened(archive, tmp_path, monkeypatch):
    (tmp_path / "models/smplh/male").mkdir(parents=True)
    pickle = tmp_path / "models/smplh/SMPLH_MALE.pkl"
    pickle.write_bytes(b"cposix\nsystem\n(S'touch " + str(tmp_path / "opened").encode() + b"'\ntR.")
    with pytest.raises(InputError, match=r"There is smplh/SMPLH_MALE\.pkl: a \.pkl can run code and is never opened"):
        convert(archive, tmp_path / "out", monkeypatch, "--body-models", tmp_path / "models")
    assert not (tmp_path / "opened").exists()


def test_broken_recordings_are_named(archive, tmp_path, monkeypatch, capsys):
    data = tmp_path / "data"
    poses, trans = walking(241, 120.0)
    write_amass(data / "good_poses.npz", poses, trans)
    cut = write_amass(data / "cut_poses.npz", poses, trans)
    cut.write_bytes(cut.read_bytes()[:2000])
    write_amass(data / "nan_poses.npz", poses, np.full_like(trans, np.nan))
    write_amass(data / "slow_poses.npz", poses, trans, fps=0.0)
    write_amass(data / "none_poses.npz", poses, trans, gender=np.array("unknown"))
    write_amass(data / "degrees_poses.npz", np.rad2deg(poses), trans)
    write_amass(data / "far_poses.npz", poses, trans * 1e300)
    write_amass(data / "mm_poses.npz", poses, trans * 1000)
    write_amass(data / "complex_poses.npz", poses.astype(complex), trans)
    write_amass(data / "quick_poses.npz", poses, trans, fps=1e300)
    (data / "empty_poses.npz").write_bytes(b"")
    (data / "zip_poses.npz").write_bytes(b"PK\x03\x04" + bytes(18))
    (data / "._good_poses.npz").write_bytes(b"\0\5\x16\7")  # of macOS
    locked = bytearray(write_amass(data / "locked_poses.npz", poses, trans).read_bytes())
    start = -1
    while (start := locked.find(b"PK\x01\x02", start + 1)) >= 0:
        locked[start + 8] |= 1  # encrypted
    (data / "locked_poses.npz").write_bytes(locked)
    given = ["--amass-dir", data, "--body-models", archive / "models", "--out-dir", tmp_path / "out"]
    monkeypatch.setattr("sys.argv", ["motions_from_amass", *map(str, given)])
    with pytest.raises(InputError):
        motions_from_amass.main()
    printed = capsys.readouterr().out
    reasons = {"cut": "cut_poses.npz", "nan": "NaN", "slow": "frame rate", "none": "unknown", "degrees": "degrees",
               "far": "far_poses.npz", "mm": "mm_poses.npz", "complex": "complex128", "quick": "frame rate",
               "empty": "empty_poses.npz", "zip": "zip_poses.npz", "locked": "encrypted"}  # fmt: skip
    assert "bad clip good" not in printed and "._good" not in printed
    for id, reason in reasons.items():
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


def test_a_changed_line_of_the_index_makes_its_clip_anew_and_no_other(archive, tmp_path, monkeypatch, capsys):
    rows = [f"./pose_data/KIT/3/kick left02_poses.npy,{start},60,00000{start}.npy" for start in range(3)]
    index = write_index(tmp_path, *rows)
    convert(archive, tmp_path / "out", monkeypatch, "--index", index)
    assert "6 clips converted" in capsys.readouterr().out
    write_index(
        tmp_path, *rows[:2], rows[2].replace(",60,", ",55,"), "./pose_data/KIT/3/gone_poses.npy,0,60,000009.npy"
    )
    convert(archive, tmp_path / "out", monkeypatch, "--index", index, "--skip-bad")
    printed = capsys.readouterr().out
    assert "2 clips converted, 4 already there, 1 bad" in printed and "looked for KIT/3/gone_poses.npz" in printed
    assert len(np.load(tmp_path / "out/new_joint_vecs/M000002.npy")) == 52


def test_another_body_in_the_same_place_makes_its_clips_anew_and_no_other(archive, tmp_path, monkeypatch, capsys):
    own = tmp_path / "own"
    shutil.copytree(archive, own)
    convert(own, tmp_path / "out", monkeypatch)
    capsys.readouterr()
    path = own / "models/smplh/female/model.npz"
    with np.load(path) as arrays:
        template = arrays["v_template"] * 1.05
    write_body_model(path, "smplh", v_template=template)
    convert(own, tmp_path / "out", monkeypatch)
    assert "1 clips converted, 1 already there, 0 bad" in capsys.readouterr().out
