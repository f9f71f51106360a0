"""Progress: a bar on a terminal, in a log file a line a minute, and of short work nothing."""

import os
import pty
import subprocess
import sys
import termios

import pytest

from tests.places import ROOT
from utils import progress
from utils.progress import Progress

WORK = """
from utils.progress import Progress
with Progress(total=3, desc="counting", unit="clip") as bar:
    for number in range(3):
        bar.set_postfix(loss=number)
        bar.update(1)
for _ in Progress(range(4), desc="reading", unit="clip"):
    pass
"""


@pytest.fixture
def now(monkeypatch):
    """A clock that stands still until it is set; lines and bars go by it."""
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    return clock


def test_short_work_says_nothing_in_a_log():
    done = subprocess.run([sys.executable, "-c", WORK], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == "" and done.stdout == ""


def test_a_terminal_sees_a_bar():
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    subprocess.run([sys.executable, "-c", WORK], cwd=ROOT, stderr=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    assert "\r" in shown and "counting: 100%" in shown and "3/3" in shown and "loss=2" in shown


def test_a_log_counts_replies_and_clips(capsys, now):
    for unit, many in (("reply", "of 9 replies)"), ("clip", "of 9 clips)")):
        bar = Progress(total=9, desc="ask", unit=unit)
        now[0] += progress.LOG_EVERY
        bar.set_postfix(loss=1)
        assert many in capsys.readouterr().err


def test_a_log_has_a_whole_line_a_minute_and_one_at_the_end(capsys, now):
    bar = Progress(total=200, desc="encode", unit="motion")
    assert capsys.readouterr().err == ""
    bar.set_postfix(loss=9)
    assert capsys.readouterr().err == ""
    now[0] += progress.LOG_EVERY
    bar.n = 50
    bar.set_postfix(loss=2)
    first = capsys.readouterr().err
    assert first.startswith("encode: 25% (50 of 200 motions)") and "loss=2" in first and first.count("\n") == 1
    now[0] += progress.LOG_EVERY - 1
    bar.set_postfix(loss=3)
    assert capsys.readouterr().err == ""
    now[0] += 1
    bar.n = 100
    bar.set_postfix(loss=4)
    assert "50% (100 of 200 motions)" in capsys.readouterr().err
    bar.n = 200
    bar.close()
    last = capsys.readouterr().err
    assert "100% (200 of 200 motions)" in last and "\r" not in last and last.endswith("\n")
    bar.close()
    assert capsys.readouterr().err == ""
