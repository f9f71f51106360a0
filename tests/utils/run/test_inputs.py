"""Inputs of a run are compared by what they hold: what has moved is the same, what was replaced is not."""

import os
import shutil

import pytest

from utils.files.fingerprints import fingerprint_file
from utils.run.inputs import Input, differences, found_again, read_record, record_of


def settle(path, seconds=60):
    """As if a file had been written a while ago."""
    moment = path.stat().st_mtime - seconds
    os.utime(path, (moment, moment))


def model(folder, weights="w"):
    folder.mkdir()
    (folder / "weights.bin").write_text(weights)
    (folder / "config.json").write_text("{}")
    return folder


def content(path):
    return Input.at(path).content()


def test_a_file_is_named_by_its_sha256_wherever_it_lies(tmp_path):
    (tmp_path / "a.pth").write_bytes(b"weights")
    shutil.copy(tmp_path / "a.pth", tmp_path / "b.pth")
    assert content(tmp_path / "a.pth") == content(tmp_path / "b.pth") == fingerprint_file(tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(b"Weights")
    assert content(tmp_path / "a.pth") != content(tmp_path / "b.pth")
    assert Input.at(tmp_path / "nowhere") is None


def test_a_folder_is_named_by_its_files_and_their_names(tmp_path):
    folder = model(tmp_path / "a")
    first = content(folder)
    assert content(shutil.copytree(folder, tmp_path / "b")) == first
    (folder / "weights.bin").rename(folder / "Weights.bin")
    assert content(folder) != first


@pytest.mark.parametrize("name", ["args.json", "finished.json", "run.log", ".lock", ".cache/x", "tensorboard/events.1"])
def test_what_is_written_about_a_run_is_no_part_of_the_model_that_it_made(tmp_path, name):
    folder = model(tmp_path / "a")
    first = content(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("of another start")
    assert content(folder) == first
    (folder / "part").mkdir()
    (folder / "part" / "args.json").write_text("")  # only beside the model
    assert content(folder) != first


def test_a_file_of_a_data_set_that_goes_missing_or_comes_is_a_change(tmp_path):
    (tmp_path / "one").write_text("1")
    names = ["one", "two"]
    first = Input.below(tmp_path, names).content()
    (tmp_path / "three").write_text("nobody reads it")
    assert Input.below(tmp_path, names).content() == first
    (tmp_path / "two").write_text("2")
    second = Input.below(tmp_path, names).content()
    (tmp_path / "one").unlink()
    assert len({first, second, Input.below(tmp_path, names).content()}) == 3
    assert Input.below(tmp_path / "nowhere", names) is None


def test_several_files_of_one_flag_are_compared_in_their_order(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.py").write_text(name)
    both = [tmp_path / "a.py", tmp_path / "b.py"]
    assert Input.together(both).content() != Input.together(both[::-1]).content()
    assert Input.together([tmp_path / "c.py"]) is None


def test_what_has_not_changed_is_not_read_again(tmp_path, monkeypatch):
    file = tmp_path / "weights"
    file.write_text("w")
    settle(file)
    monkeypatch.setattr("utils.run.inputs._SETTLED_NS", -(10**15))  # the time of its inode cannot be set
    record = record_of({"ckpt": Input.at(file)}, {})
    record["ckpt"]["content"] = "as it was read"
    assert record_of({"ckpt": Input.at(file)}, record)["ckpt"]["content"] == "as it was read"
    before = file.stat()
    file.write_text("W")  # as long as before, and with its time
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert record_of({"ckpt": Input.at(file)}, record)["ckpt"]["content"] == fingerprint_file(file)


def test_a_file_that_has_just_been_written_is_read_every_time(tmp_path):
    (tmp_path / "weights").write_text("w")
    record = record_of({"ckpt": Input.at(tmp_path / "weights")}, {})
    assert record["ckpt"]["stamp"] is None
    record["ckpt"]["content"] = "another"
    assert record_of({"ckpt": Input.at(tmp_path / "weights")}, record)["ckpt"]["content"] != "another"


def test_a_difference_names_the_flag_what_was_and_what_is(tmp_path):
    before = {"eval_ckpt": {"path": "a.pth", "content": "111"}, "backbone of the checkpoint": {"content": "222"}}
    now = {name: {"path": "a.pth", "content": "333"} for name in before}
    assert differences(before, now) == [
        "--eval-ckpt a.pth was 111, now 333",
        "backbone of the checkpoint a.pth was 222, now 333",
    ]
    now["eval_ckpt"]["path"] = "b.pth"
    assert differences(before, now)[0] == "--eval-ckpt a.pth was 111, b.pth is 333"
    assert differences(before, before) == differences({}, now) == differences(before, {}) == []


def test_what_no_flag_names_is_looked_for_where_it_was(tmp_path):
    folder = model(tmp_path / "backbone")
    record = record_of({"backbone of it": Input.at(folder)}, {})
    assert found_again(record, {"ckpt": None}) == {"backbone of it": Input.at(folder)}
    assert found_again(record, {"backbone of it": None}) == {}
    shutil.rmtree(folder)
    assert found_again(record, {}) == {"backbone of it": None}


@pytest.mark.parametrize("record", [None, {}, {"inputs": 5}, {"inputs": {"ckpt": "x", "data": {"content": 7}}}])
def test_a_record_that_is_none_knows_nothing(record):
    assert read_record(record) == {}
