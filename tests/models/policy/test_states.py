"""A state is found again when it is whole; a torn one is set aside, and training goes on from the one before."""

import json

import pytest
import torch
from safetensors.torch import save_file

from models.policy.states import DONE_FILE, newest_state, problem_of, processes_of, publish


def written(folder, step, processes=1):
    """A state as transformers' trainer writes it, in a folder of its own."""
    state = folder / "unfinished" / f"checkpoint-{step}"
    state.mkdir(parents=True)
    save_file({"weight": torch.randn(50)}, state / "model.safetensors")
    torch.save({"state": torch.randn(100)}, state / "optimizer.pt")
    torch.save({"last_epoch": step}, state / "scheduler.pt")
    names = ["rng_state.pth"] if processes == 1 else [f"rng_state_{number}.pth" for number in range(processes)]
    for name in names:
        torch.save({"cpu": torch.get_rng_state()}, state / name)
    (state / "trainer_state.json").write_text(json.dumps({"global_step": step, "max_steps": 20}))
    return state


def saved(folder, step, processes=1, kept=None):
    place = folder / f"checkpoint-{step}"
    publish(written(folder, step, processes), place, processes, kept)
    return place


def saved_before(folder, step, processes=1):
    """A state of an earlier version, without a list of its files."""
    place = folder / f"checkpoint-{step}"
    written(folder, step, processes).rename(place)
    return place


def test_the_latest_is_found_by_its_number(tmp_path):
    for step in (9, 10):  # not by the alphabet
        saved(tmp_path, step)
    assert newest_state(tmp_path) == tmp_path / "checkpoint-10" and problem_of(tmp_path / "checkpoint-9") is None


def test_two_states_are_kept(tmp_path):
    for step in (8, 9, 10, 11):
        saved(tmp_path, step, kept=2)
    assert sorted(entry.name for entry in tmp_path.glob("checkpoint-*")) == ["checkpoint-10", "checkpoint-11"]


def test_what_a_kill_left_in_writing_is_no_state(tmp_path):
    place = saved(tmp_path, 3)
    written(tmp_path, 4)
    assert newest_state(tmp_path) == place and not (tmp_path / "unfinished").exists()


FILES = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")


def removed(file):
    file.unlink()


def emptied(file):
    file.write_bytes(b"")


def cut(file):
    file.write_bytes(file.read_bytes()[:-40])


@pytest.mark.parametrize("make", [saved, saved_before])
@pytest.mark.parametrize("harm", [removed, emptied, cut])
@pytest.mark.parametrize("name", FILES)
def test_a_torn_state_is_set_aside_and_the_one_before_it_is_taken(tmp_path, caplog, make, harm, name):
    before = make(tmp_path, 5)
    torn = make(tmp_path, 7)
    harm(torn / name)
    assert newest_state(tmp_path) == before
    assert not torn.exists() and (tmp_path / "checkpoint-7.torn").is_dir()
    (record,) = caplog.records
    said = record.getMessage()
    part = "the weights" if (name, harm) == ("model.safetensors", removed) and make is saved_before else name
    assert part in said and "now checkpoint-7.torn, and training goes on from checkpoint-5" in said
    caplog.clear()
    assert newest_state(tmp_path) == before and not caplog.records


def test_bytes_that_changed_are_found(tmp_path):
    for make, step in ((saved, 5), (saved_before, 7)):
        file = make(tmp_path, step) / "optimizer.pt"
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 255
        file.write_bytes(content)
        assert problem_of(file.parent) == "optimizer.pt is damaged"


def test_without_a_whole_state_training_begins_at_its_start(tmp_path, caplog):
    assert newest_state(tmp_path / "nowhere") is None
    removed(saved(tmp_path, 3) / "optimizer.pt")
    (tmp_path / "checkpoint-old").mkdir()
    (tmp_path / "checkpoint-3.torn").mkdir()  # of an earlier time
    assert newest_state(tmp_path) is None
    assert "optimizer.pt is missing" in caplog.text and "training begins at its start" in caplog.text
    assert (tmp_path / "checkpoint-3.torn-2").is_dir()


def test_a_damaged_list_of_files_is_a_torn_state(tmp_path):
    for content in ("", "[]", "{}", '{"files": 3}', "\0", '{"files": {"optimizer.pt": 3}}'):
        state = saved(tmp_path, 3)
        (state / DONE_FILE).write_text(content)
        assert problem_of(state) is not None


@pytest.mark.parametrize("make", [saved, saved_before])
@pytest.mark.parametrize("processes", [1, 2, 4])
def test_a_state_knows_how_many_processes_wrote_it(tmp_path, make, processes):
    assert processes_of(make(tmp_path, 3, processes)) == processes


def test_a_state_under_another_number_is_torn(tmp_path):
    saved(tmp_path, 5).rename(tmp_path / "checkpoint-8")
    assert problem_of(tmp_path / "checkpoint-8") == "trainer_state.json is of step 5"
