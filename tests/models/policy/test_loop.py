"""Training goes on from the last state that is whole."""

import pytest

from models.policy.loop import last_state


def saved(folder, step, whole=True):
    state = folder / f"checkpoint-{step}"
    state.mkdir(parents=True)
    (state / "model.safetensors").touch()
    if whole:
        (state / "trainer_state.json").write_text("{}")
    return str(state)


def test_a_state_that_a_kill_left_in_parts_is_passed_over(tmp_path):
    saved(tmp_path, 9)
    latest = saved(tmp_path, 10)  # not by the alphabet
    saved(tmp_path, 12, whole=False)
    assert last_state(tmp_path) == latest


@pytest.mark.parametrize("begun", [False, True])
def test_without_a_whole_state_training_begins_at_the_start(tmp_path, begun):
    if begun:
        saved(tmp_path, 3, whole=False)
        (tmp_path / "checkpoint-old").mkdir()
    assert last_state(tmp_path / "state" if not begun else tmp_path) is None
