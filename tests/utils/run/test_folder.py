"""Run folders: a run is continued by its own arguments only, and by later versions of the program too."""

import json

import pytest

from utils.errors import InputError
from utils.run.folder import RunFolder


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
    run.record_arguments({"data": "right"})
    assert json.loads((tmp_path / "args.json").read_text()) == {"data": "right"}


def test_other_arguments_are_refused_and_nothing_is_overwritten(tmp_path):
    run = begun(tmp_path, {"steps": 5, "device": "cpu"})
    with pytest.raises(InputError, match="steps was 5, now 6"):
        run.record_arguments({"steps": 6, "device": "cpu"})
    assert json.loads((tmp_path / "args.json").read_text()) == {"steps": 5, "device": "cpu"}
    run.record_arguments({"steps": 5, "device": "cuda"}, may_differ=("device",))


def test_a_flag_that_is_new_since_the_run_began_does_not_stop_it(tmp_path):
    run = begun(tmp_path, {"steps": 5})
    run.record_arguments({"steps": 5, "clip": []})
    with pytest.raises(InputError, match="clip was"):  # from then on it counts
        run.record_arguments({"steps": 5, "clip": [2]})


def test_an_argument_that_is_gone_is_another_argument(tmp_path):
    run = begun(tmp_path, {"steps": 5, "magic": True})
    with pytest.raises(InputError, match="magic was True, now None"):
        run.record_arguments({"steps": 5})
