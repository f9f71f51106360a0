"""prepare.make_toy_dataset: the real layout, the same bytes each time, nothing of others overwritten."""

import json
import logging
import os
import shutil

import numpy as np
import pytest

from dataset.humanml.layout import read_mean_std, read_split, read_split_ids
from dataset.humanml.statistics import compute_mean_std
from prepare import make_toy_dataset
from utils.files.lock import locked
from utils.metrics.physics import skating_ratio
from utils.motion.features import joints_from_features
from utils.motion.skeleton import T2M
from utils.run.command import EXIT_BAD_INPUT, run_command


def make(folder, monkeypatch, clips=40, seed=0):
    flags = ["--out-dir", str(folder), "--clips", str(clips), "--seed", str(seed)]
    monkeypatch.setattr("sys.argv", ["make_toy_dataset", *flags])
    run_command(make_toy_dataset.main)


def content(folder):
    """Every file that the command wrote; `.cache` is made by reading."""
    paths = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in paths.items() if not name.startswith(".cache")}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "toy"
    with pytest.MonkeyPatch.context() as monkeypatch:
        make(folder, monkeypatch)
    return folder


def test_every_clip_is_readable_and_the_splits_are_disjoint(toy, caplog):
    rows = {row["id"]: row for row in map(json.loads, (toy / "programs.jsonl").read_text().splitlines())}
    seen = []
    for split in ("train", "val", "test"):
        records = read_split(toy, split, T2M)
        assert [record.id for record in records] == read_split_ids(toy, split)
        for record in records:
            row = rows[record.id]
            assert row["split"] == split and row["frames"] == record.num_frames
            assert [caption.text for caption in record.captions] == row["captions"] and len(row["captions"]) == 3
            assert record.num_frames % 4 == 0 and len(row["reasoning"]) >= 1
        seen += [record.id for record in records]
    assert sorted(seen) == sorted(rows) == read_split_ids(toy, "all") and len(rows) == 40
    assert not [record for record in caplog.records if record.levelno > logging.INFO]  # nothing was skipped


def test_joints_features_and_statistics_agree(toy):
    records = read_split(toy, "train", T2M)
    joints = np.load(toy / "new_joints" / f"{records[0].id}.npy")
    assert np.abs(joints - joints_from_features(records[0].features, T2M)).max() < 1e-5
    assert joints[..., 1].min() == pytest.approx(0.0, abs=1e-3)
    mean, std = compute_mean_std([record.features for record in records], T2M)
    stored_mean, stored_std = read_mean_std(toy)
    assert np.allclose(mean, stored_mean, atol=1e-6) and np.allclose(std, stored_std, atol=1e-6)
    every = [np.load(path) for path in sorted((toy / "new_joints").glob("*.npy"))]
    assert np.mean([skating_ratio(joints) for joints in every]) < 0.02


def test_the_same_arguments_give_the_same_bytes_and_a_second_run_does_nothing(toy, tmp_path, monkeypatch, capsys):
    make(tmp_path / "again", monkeypatch)
    before = content(tmp_path / "again")
    assert before == content(toy)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "again").rglob("*")}
    capsys.readouterr()
    make(tmp_path / "again", monkeypatch)
    assert "already there" in capsys.readouterr().out
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "again").rglob("*")}


@pytest.mark.parametrize("different", [{"seed": 1}, {"clips": 41}])
def test_another_content_is_refused_and_kept(toy, monkeypatch, capsys, different):
    before = content(toy)
    with pytest.raises(SystemExit) as stop:
        make(toy, monkeypatch, **different)
    assert stop.value.code == EXIT_BAD_INPUT
    assert "nothing was changed" in capsys.readouterr().err
    assert content(toy) == before


def test_a_folder_of_something_else_is_refused(tmp_path, monkeypatch, capsys):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(SystemExit) as stop:
        make(tmp_path, monkeypatch)
    assert stop.value.code == EXIT_BAD_INPUT
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_two_commands_do_not_make_one_folder(tmp_path, monkeypatch, capsys):
    with locked(tmp_path / "toy"), pytest.raises(SystemExit):
        make(tmp_path / "toy", monkeypatch, clips=20)
    assert "is working here" in capsys.readouterr().err and not (tmp_path / "toy").exists()


def test_an_interrupted_run_does_not_look_finished_and_can_be_done_again(toy, tmp_path, monkeypatch):
    folder = tmp_path / "toy"
    clips = make_toy_dataset.toy_clips

    def interrupted(count, seed, places):
        for index, clip in enumerate(clips(count, seed, places)):
            if index == 5:
                raise KeyboardInterrupt
            yield clip

    monkeypatch.setattr(make_toy_dataset, "toy_clips", interrupted)
    with pytest.raises(SystemExit):
        make(folder, monkeypatch)
    assert len(list((folder / "new_joints").iterdir())) == 5
    assert not any((folder / name).exists() for name in ("dataset.json", "train.txt", "Mean.npy"))
    monkeypatch.setattr(make_toy_dataset, "toy_clips", clips)
    make(folder, monkeypatch)
    assert content(folder) == content(toy)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="one process makes all clips on this system")
def test_several_processes_make_the_same_bytes(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1})
    monkeypatch.setattr(make_toy_dataset, "_FEW_CLIPS", 1)
    monkeypatch.setattr(make_toy_dataset, "_AT_ONCE", 7)
    make(tmp_path / "toy", monkeypatch)
    assert content(tmp_path / "toy") == content(toy)


@pytest.mark.parametrize("flags", [["--clips", "3"], ["--seed", "-1"], ["--clip", "50"]])
def test_bad_flags_are_named(flags, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["make_toy_dataset", *flags])
    with pytest.raises(SystemExit) as stop:
        run_command(make_toy_dataset.main)
    assert stop.value.code == 2
    assert flags[0] in capsys.readouterr().err


def test_a_finished_data_set_that_lost_files_is_not_called_done(toy, tmp_path, monkeypatch, capsys):
    shutil.copytree(toy, tmp_path / "toy")
    (tmp_path / "toy/new_joint_vecs/000003.npy").unlink()
    with pytest.raises(SystemExit) as end:
        make(tmp_path / "toy", monkeypatch)
    assert end.value.code == EXIT_BAD_INPUT
    assert "1 of its files are gone (new_joint_vecs/000003.npy): delete the folder" in capsys.readouterr().err
