"""One process at a time works in a folder."""

import errno
import resource
import signal
import subprocess
import sys

import pytest

from utils.errors import InputError
from utils.files.lock import locked, locked_output

_HOLD = """
import sys, time
from utils.files.lock import locked
with locked(sys.argv[1]):
    print("locked", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", _HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_told_who_is_there(tmp_path, holder):
    with pytest.raises(InputError, match=rf"run: process {holder.pid} on .* is working here"), locked(tmp_path / "run"):
        pass


def test_nothing_is_left_by_a_kill(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with locked(tmp_path / "run"):
        pass


def test_one_process_writes_a_file_and_others_write_other_files(tmp_path):
    code = _HOLD.replace("locked", "locked_output").replace('"locked_output"', '"locked"')
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "{a}.jsonl")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "locked\n"
        told = rf"{{a}}\.jsonl: process {holder.pid} on .* is writing it: wait for it, end it, or use another file"
        with pytest.raises(InputError, match=told.replace("{", r"\{")), locked_output(tmp_path / "{a}.jsonl"):
            pass
        with locked_output(tmp_path / "b.jsonl"), locked_output(tmp_path / ("c" * 250)):
            pass
    finally:
        holder.kill()
        holder.wait()
    with locked_output(tmp_path / "{a}.jsonl"):
        (tmp_path / "{a}.jsonl").write_text("")
    assert [path.name for path in tmp_path.iterdir()] == ["{a}.jsonl"]


def test_a_folder_that_nothing_was_written_to_is_not_left_behind(tmp_path):
    with locked(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
    assert list(tmp_path.iterdir()) == []
    with locked(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "kept").write_text("")
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["kept"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"), locked(tmp_path / "file" / "run"):
        pass


def test_the_lock_of_another_is_not_removed(tmp_path):
    """A folder that is moved away while it is worked in takes its lock along; under its name there is another one."""
    with locked(tmp_path / "run"):
        (tmp_path / "run").rename(tmp_path / "moved")
        with locked(tmp_path / "run"):
            pass
        other = tmp_path / "run" / ".lock"
        other.parent.mkdir(exist_ok=True)
        other.write_text("of another process")
    assert other.read_text() == "of another process"


def test_a_full_disk_leaves_no_lock(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(OSError, match="run") as error, locked(tmp_path / "new" / "run"):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert error.value.errno == errno.EFBIG and list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_a_folder_is_said(tmp_path):
    (tmp_path / "run").touch()
    with (
        pytest.raises(InputError, match=r"run: is a file, expected a folder: give another place"),
        locked(tmp_path / "run"),
    ):
        pass
