"""A launcher that would kill a step is told of once; Ctrl-C before the first step stops before it."""

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from models.policy.callbacks import FirstOfAll, StopOnInterrupt, WarnOfLauncher
from utils.run.interrupt import InterruptFlag, Stopped


@pytest.fixture
def around(tmp_path):
    """What a loop hands to its callbacks."""
    return TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to="none"), TrainerState(), TrainerControl()


def two_steps(around):
    warning = WarnOfLauncher()
    for _ in range(2):
        warning.on_step_begin(*around)
        warning.on_step_end(*around)


def test_a_step_longer_than_the_launchers_patience_is_told_once(around, monkeypatch, caplog):
    monkeypatch.setenv("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "-1")  # shorter than any step
    two_steps(around)
    assert caplog.text == ""  # no launcher
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("TORCH_ELASTIC_SHUTDOWN_TIMEOUT")
    two_steps(around)
    assert caplog.text == ""  # 30 s are enough
    monkeypatch.setenv("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "-1")
    two_steps(around)
    assert caplog.text.count("export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=") == 1


def test_the_first_validation_belongs_to_the_start_and_an_interrupt_in_it_stops_there(around):
    flag, seen = InterruptFlag(), []

    def validate():
        seen.append("validated")
        flag.raised = True

    first, stop = FirstOfAll(validate), StopOnInterrupt(flag)
    first.on_train_begin(*around)
    with pytest.raises(Stopped):
        stop.on_train_begin(*around)
    around[1].global_step = 3  # a run that goes on
    first.on_train_begin(*around)
    assert seen == ["validated"]
