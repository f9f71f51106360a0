"""Mean.npy and Std.npy that somebody put into a data set stay; those of the conversion follow its clips."""

import json

import numpy as np
import pytest

from dataset.humanml.layout import read_mean_std
from dataset.sources.record import RECORD_FILE
from prepare import compute_motion_stats
from tests.prepare.conversion.test_convert import add, convert, sources  # noqa: F401
from utils.run.command import EXIT_BAD_INPUT, run_command

FILES = ("Mean.npy", "Std.npy")


@pytest.fixture
def of_somebody(sources, convert):  # noqa: F811
    """A converted data set with statistics of somebody else, and their bytes."""
    assert convert().endswith("status 0")
    for number, name in enumerate(FILES):
        np.save(sources / "out" / name, np.full(263, 0.5 + number, np.float32))
    return sources / "out", [(sources / "out" / name).read_bytes() for name in FILES]


def statistics(out):
    return [(out / name).read_bytes() for name in FILES]


def test_statistics_of_somebody_else_are_kept_and_it_is_said(sources, convert, of_somebody):  # noqa: F811
    out, theirs = of_somebody
    for seed in (3, 4):  # the first run must not make them ours for the second one
        add(sources, f"new{seed}", seed=seed)
        said = convert()
        assert "note: Mean.npy and Std.npy" in said and "they are kept" in said and said.endswith("status 0")
        assert statistics(out) == theirs
    for name in FILES:
        (out / name).unlink()
    assert "they are kept" not in convert() and statistics(out) != theirs
    ours = statistics(out)
    add(sources, "newer", seed=5)
    assert "they are kept" not in convert() and statistics(out) != ours


def test_earlier_statistics_of_ours_that_were_put_back_are_kept(sources, convert):  # noqa: F811
    convert()
    before = statistics(sources / "out")
    add(sources, "new", seed=9)
    convert()
    assert statistics(sources / "out") != before
    for name, content in zip(FILES, before, strict=True):
        (sources / "out" / name).write_bytes(content)
    assert "they are kept" in convert() and statistics(sources / "out") == before


def test_one_of_somebody_else_without_the_other_is_refused_before_anything(sources, convert, of_somebody):  # noqa: F811
    out, _ = of_somebody
    (out / "Std.npy").unlink()
    add(sources, "new", seed=3)
    said = convert()
    assert f"{out / 'Mean.npy'}: holds values that this program did not write, and Std.npy" in said
    assert said.endswith(f"status {EXIT_BAD_INPUT}") and not (out / "new_joint_vecs/new.npy").exists()


def test_a_record_of_before_statistics_were_recorded_converts_and_a_damaged_file_is_made_again(sources, convert):  # noqa: F811
    out = sources / "out"
    convert()
    ours = statistics(out)
    rows = [json.loads(line) for line in (out / RECORD_FILE).read_text().splitlines()]
    (out / RECORD_FILE).write_text("".join(json.dumps(row) + "\n" for row in rows if "id" in row))
    np.save(out / "Mean.npy", np.zeros(263, np.float32))
    assert convert().endswith("status 0") and statistics(out) == ours
    (out / "Mean.npy").write_bytes(ours[0][:200])
    assert "they are kept" not in convert() and statistics(out) == ours


def test_compute_motion_stats_asks_in_a_converted_data_set_too(sources, convert, of_somebody, monkeypatch, capsys):  # noqa: F811
    out, theirs = of_somebody

    def compute(*more):
        monkeypatch.setattr("sys.argv", ["compute_motion_stats", "--data-root", str(out), *more])
        try:
            run_command(compute_motion_stats.main)
        except SystemExit as end:
            return end.code
        return 0

    assert compute() == EXIT_BAD_INPUT and "--replace" in capsys.readouterr().err and statistics(out) == theirs
    assert compute("--replace") == 0 and statistics(out) != theirs
    add(sources, "new", seed=3)
    before = statistics(out)
    assert "they are kept" not in convert() and statistics(out) != before  # they were ours
    assert all(np.isfinite(values).all() for values in read_mean_std(out))
