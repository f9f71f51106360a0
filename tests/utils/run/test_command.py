"""Every entry point ends with a status and, at most, one line."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.full_disk import limit_files
from tests.places import ROOT
from utils.errors import InputError, refused_by_system
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


def test_of_several_processes_the_first_tells_a_mistake_before_the_others(monkeypatch, capsys):
    waited = []
    monkeypatch.setattr("utils.run.command.time.sleep", waited.append)
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        with pytest.raises(SystemExit):
            run_command(ending(InputError("a.pth: no such file")))
        assert capsys.readouterr().err == "error: a.pth: no such file\n" and len(waited) == int(rank)


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


def named(number, place="runs/a.pth"):
    return OSError(number, os.strerror(number), place)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (named(errno.ENOSPC), "runs/a.pth: No space left on device; make room and run the same command again"),
        (named(errno.EROFS), "runs/a.pth: Read-only file system; give a place that can be written to"),
        (PermissionError(errno.EACCES, "Permission denied", "runs"), "runs: Permission denied; give a place that you"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "a/b"), "a/b: Not a directory; a file stands where"),
        (FileExistsError(errno.EEXIST, "File exists", "a"), "a: File exists; a file stands where a folder is needed"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", Path("a")), "a: Is a directory; a folder stands where"),
        (OSError(errno.ENAMETOOLONG, "File name too long", b"a"), "a: File name too long; give a shorter name"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files; raise the limit of open files"),
        (OSError(errno.ELOOP, "Too many levels of symbolic links", "a"), "a: Too many levels of symbolic links; links"),
        (MemoryError(), "Cannot allocate memory; more memory is needed, or less at a time"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "Cannot allocate memory; more memory is needed"),
        (RuntimeError("can't start new thread"), "Resource temporarily unavailable; end other processes, or raise the"),
        (OSError("cannot save: No space left on device"), "No space left on device; make room"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "No space left on device; make room"),
    ],
)
def test_what_the_system_refuses_is_one_line_with_the_place_and_the_way_out(error, line, capsys):
    with pytest.raises(SystemExit) as end:
        run_command(ending(error))
    told = capsys.readouterr().err
    assert end.value.code == 2 and told.startswith(f"error: {line}") and told.count("\n") == 1


@pytest.mark.parametrize("way", ["cause", "context"])
def test_what_a_library_makes_of_a_refusal_is_still_the_refusal(way, capsys):
    """torch says ``unexpected pos`` of a full disk."""

    def main():
        try:
            raise named(errno.ENOSPC)
        except OSError as error:
            if way == "cause":
                raise RuntimeError("unexpected pos 64 vs 0") from error
            raise RuntimeError("unexpected pos 64 vs 0")  # noqa: B904

    with pytest.raises(SystemExit):
        run_command(main)
    assert capsys.readouterr().err.startswith("error: runs/a.pth: No space left on device")


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory", "a"),  # a bug of ours: users' files are looked for
        RuntimeError("unexpected pos 64 vs 0"),
        KeyError("space left on"),
        OSError("no number"),
    ],
)
def test_what_is_no_refusal_keeps_its_traceback(error):
    assert refused_by_system(error) is None
    with pytest.raises(type(error)):
        run_command(ending(error))


def raised(first, second, how):
    """`second`, raised because of `first`, while handling it, or in spite of it."""
    try:
        try:
            raise first
        except type(first):
            if how == "context":
                raise second  # noqa: B904
            raise second from (first if how == "cause" else None)
    except type(second) as error:
        return error


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM, errno.EACCES, errno.EROFS])
def test_only_what_libraries_lose_is_looked_for_among_what_was_handled(number):
    told = {how: refused_by_system(raised(named(number), KeyError("a"), how)) for how in ("cause", "context", "none")}
    lost = number not in (errno.EACCES, errno.EROFS)
    assert told["cause"] is not None and (told["context"] is not None) == lost and told["none"] is None
    deep = raised(raised(named(number), KeyError("a"), "cause"), ValueError("b"), "context")
    assert (refused_by_system(deep) is not None) == lost


def test_an_exception_that_is_its_own_cause_comes_to_an_end():
    first, second = KeyError("a"), ValueError("b")
    first.__cause__, second.__context__ = second, first
    assert refused_by_system(first) is None
    first.__cause__ = first
    assert refused_by_system(first) is None


def run_code(body, *, env=None, prepare=None, stdout=subprocess.PIPE):
    """A command of these lines, as a process -> (status, stdout, stderr)."""
    code = f"import sys\nfrom utils.run.command import run_command\ndef main():\n    {body}\nrun_command(main)\n"
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, stdout=stdout, stderr=subprocess.PIPE, timeout=120,
        env={**os.environ, **(env or {})}, preexec_fn=prepare, check=False,
    )  # fmt: skip
    return process.returncode, process.stdout, process.stderr.decode()


def test_a_file_that_may_not_grow_so_large_leaves_the_last_good_one(tmp_path):
    path = tmp_path / "state.json"
    path.write_text("whole")
    write = f"from utils.files.atomic import write_text; write_text({str(path)!r}, 'x' * 9000)"
    status, _, errors = run_code(write, prepare=lambda: limit_files(4096))
    assert status == 2 and errors == (
        f"error: {path}: File too large; a file would grow beyond what is allowed (ulimit -f, or the file system)\n"
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"] and path.read_text() == "whole"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("length", [100, 100_000])
def test_a_full_disk_behind_the_output_is_one_line(length):
    with open("/dev/full", "w") as full:
        status, _, errors = run_code(f"print('x' * {length})", stdout=full)
    assert status == 2 and errors.count("\n") == 1 and "No space left on device; make room" in errors


def test_a_reader_that_has_gone_ends_the_command_quietly():
    code = "from utils.run.command import run_command\nrun_command(lambda: [print('line') for _ in range(100000)])"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"line\n"
    process.stdout.close()  # as `| head -1` does
    assert (process.stderr.read(), process.wait(timeout=60)) == (b"", 1)


def test_a_pipe_that_breaks_elsewhere_is_no_wish_to_stop():
    body = "import os; from pathlib import Path; read, write = os.pipe(); os.close(read); os.write(write, b'x')"
    status, _, errors = run_code(body)
    assert status == 1 and "BrokenPipeError" in errors and "Traceback" in errors


def test_where_the_system_refused_is_logged_for_whoever_looks_closer():
    body = (
        "import logging, errno; logging.basicConfig(level=logging.DEBUG); "
        "raise OSError(errno.EROFS, 'Read-only file system', 'a.pth')"
    )
    status, _, errors = run_code(body)
    assert (
        status == 2
        and "in main" in errors
        and errors.endswith("error: a.pth: Read-only file system; give a place that can be written to\n")
    )


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_a_console_of_any_encoding_shows_every_message(encoding):
    body = r"print('\u4eba \u2028 \udc80'); from utils.errors import InputError; raise InputError('\u4eba.pth: none')"
    status, shown, errors = run_code(body, env={"PYTHONIOENCODING": encoding})
    assert status == 2 and "Traceback" not in errors
    assert errors == ("error: \u4eba.pth: none\n" if encoding == "utf-8" else "error: \\u4eba.pth: none\n")
    assert shown.endswith(b"\n") and b"udc80" in shown


def test_the_commit_of_a_repository_around_ours_is_not_taken_for_ours(tmp_path):
    """As where the sources lie, without their history, in somebody's repository."""
    inner = tmp_path / "project"
    shutil.copytree(ROOT / "utils", inner / "utils")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "theirs"], cwd=tmp_path, check=True)
    record = "from utils.run.folder import RunFolder; RunFolder('run').record_environment(0)"

    def commit():
        subprocess.run([sys.executable, "-c", record], cwd=inner, check=True)
        return json.loads((inner / "run" / "environment.json").read_text())["commit"]

    assert commit() is None
    subprocess.run([*git, "init", "-q"], cwd=inner, check=True)
    assert commit() is None  # no commit yet
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "ours"], cwd=inner, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=inner, capture_output=True, text=True, check=True)
    assert commit() == head.stdout.strip()


@pytest.mark.parametrize("refused", [True, False])
def test_what_the_system_refuses_a_thread_is_said_once_by_the_main_one(refused):
    """As TensorBoard's writer does: it keeps the error of its thread and raises it in the main one."""
    program = f"""
import errno, threading
from utils.run.command import run_command
kept = []
def write():
    try:
        raise OSError(errno.ENOSPC, "No space left on device", "events") if {refused} else KeyError("events")
    except Exception as error:
        kept.append(error)
        raise
def main():
    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    raise kept[0]
run_command(main)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.stderr.count("\n") == 1 and done.returncode == 2) == refused
    assert ("Exception in thread" in done.stderr) == (not refused)
