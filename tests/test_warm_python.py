"""A warm Python is to its caller, and to the command, what a fresh one is (utils/warm_python)."""

import os
import signal
import subprocess
import sys

import pytest

from tests.places import ROOT
from tests.warm_python import WarmPython, warm_python

SHOWS = """
import json, os, signal, sys, __main__
shown = {
    "words": sys.argv, "first": sys.path[0], "name": __name__, "file": __file__, "main": __main__.__file__,
    "folder": os.getcwd(),
    "environment": {k: v for k, v in sorted(os.environ.items()) if k not in ("_", "PWD", "SHLVL")},
    "signals": [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
    "read": sys.stdin.read(), "encodings": [sys.stdout.encoding, sys.stderr.errors],
    "of_the_project": [name for name in sys.modules if name.split(".")[0] in ("utils", "models", "options", "prepare")],
}
print(json.dumps(shown, indent=1))
print("an error", file=sys.stderr)
with open("torch", "a") as file:
    file.write(f"{'torch' in sys.modules} ")
sys.exit(7)
"""
WAITS = """
import subprocess, sys, time
subprocess.Popen(["sleep", "1000"])
print("ready")
time.sleep(1000)
"""


@pytest.fixture
def both():
    """(Python, whether it is warm) -> the two, as commands are started with them."""
    return [sys.executable, warm_python()]


def script(folder, text):
    (folder / "script.py").write_text(text, encoding="utf-8")
    return str(folder / "script.py")


@pytest.mark.parametrize("ignored", [False, True], ids=["in front", "in the background of a shell"])
def test_a_command_sees_what_it_would_see_of_a_fresh_python(tmp_path, both, ignored):
    shows = script(tmp_path, SHOWS)
    environment = {**os.environ, "MORL_MINE": "\udce9 é", "PYTHONPATH": str(ROOT)}
    prepare = signal.SIG_IGN if ignored else signal.SIG_DFL
    fresh, warm = (
        subprocess.run(
            [python, shows, "with a blank", "", "é\n"], cwd=tmp_path, env=environment, input="given", text=True,
            capture_output=True, preexec_fn=lambda: signal.signal(signal.SIGINT, prepare), timeout=100,
        )
        for python in both
    )  # fmt: skip
    assert (warm.returncode, warm.stdout, warm.stderr) == (fresh.returncode, fresh.stdout, fresh.stderr)
    assert (tmp_path / "torch").read_text() == "False True "  # which is the difference
    assert fresh.returncode == 7 and '"read": "given"' in fresh.stdout and '"of_the_project": []' in fresh.stdout


@pytest.mark.parametrize(
    "ending",
    [
        "raise SystemExit('told')", "raise KeyError('a')", "raise KeyboardInterrupt", "import os; os.abort()",
        "import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "import os; os._exit(300)", "raise SystemExit(-1)",
        "import atexit; atexit.register(print, 'at the end'); print('x', end='')",
        "import threading, time; threading.Timer(0.2, print, ['a thread']).start()",
    ],
)  # fmt: skip
def test_a_command_ends_as_in_a_fresh_python(tmp_path, both, ending):
    ends = script(tmp_path, ending)
    fresh, warm = (subprocess.run([python, ends], capture_output=True, text=True, timeout=100) for python in both)
    assert (warm.returncode, warm.stdout) == (fresh.returncode, fresh.stdout)
    assert warm.stderr.splitlines()[-1:] == fresh.stderr.splitlines()[-1:]


def test_modules_are_run_as_python_runs_them(both):
    words = ["-m", "prepare.report", "--help"]
    fresh, warm = (subprocess.run([python, *words], cwd=ROOT, capture_output=True, text=True) for python in both)
    assert (warm.returncode, warm.stdout) == (fresh.returncode, fresh.stdout) and "usage: " in warm.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_signals_reach_the_command(tmp_path, both, number):
    waits, ended = script(tmp_path, WAITS), []
    for python in both:
        process = subprocess.Popen(
            [python, "-u", waits], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        ended.append(process.wait(timeout=60))
    assert ended == [-number, -number]


def test_a_signal_that_was_ignored_reaches_a_command_that_takes_it_up(tmp_path, both):
    """Ctrl-C is ignored in the background of a shell, and our commands save and stop all the same."""
    takes = "import signal, sys, time; signal.signal(signal.SIGINT, lambda *_: sys.exit(5)); print('ready')"
    script(tmp_path, f"{takes}; time.sleep(1000)")
    for python in both:
        process = subprocess.Popen(
            [python, "-u", "script.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        )  # fmt: skip
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 5


def test_what_runs_too_long_is_ended_with_all_that_it_has_started(tmp_path):
    process = subprocess.Popen([warm_python(), "-u", script(tmp_path, WAITS)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.communicate(timeout=60)  # its pipe is closed, which the sleeper had too


@pytest.mark.parametrize("way", ["its input is closed", "it is told to end"])
def test_a_command_outlives_the_shell_that_has_started_the_warm_python(tmp_path, way):
    """Ctrl-C in the quickstart ends its shell, while its commands still save."""
    warm = WarmPython()
    script(tmp_path, "import sys, time; print('ready'); time.sleep(2); open('saved', 'w'); sys.exit(3)")
    command = subprocess.Popen([warm.python, "-u", "script.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert command.stdout.readline() == "ready\n"
    if way == "it is told to end":
        warm.process.terminate()
    warm.close()
    assert command.wait(timeout=60) == 3 and (tmp_path / "saved").is_file() and not warm.folder.exists()


@pytest.mark.parametrize(
    ("given", "own"), [({"PYTHONHASHSEED": "1"}, False), ({"HF_HOME": "x"}, False), ({"MORL_MINE": "x"}, True)]
)
def test_another_environment_gets_a_fresh_python(tmp_path, given, own):
    """Libraries have read theirs already."""
    python, asks = warm_python(), script(tmp_path, "import sys; print('torch' in sys.modules)")
    done = subprocess.run([python, asks], env={**os.environ, **given}, capture_output=True, text=True)
    assert done.stdout == f"{own}\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_closed_stream_gets_a_fresh_python(tmp_path, both, closed):
    asks = script(
        tmp_path, "import sys; open('said', 'a').write(f'{sys.stdin is None}{sys.stdout is None}{sys.stderr is None} ')"
    )
    for python in both:
        assert subprocess.run(["sh", "-c", f"exec {python} {asks} {closed}"], cwd=tmp_path, timeout=60).returncode == 0
    first, second = (tmp_path / "said").read_text().split()
    assert first == second


def test_a_program_in_words_gets_a_fresh_python():
    done = subprocess.run([warm_python(), "-c", "import sys; print('torch' in sys.modules)"], capture_output=True)
    assert done.stdout == b"False\n"


def test_commands_that_a_command_starts_are_warm_too(tmp_path):
    asks = script(
        tmp_path,
        "import subprocess, sys\n"
        "if len(sys.argv) == 1: subprocess.run([sys.executable, sys.argv[0], 'again'])\n"
        "else: print('torch' in sys.modules)\n",
    )
    done = subprocess.run([warm_python(), asks], capture_output=True, text=True)
    assert done.stdout == "True\n"
