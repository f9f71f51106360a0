"""Run folders: a run is continued by its own arguments only, and by later versions of the program too."""

import contextlib
import errno
import json
import logging
from pathlib import Path

import pytest

from utils.errors import InputError
from utils.run.folder import RunFolder


def begin(run: RunFolder, arguments: dict, may_differ: tuple[str, ...] = ()) -> None:
    """As a command begins or continues a run."""
    run.check_arguments(arguments, may_differ)
    run.record_arguments(arguments)


def begun(folder, arguments: dict) -> RunFolder:
    """A run that has made something."""
    run = RunFolder(folder)
    run.record_arguments(arguments)
    (folder / "metrics.jsonl").write_text("{}\n")
    return run


def test_arguments_of_a_start_that_made_nothing_can_be_corrected(tmp_path):
    run = RunFolder(tmp_path)
    run.record_arguments({"data": "mistyped"})
    run.record_environment(0)
    (tmp_path / "run.log").write_text("error: no such folder: mistyped\n")
    begin(run, {"data": "right"})
    assert json.loads((tmp_path / "args.json").read_text()) == {"data": "right", "inputs": {}}


def test_other_arguments_are_refused_and_nothing_is_overwritten(tmp_path):
    run = begun(tmp_path, {"steps": 5, "device": "cpu"})
    with pytest.raises(InputError, match="steps was 5, now 6"):
        begin(run, {"steps": 6, "device": "cpu"})
    assert json.loads((tmp_path / "args.json").read_text())["steps"] == 5
    begin(run, {"steps": 5, "device": "cuda"}, may_differ=("device",))


def test_a_flag_that_is_new_since_the_run_began_does_not_stop_it(tmp_path):
    run = begun(tmp_path, {"steps": 5})
    begin(run, {"steps": 5, "clip": []})
    with pytest.raises(InputError, match="clip was"):  # from then on it counts
        begin(run, {"steps": 5, "clip": [2]})


def test_an_argument_that_is_gone_is_another_argument(tmp_path):
    run = begun(tmp_path, {"steps": 5, "magic": True})
    with pytest.raises(InputError, match="magic was True, now None"):
        begin(run, {"steps": 5})


def test_a_damaged_record_is_named_with_the_way_out(tmp_path):
    run = begun(tmp_path, {"steps": 5})
    (tmp_path / "args.json").write_text('{"steps": ')
    with pytest.raises(InputError, match=r"args\.json: not JSON .*use another --exp-name$"):
        run.check_arguments({"steps": 5})
    (tmp_path / "finished.json").write_text("")
    with pytest.raises(InputError, match=r"finished\.json: not JSON .*delete it"):
        run.summary()


@pytest.mark.parametrize("left", ["finished.json", "metrics.jsonl"])
def test_a_run_whose_record_has_gone_is_not_taken_for_any_other(tmp_path, left):
    run = RunFolder(tmp_path)
    (tmp_path / left).write_text("{}\n")
    with pytest.raises(InputError, match=r"args\.json has gone; .*use another --exp-name$"):
        run.check_arguments({"steps": 5})


@pytest.mark.parametrize("name", ["motion_tokenizer.pth", "results.json", "model.safetensors", "notes"])
def test_a_folder_that_holds_what_no_run_made_is_left_alone(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=rf"holds {name}, which no run of ours wrote.*use another --exp-name"):
        begin(RunFolder(tmp_path), {"steps": 5})
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_checkpoint_that_has_gone_from_a_finished_run_is_said_to_have(tmp_path):
    run = begun(tmp_path, {})
    run.finish({"loss": 0.5, "best": "elsewhere/model_best.pth"})
    gone = f"best {tmp_path / 'model_best.pth'} (has gone; to make it again use another --exp-name)"
    assert run.summary() == f"finished {tmp_path} | loss 0.5000 | {gone}"
    (tmp_path / "model_best.pth").write_bytes(b"weights")
    assert run.summary() == f"finished {tmp_path} | loss 0.5000 | best {tmp_path / 'model_best.pth'}"


def test_a_row_of_metrics_is_never_glued_to_a_torn_one(tmp_path):
    run = RunFolder(tmp_path)
    run.log({"step": 1, "loss": 0.5})
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 2, "lo')  # what a kill leaves
    run.log({"step": 2, "loss": 0.25})
    assert run.metrics.rows() == [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25}]


def test_what_begins_with_a_dot_is_nothing_of_a_run(tmp_path):
    """What the system keeps about a folder, and half a file that a kill has left."""
    folder = RunFolder(tmp_path / "run")
    folder.record_arguments({"epochs": 3})
    for name in (".DS_Store", ".args.json.new.tmp", ".lock"):
        (folder.path / name).touch()
    assert folder.recorded() is None
    (folder.path / "best.pth").touch()
    assert folder.recorded()["epochs"] == 3
    empty = RunFolder(tmp_path / "empty")
    (empty.path / ".DS_Store").parent.mkdir()
    (empty.path / ".DS_Store").touch()
    empty.set_aside()
    assert {path.name for path in tmp_path.iterdir()} == {"run", "empty"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_log_that_cannot_be_written_ends_the_run_with_its_name(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    (folder.path / "run.log").symlink_to("/dev/full")
    end = folder.log_to_file()
    try:
        with pytest.raises(OSError, match=r"run\.log") as error:
            logging.warning("a line")
        assert error.value.errno == errno.ENOSPC
    finally:
        with contextlib.suppress(OSError):
            end()
    logging.warning("no file is written any more")
