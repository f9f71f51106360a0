"""A file is written whole or not at all."""

import os
import signal
import stat
import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.full_disk import no_file_beyond
from tests.places import ROOT
from utils.files.arrays import read_npy, write_npy
from utils.files.atomic import remove_unfinished, synced_together, write_atomic, write_text
from utils.files.torch_files import read_torch_file, write_torch_file


def test_a_failure_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "folder" / "a.txt"
    write_text(path, "ä")
    assert path.read_bytes() == "ä".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644

    def write(stream):
        stream.write(b"half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_atomic(path, write)
    assert path.read_text() == "ä" and list(path.parent.iterdir()) == [path]


_KILLED_IN = """
import os, signal
from utils.files.atomic import write_atomic, synced_together
def write(stream):
    {}
    os.kill(os.getpid(), signal.SIGKILL)
write_atomic("a.txt", write)
"""


def test_what_a_kill_left_is_removed_and_nothing_of_anybody_else(tmp_path):
    # Two names: of a file, and of the same one where another process is writing it.
    second = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    one = _KILLED_IN.format("pass")
    program = [sys.executable, "-c", _KILLED_IN.format(second), one]
    assert subprocess.run(program, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}).returncode < 0
    left = {path.name for path in tmp_path.iterdir()}
    assert len(left) == 2 and ".a.txt.new.tmp" in left and all(name.endswith(".tmp") for name in left)
    # Of somebody: other names, and what no writer of files makes.
    theirs = [".draft.tmp", ".a.txt.x.tmp", ".new.tmp", ".notes.new-1.tmp", ".notes.new-2026-11-30.tmp", "b.new.tmp"]
    for name in theirs:
        (tmp_path / name).touch()
    write_text(tmp_path / ".mine.tmp" / "a.bin", "x")
    write_text(tmp_path / ".mine.new.tmp" / "a.bin", "x")
    (tmp_path / ".link.new.tmp").symlink_to(tmp_path / "b.new.tmp")
    remove_unfinished(tmp_path)
    kept = {*theirs, ".mine.tmp", ".mine.new.tmp", ".link.new.tmp"}
    assert {path.name for path in tmp_path.iterdir()} == kept and (tmp_path / ".mine.new.tmp/a.bin").is_file()


def test_what_a_kill_left_of_a_file_is_used_by_the_next_one_that_writes_it(tmp_path):
    path = tmp_path / "a.txt"
    killed = f"""
import os, signal
from utils.files.atomic import write_atomic, synced_together
def write(stream):
    stream.write(b"half" * 100_000)
    os.kill(os.getpid(), signal.SIGKILL)
write_atomic({str(path)!r}, write)
"""
    for _ in range(3):
        assert subprocess.run([sys.executable, "-c", killed]).returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1 and not path.exists()
    write_text(path, "whole")
    assert path.read_text() == "whole" and list(tmp_path.iterdir()) == [path]


def test_two_who_write_one_file_do_not_mix(tmp_path):
    path = tmp_path / "a.txt"

    def write(stream):
        stream.write(b"outer " * 5000)
        write_text(path, "inner")
        assert path.read_text() == "inner"
        stream.write(b"outer " * 5000)

    write_atomic(path, write)
    assert path.read_text() == "outer " * 10_000 and list(tmp_path.iterdir()) == [path]


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(tmp_path):
    (tmp_path / "victim").write_text("victim")
    (tmp_path / ".a.txt.new.tmp").symlink_to(tmp_path / "victim")
    write_text(tmp_path / "a.txt", "a")
    assert (tmp_path / "victim").read_text() == "victim" and (tmp_path / "a.txt").read_text() == "a"


ROOM, LARGE = 50_000, 200_000  # bytes


@pytest.mark.parametrize(
    ("write", "read"),
    [
        (lambda path, n: write_text(path, "a" * n), lambda path: len(path.read_text())),
        (lambda path, n: write_npy(path, np.zeros(n, np.uint8)), lambda path: len(read_npy(path))),
        (
            lambda path, n: write_torch_file(path, {"a": torch.zeros(n, dtype=torch.uint8)}),
            lambda path: len(read_torch_file(path)["a"]),
        ),
    ],
    ids=["text", "npy", "torch"],
)
def test_a_full_disk_leaves_the_last_good_file_and_names_the_one_that_was_to_be_written(tmp_path, write, read):
    path = tmp_path / "a.file"
    write(path, 100)
    with no_file_beyond(ROOM), pytest.raises(OSError, match=r"a\.file'$"):
        write(path, LARGE)
    assert read(path) == 100 and list(tmp_path.iterdir()) == [path]


def test_what_the_system_refuses_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    program = f"""
from utils.files.atomic import write_text, synced_together
from utils.run.command import run_command
run_command(lambda: write_text({str(tmp_path / "file" / "a.txt")!r}, ""))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path}/file/a.txt: ") and done.stderr.count("\n") == 1


@pytest.mark.skipif(not hasattr(os, "sync"), reason="this system brings no files to the disk together")
def test_files_that_are_made_together_reach_the_disk_together(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(os, "fsync", lambda handle: calls.append("one"))
    monkeypatch.setattr(os, "sync", lambda: calls.append("all"))
    with synced_together():
        for name in "ab":
            write_text(tmp_path / name, name)
        assert calls == [] and (tmp_path / "b").read_text() == "b"
    assert calls == ["all"]
    write_text(tmp_path / "c", "c")
    assert calls == ["all", "one"]
    with pytest.raises(KeyboardInterrupt), synced_together():
        raise KeyboardInterrupt
    write_text(tmp_path / "d", "d")
    assert calls == ["all", "one", "one"]
