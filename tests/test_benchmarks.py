"""What is timed (`python -m tests.benchmarks`) runs here at the smallest sizes: that it works, never how fast."""

import json

import pytest

from tests.benchmarks.__main__ import PARTS, compared, main, speed
from tests.benchmarks.measuring import growth
from tests.benchmarks.parts_of_commands import commands


@pytest.mark.pipeline
def test_every_part_gives_figures(tmp_path):
    out = tmp_path / "out"
    assert main(["--sizes", "tiny", "--out-dir", str(out)]) == 0
    found = json.loads((out / "results.json").read_text("utf-8"))
    assert found["versions"]["torch"] and found["threads"] == 1 and found["cpu"]
    assert {row["part"] for row in found["rows"]} == {*PARTS, "machine"}
    for row in found["rows"]:
        assert row["problem"] is None and isinstance(row["value"], float) and row["how"], row
        assert row["value"] > 0 or not row["unit"], row
        assert all(row[name] is None or row[name] > 0 for name in ("limit", "plain", "published")), row
    beside = {row["part"]: row for row in found["rows"] if row["what"] in ("whole step", "caption, 2 together")}
    assert all(row["limit"] and row["published"] for row in beside.values()) and set(beside) == {"grpo", "com"}
    table = (out / "table.md").read_text("utf-8")
    assert "| grpo | whole step |" in table and "| fid | FID of 48 |" in table and "| machine |" in table


def test_one_part_beside_an_earlier_file(tmp_path, capsys):
    given = ["--sizes", "tiny", "--only", "features", "--out-dir", str(tmp_path)]
    assert main(given) == 0
    earlier = tmp_path / "earlier.json"
    (tmp_path / "results.json").rename(earlier)
    assert main([*given, "--compare", str(earlier)]) == 0
    assert "times as fast as earlier.json" in capsys.readouterr().out


def test_a_part_that_fails_is_told_and_the_next_one_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(PARTS, "fid", "nowhere")
    assert main(["--sizes", "tiny", "--only", "fid", "features", "--out-dir", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert "failed: ModuleNotFoundError" in shown and "| features | joints of features |" in shown


def test_ratios_say_how_many_times_as_fast():
    seconds = {"part": "a", "what": "b", "unit": "s", "value": 2.0, "problem": None}
    rate = {**seconds, "unit": "clips/s"}
    assert (speed(6.0, seconds), speed(1.0, rate)) == (3.0, 2.0)
    assert "| a | b | 3.00 |" in compared([seconds], [{**seconds, "value": 6.0}], "x/old.json")
    assert compared([seconds], [{**seconds, "problem": "none"}], "old.json").count("\n") == 2


def test_growth_is_the_exponent():
    assert growth((2, 4, 8), (1.0, 2.0, 4.0)) == pytest.approx(1)
    assert growth((10, 100), (1.0, 100.0)) == pytest.approx(2)


def test_every_command_is_started():
    assert {"train_mllm.py", "-m prepare.train_evaluator", "-m prepare.encode_motions"} <= set(commands())
    assert not any("quickstart" in name or "__init__" in name for name in commands())
