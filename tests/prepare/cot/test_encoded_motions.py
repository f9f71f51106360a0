"""Codes and a data set of other motions are never joined, whatever their ids say; a part of the clips may be."""

import json
import shutil

import numpy as np
import pytest

from dataset.cot.source import source_path
from prepare import encode_motions, write_cot_jsonl
from tests.prepare.random_motions import random_tokenizer, write_motions
from utils.run.command import EXIT_BAD_INPUT, run_command


@pytest.fixture
def world(tmp_path, monkeypatch, capsys):
    """(run, folder): `run(module, flags)` -> exit status and stderr; a data set, its codes, and one that is like it."""
    write_motions(tmp_path / "data", {"train": 6, "val": 3, "test": 3})
    shutil.copytree(tmp_path / "data", tmp_path / "other")
    for path in (tmp_path / "other/new_joint_vecs").iterdir():
        np.save(path, np.load(path) + np.float32(0.001))
    random_tokenizer().save(tmp_path / "tokenizer.pth")

    def run(module, **flags):
        words = [word for name, value in flags.items() for word in (f"--{name.replace('_', '-')}", *str(value).split())]
        monkeypatch.setattr("sys.argv", [module.__name__, *words])
        status = 0
        try:
            run_command(module.main)
        except SystemExit as end:
            status = end.code
        return status, capsys.readouterr().err

    return run, tmp_path


def encoded(run, folder, **more):
    flags = {"data_root": folder / "data", "motion_tokenizer": folder / "tokenizer.pth", "out": folder / "codes.jsonl"}
    assert run(encode_motions, **flags, device="cpu", **more)[0] == 0
    return folder / "codes.jsonl"


def as_earlier(codes):
    """The file beside codes as it was before it named every motion."""
    path = source_path(codes)
    path.write_text(json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "motions"}))


@pytest.mark.parametrize("version", ["now", "earlier"])
@pytest.mark.parametrize("root", ["other", "data"])
def test_codes_of_other_motions_are_refused_in_one_line_before_anything_is_written(world, version, root):
    run, folder = world
    codes = encoded(run, folder)
    if version == "earlier":
        as_earlier(codes)
    assert run(write_cot_jsonl, codes=codes, data_root=folder / "data", out_dir=folder / "good")[0] == 0
    if root == "data":  # one motion of the last split is changed, and not encoded again
        id = (folder / "data/test.txt").read_text().split()[-1]
        path = folder / f"data/new_joint_vecs/{id}.npy"
        np.save(path, np.load(path)[::-1])
    status, said = run(write_cot_jsonl, codes=codes, data_root=folder / root, out_dir=folder / "bad")
    (line,) = [line for line in said.splitlines() if line.startswith("error:")]
    assert status == EXIT_BAD_INPUT and "prepare.encode_motions" in line and str(folder / root) in line
    assert not list((folder / "bad").glob("cot_*"))
    if version == "now" and root == "data":
        assert "1 of 12 motions are others" in line and repr(id) in line
    if root == "data":  # the way out
        encoded(run, folder)
        assert run(write_cot_jsonl, codes=codes, data_root=folder / root, out_dir=folder / "bad")[0] == 0


def test_parts_of_a_data_set_and_of_codes_go_together(world):
    run, folder = world
    codes = encoded(run, folder, splits="train val")
    rows = codes.read_text().splitlines(keepends=True)
    codes.write_text("".join(rows[1:]))  # a part of the codes
    ids = (folder / "data/train.txt").read_text().splitlines(keepends=True)
    (folder / "data/train.txt").write_text("".join(ids[:-1]))  # and another one of the data set
    assert run(write_cot_jsonl, codes=codes, data_root=folder / "data", out_dir=folder / "cot") == (0, "")
    assert len((folder / "cot/cot_train.jsonl").read_text().splitlines()) == 4


def test_codes_of_somebody_else_name_no_motions_and_a_damaged_name_is_one_line(world):
    run, folder = world
    codes = encoded(run, folder)
    source = json.loads(source_path(codes).read_text())
    given = {"codes": codes, "data_root": folder / "other", "out_dir": folder / "cot"}
    for names in ([], {"a": 1}, "x"):
        source_path(codes).write_text(json.dumps({**source, "motions": names}))
        status, said = run(write_cot_jsonl, **given)
        assert status == EXIT_BAD_INPUT and "codes.source.json: does not say which motions" in said
    of_somebody = {key: source[key] for key in ("motion_tokenizer", "fingerprint", "nb_code", "data_root")}
    source_path(codes).write_text(json.dumps(of_somebody))
    assert run(write_cot_jsonl, **given)[0] == 0
