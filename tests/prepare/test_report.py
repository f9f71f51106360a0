"""prepare.report as a user runs it."""

import csv
import io
import sys

import pytest

from prepare import report
from tests.models.reporting.finished_runs import (
    grpo_rows,
    predicted,
    write_people,
    write_policy,
    write_run,
    write_training,
)
from utils.errors import InputError


@pytest.fixture
def runs(tmp_path, motion_tokenizer):
    ids = write_people(tmp_path / "data", 4)
    policy = write_policy(tmp_path / "policy.pth", motion_tokenizer)
    asked = {"data_root": tmp_path / "data", "eval_ckpt": policy, "eval_split": "test", "dataname": "t2m"}
    folder = tmp_path / "runs"
    write_run(folder / "eval_sft", "t2m", predicted(ids, ["a person walks."] * 4, [[1, 2, 3]] * 4), asked)
    write_run(folder / "eval_m2t", "m2t", (), asked)
    write_training(folder / "rlvr", grpo_rows())
    return folder


def run(monkeypatch, *given):
    monkeypatch.setattr(sys, "argv", ["report", *map(str, given)])
    report.main()


def test_a_page_a_spreadsheet_a_table_and_a_figure_of_a_folder_of_runs(runs, tmp_path, monkeypatch, capsys):
    files = {name: tmp_path / f"made.{ending}" for name, ending in
             {"out": "html", "csv": "csv", "latex": "tex", "figure": "svg"}.items()}  # fmt: skip
    given = [word for name, file in files.items() for word in (f"--{name}", file)]
    run(monkeypatch, runs, *given, "--samples", 2, "--title", "An <evaluation>")
    assert capsys.readouterr().out == f"wrote {', '.join(map(str, files.values()))}\n"
    page = files["out"].read_text()
    assert "<h1>An &lt;evaluation&gt;</h1>" in page and page.count('id="t2m-') == 2 and "rlvr: learning" in page
    rows = list(csv.DictReader(io.StringIO(files["csv"].read_text())))
    assert {(row["task"], row["system"]) for row in rows} == {
        ("t2m", "real"), ("t2m", "eval_sft"), ("m2t", "real"), ("m2t", "eval_m2t"),
    }  # fmt: skip
    assert files["latex"].read_text().count(r"\begin{table}") == 2
    assert "KL from the start" in files["figure"].read_text()


@pytest.mark.parametrize("name", ["out", "csv", "latex", "figure"])
def test_a_file_of_somebody_else_is_left_alone_and_ours_is_made_anew(runs, tmp_path, monkeypatch, name):
    file = tmp_path / f"mine.{'svg' if name == 'figure' else 'html'}"
    given = [runs, "--samples", 0, "--out", tmp_path / "page.html", f"--{name}", file]
    file.write_text("<p>mine</p>")
    with pytest.raises(InputError, match=rf"--{name} .*nothing in it says that this command wrote it"):
        run(monkeypatch, *given)
    assert file.read_text() == "<p>mine</p>"
    file.unlink()
    for _ in range(2):
        run(monkeypatch, *given)
    assert "mine</p>" not in file.read_text()


def test_names_stand_in_the_tables(runs, tmp_path, monkeypatch):
    run(monkeypatch, f"Ours & more={runs / 'eval_sft'}", "--out", tmp_path / "a.html", "--samples", 0)
    text = (tmp_path / "a.html").read_text()
    assert "<td>Ours &amp; more</td>" in text and "data-player" not in text.partition("<script>")[0]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["nowhere"], "nowhere: no such folder of a run"),
        (["RUN", "--latex", "RUN/results.json"], "--latex .*is what is read here"),
        (["RUN", "--out", "RUN/predictions.jsonl"], "--out .*is what is read here"),
    ],
)
def test_mistakes_are_one_line(runs, monkeypatch, given, told):
    before = (runs / "eval_sft" / "results.json").read_bytes()
    with pytest.raises(InputError, match=told):
        run(monkeypatch, *(word.replace("RUN", str(runs / "eval_sft")) for word in given))
    assert (runs / "eval_sft" / "results.json").read_bytes() == before


@pytest.mark.parametrize(
    ("given", "told"),
    [([], "give folders of runs"), (["x", "--figure", "a.gif"], "--figure must end in .pdf, .png, .svg"),
     (["x", "--samples", "-1"], "--samples")],
)  # fmt: skip
def test_bad_flags_are_answered_before_anything_is_read(monkeypatch, capsys, given, told):
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, *given)
    assert end.value.code == 2 and told in capsys.readouterr().err
