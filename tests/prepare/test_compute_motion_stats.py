"""prepare.compute_motion_stats: the statistics of the good clips, every bad one named, and the exit status."""

import numpy as np
import pytest

from dataset.humanml.layout import read_mean_std, write_splits
from dataset.humanml.statistics import compute_mean_std
from prepare import compute_motion_stats
from utils.motion.skeleton import KIT, T2M
from utils.run.command import EXIT_BAD_INPUT, run_command


@pytest.fixture
def root(tmp_path):
    """Three good clips, one of them listed twice, and no text at all."""
    (tmp_path / "new_joint_vecs").mkdir()
    rng = np.random.default_rng(0)
    for id, frames in {"a": 30, "M000001": 250, "c": 45}.items():
        np.save(tmp_path / f"new_joint_vecs/{id}.npy", rng.normal(2.0, 0.3, (frames, 263)).astype(np.float32))
    write_splits(tmp_path, {"train": ["a", "M000001", "c", "a"]})
    return tmp_path


def run(root, monkeypatch, capsys, *flags):
    """-> exit status, stdout, stderr without progress bars."""
    monkeypatch.setattr("sys.argv", ["compute_motion_stats", "--data-root", str(root), *flags])
    monkeypatch.setenv("TQDM_DISABLE", "1")
    status = 0
    try:
        run_command(compute_motion_stats.main)
    except SystemExit as stop:
        status = stop.code
    return status, *capsys.readouterr()


def assert_statistics_of(root, ids):
    motions = [np.load(root / f"new_joint_vecs/{id}.npy") for id in ids]
    for found, expected in zip(read_mean_std(root), compute_mean_std(motions, T2M), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_every_clip_counts_once(root, monkeypatch, capsys):
    status, printed, _ = run(root, monkeypatch, capsys)
    assert status == 0 and "3 clips, 325 frames; 0 bad" in printed and "bad clip" not in printed
    assert_statistics_of(root, ["a", "M000001", "c"])


def test_bad_clips_are_listed_and_the_good_ones_used(root, monkeypatch, capsys):
    folder = root / "new_joint_vecs"
    np.save(folder / "nan.npy", np.where(np.arange(20)[:, None] == 7, np.nan, np.ones((20, 263))))
    np.save(folder / "kit.npy", np.ones((20, 251)))
    (folder / "cut.npy").write_bytes((folder / "a.npy").read_bytes()[:900])
    write_splits(root, {"train": ["nan", "a", "kit", "gone", "M000001", "cut", "c", "a.npy", "gone"]})
    status, printed, errors = run(root, monkeypatch, capsys)
    assert status == EXIT_BAD_INPUT and "5 of 8 clips could not be used" in errors and "--skip-bad" in errors
    assert [line for line in printed.splitlines() if line.startswith("bad clip")] == [
        "bad clip nan: NaN in the motion",
        "bad clip kit: motion of shape (T, 251), not (T, 263)",
        "bad clip gone: no motion file",
        "bad clip cut: motion file unreadable",
        "bad clip a.npy: no motion file, listed with .npy",
    ]
    assert_statistics_of(root, ["a", "M000001", "c"])
    status, again, _ = run(root, monkeypatch, capsys, "--skip-bad")
    assert status == 0 and again == printed


def test_without_a_usable_clip_nothing_is_written(root, monkeypatch, capsys):
    status, printed, errors = run(root, monkeypatch, capsys, "--dataname", KIT.name, "--skip-bad")
    assert status == EXIT_BAD_INPUT and "no motion" in errors and str(root) in errors
    assert printed.count("bad clip") == 3 and not (root / "Mean.npy").exists()


@pytest.mark.parametrize("there", ["other values", "no numbers"])
def test_statistics_of_somebody_else_are_replaced_only_when_asked(root, monkeypatch, capsys, there):
    path = root / "Mean.npy"
    if there == "other values":
        np.save(path, np.ones(263, np.float32))
    else:
        path.write_bytes(b"mine")
    before = path.read_bytes()
    status, _, errors = run(root, monkeypatch, capsys)
    assert status == EXIT_BAD_INPUT and str(path) in errors and "--replace" in errors
    assert path.read_bytes() == before and not (root / "Std.npy").exists()
    assert run(root, monkeypatch, capsys, "--replace")[0] == 0
    assert_statistics_of(root, ["a", "M000001", "c"])
    assert run(root, monkeypatch, capsys)[0] == 0  # the same values


def test_a_file_of_the_same_name_does_not_make_a_data_set_ours(root, monkeypatch, capsys):
    (root / "dataset.json").write_text('{"name": "of somebody"}')
    np.save(root / "Mean.npy", np.ones(263, np.float32))
    status, _, errors = run(root, monkeypatch, capsys)
    assert status == EXIT_BAD_INPUT and "--replace" in errors and (np.load(root / "Mean.npy") == 1).all()
