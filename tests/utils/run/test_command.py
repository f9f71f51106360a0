"""Every entry point ends with a status and, at most, one line."""

import signal
import subprocess
import sys

import pytest

from tests.places import ROOT
from utils.errors import InputError
from utils.run.command import run_command
from utils.run.interrupt import Stopped

INTERRUPTED = "interrupted: the last saved state is kept; run the same command again to continue\n"


def ending(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("a.pth: no such file"), 2, "error: a.pth: no such file\n"),
        (
            KeyboardInterrupt(),
            130,
            "interrupted: the last saved state is kept; run the same command again to continue\n",
        ),
        (Stopped(), 130, INTERRUPTED),
    ],
)
def test_what_is_no_bug_ends_in_one_line(error, status, line, capsys):
    with pytest.raises(SystemExit) as end:
        run_command(ending(error))
    assert end.value.code == status and capsys.readouterr().err == line


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_command(ending(ZeroDivisionError()))


def test_of_several_processes_one_says_that_all_were_interrupted(monkeypatch, capsys):
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(SystemExit) as end:
        run_command(ending(Stopped()))
    assert end.value.code == 130 and capsys.readouterr().err == ""


WAITING = """
import os, time
from utils.run.command import run_command

def main():
    ready, done = os.pipe()
    worker = os.fork()
    if worker == 0:
        os.write(done, b".")
        time.sleep(60)
        os._exit(0)
    os.read(ready, 1)
    os.kill(worker, 15)  # as a pool ends its workers
    print(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]), flush=True)
    time.sleep(60)

run_command(main)
"""


def test_a_scheduler_that_ends_a_command_is_answered_like_ctrl_c_and_a_worker_ends_as_it_should():
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == f"{-signal.SIGTERM}\n"
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, INTERRUPTED)


def test_what_sigterm_means_is_as_before_when_a_command_has_ended():
    before = signal.getsignal(signal.SIGTERM)
    run_command(lambda: None)
    assert signal.getsignal(signal.SIGTERM) is before
