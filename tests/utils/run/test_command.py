"""Every entry point ends with a status and, at most, one line."""

import pytest

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
