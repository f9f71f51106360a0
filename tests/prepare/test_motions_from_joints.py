"""Folders of joints and captions become a data set: the real command, good clips and bad ones."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from dataset.humanml.layout import read_mean_std, read_motions, read_split, read_split_ids
from dataset.sources.units import to_metres_y_up
from prepare import compute_motion_stats, motions_from_joints, render_motion
from tests.places import ROOT
from utils.errors import InputError
from utils.motion.bones import bone_vectors
from utils.motion.features import canonical_joints
from utils.motion.skeleton import T2M

LINE = "a person walks.#a/DET person/NOUN walk/VERB#0.0#0.0\n"


def body(scale=1.0, frames=61, seed=0):
    """(T, 22, 3) a swaying body, `scale` times as large."""
    rest = np.zeros((22, 3))
    for joint, parent in enumerate(T2M.parents):
        if parent >= 0:
            rest[joint] = rest[parent] + 0.4 * T2M.directions()[joint]
    time = np.arange(frames)[:, None, None] / 10
    sway = 0.04 * np.sin(time + np.random.default_rng(seed).uniform(0, 6, (1, 22, 3)))
    return scale * (rest + sway) + [1.0, 2.0, 3.0]


@pytest.fixture
def folders(tmp_path):
    for name in ("joints", "texts", "splits"):
        (tmp_path / name).mkdir()
    for index, id in enumerate("abcd"):
        np.save(tmp_path / f"joints/{id}.npy", body(1 + index / 10, seed=index).astype(np.float32))
        (tmp_path / f"texts/{id}.txt").write_text(LINE * 2, encoding="utf-8")
    for split, ids in {"train": "ba", "val": "c", "test": "d"}.items():
        (tmp_path / f"splits/{split}.txt").write_text("\n".join(ids), encoding="utf-8")
    return tmp_path


def run(module, monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", [module.__name__, *map(str, arguments)])
    module.main()


def convert(folders, monkeypatch, *more, splits=True):
    given = ["--joints-dir", folders / "joints", "--texts-dir", folders / "texts", "--out-dir", folders / "out"]
    run(motions_from_joints, monkeypatch, *given, *(["--splits-dir", folders / "splits"] if splits else []), *more)


def test_converts_to_the_skeleton_of_the_first_training_clip(folders, monkeypatch):
    convert(folders, monkeypatch)
    out = folders / "out"
    assert [record.id for record in read_split(out, "train", T2M)] == ["b", "a"]
    assert read_split_ids(out, "all") == ["a", "b", "c", "d"]
    record = read_split(out, "test", T2M)[0]
    assert record.num_frames == 60 and len(record.captions) == 2
    expected = np.linalg.norm(bone_vectors(body(1.1, seed=1), T2M), axis=-1)[0]
    joints = np.load(out / "new_joints/d.npy")
    lengths = np.linalg.norm(bone_vectors(joints, T2M), axis=-1)
    np.testing.assert_allclose(lengths, np.tile(expected, (60, 1)), atol=1e-5)
    assert joints.shape == (60, 22, 3) and joints[0, 0, [0, 2]] == pytest.approx([0, 0])
    mean, _ = read_mean_std(out)
    frames = np.concatenate([np.load(out / f"new_joint_vecs/{id}.npy") for id in "ab"])
    np.testing.assert_allclose(mean, frames.mean(0), atol=1e-5)


def test_no_retarget_keeps_proportions_and_target_offsets_replace_them(folders, monkeypatch):
    convert(folders, monkeypatch, "--no-retarget")
    joints = np.load(folders / "out/new_joints/d.npy")
    np.testing.assert_allclose(joints, canonical_joints(body(1.3, seed=3), T2M)[:-1], atol=1e-5)
    np.save(folders / "target.npy", 0.3 * T2M.directions())
    given = ["--joints-dir", folders / "joints", "--texts-dir", folders / "texts", "--out-dir", folders / "other"]
    run(motions_from_joints, monkeypatch, *given, "--target-offsets", folders / "target.npy")
    lengths = np.linalg.norm(bone_vectors(np.load(folders / "other/new_joints/a.npy"), T2M), axis=-1)[:, 1:]
    np.testing.assert_allclose(lengths, 0.3, atol=1e-5)


def test_second_run_converts_only_what_changed_and_other_settings_are_refused(folders, monkeypatch, capsys):
    convert(folders, monkeypatch)
    marks = {path: path.stat().st_mtime_ns for path in (folders / "out/new_joint_vecs").iterdir()}
    np.save(folders / "joints/e.npy", body(frames=50))
    (folders / "texts/e.txt").write_text(LINE, encoding="utf-8")
    capsys.readouterr()
    convert(folders, monkeypatch)
    assert "1 clips converted, 4 already there" in capsys.readouterr().out
    assert all(path.stat().st_mtime_ns == mark for path, mark in marks.items())
    with pytest.raises(InputError, match="other settings"):
        convert(folders, monkeypatch, "--no-retarget")


def test_bad_clips_are_named_and_the_good_ones_finished(folders, monkeypatch, capsys):
    joints, texts = folders / "joints", folders / "texts"
    bad = {
        "nan": "NaN",
        "shape": "(61, 21, 3)",
        "cut": "not a readable",
        "gone": "no such file",
        "one": "2 frames",
        "untold": "no such file",
        "empty": "no caption",
        "latin": "UTF-8",
        "hashes": "txt:2: expected caption#",
    }
    for id in bad:
        np.save(joints / f"{id}.npy", body().astype(np.float32))
        (texts / f"{id}.txt").write_text(LINE, encoding="utf-8")
    np.save(joints / "nan.npy", np.where(np.arange(61)[:, None, None] == 7, np.nan, body()))
    np.save(joints / "shape.npy", body()[:, :21])
    np.save(joints / "one.npy", body()[:1])
    (joints / "cut.npy").write_bytes((joints / "a.npy").read_bytes()[:900])
    (joints / "gone.npy").unlink()
    (texts / "untold.txt").unlink()
    (texts / "empty.txt").write_text("\n", encoding="utf-8")
    (texts / "latin.txt").write_bytes(b"caf\xe9#x/NOUN#0.0#0.0")
    (texts / "hashes.txt").write_text(f"{LINE}a person#walks.\n", encoding="utf-8")
    (folders / "splits/train.txt").write_text("\n".join([*bad, "a", "b"]), encoding="utf-8")
    with pytest.raises(InputError, match="9 of 13 clips"):
        convert(folders, monkeypatch)
    printed = capsys.readouterr().out
    for id, reason in bad.items():
        line = next(line for line in printed.splitlines() if line.startswith(f"bad clip {id}:"))
        assert reason in line
    out = folders / "out"
    assert read_split_ids(out, "train") == ["a", "b"] and read_split_ids(out, "all") == ["a", "b", "c", "d"]
    assert {path.stem for path in (out / "new_joint_vecs").iterdir()} == set("abcd")
    assert {path.stem for path in (out / "texts").iterdir()} == set("abcd")
    assert "nan" not in json.loads((out / "dataset.json").read_text())["conversion"]["target"]
    convert(folders, monkeypatch, "--skip-bad")


def test_fps_is_resampled(folders, monkeypatch):
    convert(folders, monkeypatch, "--fps", "30")
    # 61 frames at 30 fps are 2 s: 41 frames at 20 fps, 40 rows of features.
    assert np.load(folders / "out/new_joint_vecs/a.npy").shape == (40, 263)


def test_random_split_is_repeatable_covers_all_and_keeps_mirror_images_together(folders, monkeypatch):
    for index in range(30):
        for id in (f"{index:06d}", f"M{index:06d}"):
            np.save(folders / f"joints/{id}.npy", body(frames=45, seed=index).astype(np.float32))
            (folders / f"texts/{id}.txt").write_text(LINE, encoding="utf-8")
    convert(folders, monkeypatch, splits=False)
    splits = {name: read_split_ids(folders / "out", name) for name in ("train", "val", "test")}
    assert sorted(id for ids in splits.values() for id in ids) == read_split_ids(folders / "out", "all")
    assert len(splits["train"]) > len(splits["test"]) > 0
    for ids in splits.values():
        assert {id.removeprefix("M") for id in ids if id.startswith("M")} == {id for id in ids if id.startswith("0")}


def test_a_clip_of_two_given_splits_is_in_both_with_a_warning(folders, monkeypatch, capsys):
    (folders / "splits/test.txt").write_text("a\nd\n", encoding="utf-8")
    convert(folders, monkeypatch)
    assert "warning: 1 clip (a) are in more than one of train, val and test" in capsys.readouterr().out
    splits = {name: read_split_ids(folders / "out", name) for name in ("train", "val", "test", "all")}
    assert splits == {"train": ["b", "a"], "val": ["c"], "test": ["a", "d"], "all": ["a", "b", "c", "d"]}
    # Drawn splits hold it out from then on.
    convert(folders, monkeypatch, splits=False)
    assert "warning" not in capsys.readouterr().out
    assert read_split_ids(folders / "out", "train") == ["b"] and "a" in read_split_ids(folders / "out", "test")


def test_plain_captions_are_tagged_and_the_data_set_says_by_what(folders, monkeypatch, capsys):
    monkeypatch.setattr("dataset.captions.tagger._spacy_tagger", lambda: None)
    (folders / "texts/a.txt").write_text("A person walks\n", encoding="utf-8")
    convert(folders, monkeypatch)
    assert "1 plain captions tagged by lexicon" in capsys.readouterr().out
    assert (folders / "out/texts/a.txt").read_text() == "A person walks#a/DET person/NOUN walk/VERB#0.0#0.0\n"
    assert "lexicon" in json.loads((folders / "out/dataset.json").read_text())["captions"]


def test_without_captions_the_data_set_is_for_tokenizers(folders, monkeypatch, capsys):
    run(motions_from_joints, monkeypatch, "--joints-dir", folders / "joints", "--out-dir", folders / "out")
    assert "no captions" in capsys.readouterr().out and not (folders / "out/texts").exists()
    train = read_motions(folders / "out", "train", T2M, min_frames=40)
    assert [motion.shape for motion in train] == [(60, 263)] * len(read_split_ids(folders / "out", "train"))
    with pytest.raises(InputError, match="text"):
        read_split(folders / "out", "train", T2M)


def test_mirror_images_join_the_split_of_their_clip(folders, monkeypatch):
    walk_left = "a person walks left.#a/DET person/NOUN walk/VERB left/ADV#0.0#0.0\n"
    (folders / "texts/a.txt").write_text(walk_left, encoding="utf-8")
    (folders / "texts/Mc.txt").write_text(LINE, encoding="utf-8")  # a text of its own is taken before a mirrored one
    convert(folders, monkeypatch, "--mirror", "--no-retarget")
    out = folders / "out"
    assert read_split_ids(out, "train") == ["b", "a", "Mb", "Ma"] and read_split_ids(out, "val") == ["c", "Mc"]
    assert (out / "texts/Ma.txt").read_text() == walk_left.replace("left", "right")
    assert len((out / "texts/Mc.txt").read_text().splitlines()) == 1
    joints, image = (np.load(out / f"new_joints/{id}.npy") for id in ("a", "Ma"))
    wrists = T2M.joint("left_wrist"), T2M.joint("right_wrist")
    np.testing.assert_allclose(image[:, wrists[1]], joints[:, wrists[0]] * [-1, 1, 1], atol=1e-5)
    features, mirrored = (np.load(out / f"new_joint_vecs/{id}.npy") for id in ("a", "Ma"))
    np.testing.assert_allclose(mirrored[:, 0], -features[:, 0], atol=1e-6)
    convert(folders, monkeypatch, "--mirror", "--no-retarget")  # nothing new


@pytest.mark.parametrize("case", ["folder", "centimetres", "nothing"])
def test_what_cannot_be_a_data_set(folders, monkeypatch, case):
    if case == "centimetres":
        for id in "abcd":
            np.save(folders / f"joints/{id}.npy", body(100))
    if case == "nothing":
        for id in "abcd":
            (folders / f"joints/{id}.npy").unlink()
    arguments = ["--joints-dir", folders / "nowhere"] if case == "folder" else []
    expected = {"folder": "nowhere", "centimetres": "metres", "nothing": "target skeleton"}[case]
    with pytest.raises(InputError, match=expected):
        convert(folders, monkeypatch, *arguments)


def test_stats_command_writes_the_same_mean_and_std(folders, monkeypatch):
    convert(folders, monkeypatch)
    before = read_mean_std(folders / "out")
    (folders / "out/Mean.npy").unlink()
    run(compute_motion_stats, monkeypatch, "--data-root", folders / "out")
    for old, new in zip(before, read_mean_std(folders / "out"), strict=True):
        np.testing.assert_array_equal(old, new)


def test_render_command_draws_data_set_clips_and_files(folders, monkeypatch):
    convert(folders, monkeypatch)
    given = ["--data-root", folders / "out", "--id", "a", "--motion", folders / "joints/b.npy"]
    run(render_motion, monkeypatch, *given, "--out", folders / "x.gif", "--sheet", "--size", "60", "--columns", "3")
    assert (folders / "x.gif").stat().st_size > 1000 and (folders / "x.png").stat().st_size > 1000
    with pytest.raises(InputError, match=r"nobody\.npy"):
        run(render_motion, monkeypatch, "--motion", folders / "nobody.npy", "--out", folders / "y.gif")
    np.save(folders / "nan.npy", np.full((5, 22, 3), np.nan))
    with pytest.raises(InputError, match=r"nan\.npy: 5 of 5 frames are not finite"):
        run(render_motion, monkeypatch, "--motion", folders / "nan.npy", "--out", folders / "y.gif")
    assert not (folders / "y.gif").exists()
    # Its own pictures are drawn anew; another one of that name is left alone, also where only --sheet would write it.
    run(render_motion, monkeypatch, *given, "--out", folders / "x.gif", "--size", "60")
    (folders / "z.png").write_bytes(b"a photograph")
    for flags in (("--out", folders / "z.png"), ("--out", folders / "z.gif", "--sheet")):
        with pytest.raises(InputError, match=r"z\.png: is there, and nothing in it says"):
            run(render_motion, monkeypatch, *given, *flags)
    assert (folders / "z.png").read_bytes() == b"a photograph" and not (folders / "z.gif").exists()


def test_a_killed_run_is_continued_and_leaves_nothing_half_written(folders, monkeypatch, capsys):
    """kill -9 between two clips, and in the middle of one."""
    script = (
        "import os, signal\n"
        "from prepare import motions_from_joints as command\n"
        "from dataset.humanml import layout\n"
        "write = layout.write_npy\n"
        "def die(path, array):\n"
        "    if path.name == 'c.npy' and 'vecs' in str(path):\n"
        "        os.write(os.open(path.parent / '.c.npy.new.tmp', os.O_CREAT | os.O_WRONLY), b'half')\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    write(path, array)\n"
        "layout.write_npy = die\n"
        "command.main()\n"
    )
    given = ["--joints-dir", folders / "joints", "--texts-dir", folders / "texts", "--out-dir", folders / "out"]
    given += ["--splits-dir", folders / "splits"]
    killed = subprocess.run(
        [sys.executable, "-c", script, *map(str, given)], cwd=ROOT, capture_output=True, timeout=120
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (folders / "out/train.txt").exists()
    convert(folders, monkeypatch)
    assert "2 clips converted, 2 already there, 0 bad" in capsys.readouterr().out
    assert not list((folders / "out").rglob("*.tmp"))
    convert_again = {path: path.read_bytes() for path in (folders / "out/new_joint_vecs").iterdir()}
    run(motions_from_joints, monkeypatch, *given[:4], "--out-dir", folders / "straight", *given[6:])
    for path, content in convert_again.items():
        assert (folders / "straight/new_joint_vecs" / path.name).read_bytes() == content


def turned(folders, up, metres=1.0):
    """The joints of all clips, written as a file with this axis up and this unit has them."""
    turn = to_metres_y_up(np.eye(3), 1.0, up).T
    for path in (folders / "joints").iterdir():
        np.save(path, np.load(path).astype(np.float64) @ np.linalg.inv(turn).T / metres)


@pytest.mark.parametrize("up", ["z", "-y", "x"])
def test_another_axis_up_is_refused_with_the_flag_that_turns_it(folders, monkeypatch, up):
    convert(folders, monkeypatch)
    expected = np.load(folders / "out/new_joints/a.npy")
    turned(folders, up)
    other = folders / "other"
    with pytest.raises(InputError, match=f"4 of 4 clips looked at do not stand: a, b, c, d.*with --up {up}\\."):
        convert(folders, monkeypatch, "--out-dir", other)
    assert not other.exists()
    convert(folders, monkeypatch, "--out-dir", other, "--up", up)
    np.testing.assert_allclose(np.load(other / "new_joints/a.npy"), expected, atol=1e-5)
    # A wrong flag is refused as a missing one is, and names the right one.
    with pytest.raises(InputError, match=f"with --up {up}\\."):
        convert(folders, monkeypatch, "--out-dir", folders / "third", "--up", "-z")


def test_another_unit_is_refused_given_or_told_by_the_legs(folders, monkeypatch, capsys):
    convert(folders, monkeypatch)
    expected = np.load(folders / "out/new_joints/a.npy")
    turned(folders, "y", 0.001)
    with pytest.raises(InputError, match=r"the legs are \d+ m long .*--unit mm\?"):
        convert(folders, monkeypatch, "--out-dir", folders / "other")
    for unit in ("mm", "millimetres", "0.001", "auto"):
        capsys.readouterr()
        convert(folders, monkeypatch, "--out-dir", folders / unit, "--unit", unit)
        np.testing.assert_allclose(np.load(folders / unit / "new_joints/a.npy"), expected, atol=1e-4)
        source = json.loads((folders / unit / "dataset.json").read_text())["conversion"]["source"]
        assert source == "joints at 20 fps, 0.001 m a unit"
        assert ("unit of the joints: mm, by legs" in capsys.readouterr().out) == (unit == "auto")
    turned(folders, "y", 1000)
    convert(folders, monkeypatch, "--unit", "auto")  # metres again: the data set that was begun without a word goes on


def test_a_mirror_image_is_a_bad_clip_and_one_who_lies_a_warning(folders, monkeypatch, capsys):
    joints = folders / "joints"
    np.save(joints / "b.npy", np.load(joints / "b.npy") * [-1, 1, 1])
    np.save(joints / "c.npy", np.load(joints / "c.npy")[..., [0, 2, 1]] * [1, 1, -1])
    with pytest.raises(InputError, match="1 of 4 clips could not be used"):
        convert(folders, monkeypatch)
    printed = capsys.readouterr().out
    assert "bad clip b: " in printed and "b.npy: left is not on the left" in printed and "bad clip c" not in printed
    assert "warning: 1 of 3 clips do not stand in most frames: c (would with --up -z). Taken as they are" in printed
    assert (folders / "out/new_joints/c.npy").is_file()
    # Who says so gets them all.
    convert(folders, monkeypatch, "--any-posture")
    assert (folders / "out/new_joints/b.npy").is_file() and "warning" not in capsys.readouterr().out


def test_values_beyond_people_are_bad_clips_and_nothing_infinite_is_written(folders, monkeypatch, capsys):
    joints = folders / "joints"
    for id, change in {"a": 1e300, "c": 1e38}.items():
        broken = np.load(joints / f"{id}.npy").astype(np.float64)
        broken[7, 3, 1] = change
        np.save(joints / f"{id}.npy", broken)
    with pytest.raises(InputError, match="2 of 4 clips could not be used"):
        convert(folders, monkeypatch)
    printed = capsys.readouterr().out
    assert "bad clip a: " in printed and "c.npy: frame 7: spine1 is 1e+38 m from pelvis" in printed
    for path in (folders / "out").rglob("*.npy"):
        assert np.isfinite(np.load(path)).all()


def test_what_macos_adds_is_left_out_with_its_count(folders, monkeypatch, caplog):
    (folders / "joints/._a.npy").write_bytes(b"\0\5\26\7 Mac OS X")
    convert(folders, monkeypatch)
    assert "left out what macOS keeps about files (._*): 1" in caplog.text
    assert read_split_ids(folders / "out", "all") == ["a", "b", "c", "d"]


@pytest.mark.parametrize("given", ["--fps nan", "--fps 1e-300", "--fps 0", "--up -q", "--unit 0", "--unit nan"])
def test_flags_that_mean_nothing_are_one_line(folders, monkeypatch, capsys, given):
    with pytest.raises(SystemExit) as end:
        convert(folders, monkeypatch, *given.split())
    (line,) = capsys.readouterr().err.splitlines()
    assert end.value.code == 2 and line.startswith("error: ") and not (folders / "out").exists()
