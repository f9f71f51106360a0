"""The first Ctrl-C raises a flag; a second one interrupts, unless a launcher has only handed the first one on."""

import os
import signal

import pytest

from utils.run import interrupt
from utils.run.interrupt import InterruptFlag


def press():
    os.kill(os.getpid(), signal.SIGINT)


def test_a_second_ctrl_c_interrupts_at_once():
    with InterruptFlag() as flag:
        press()
        assert flag.raised
        with pytest.raises(KeyboardInterrupt):
            press()


def test_what_a_launcher_hands_on_soon_after_is_the_same_ctrl_c(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    now = [100.0]
    monkeypatch.setattr(interrupt.time, "monotonic", lambda: now[0])
    with InterruptFlag() as flag:
        press()
        now[0] += 9
        os.kill(os.getpid(), signal.SIGTERM)
        assert flag.raised
        now[0] += 2  # somebody is impatient
        with pytest.raises(KeyboardInterrupt):
            press()


def test_what_another_process_heard_is_not_taken_for_a_first_ctrl_c():
    """All have agreed to stop, and the signal comes while they save."""
    with InterruptFlag() as flag:
        flag.raised = True
        press()
        assert flag.raised
