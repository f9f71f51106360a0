"""A folder is written whole or not at all."""

import stat

import pytest

from tests.full_disk import no_file_beyond
from utils.errors import InputError
from utils.files import folders
from utils.files.atomic import write_text
from utils.files.folders import write_folder
from utils.files.lock import locked

ROOM, LARGE = 50_000, 200_000  # bytes


def two_files(size):
    def write(folder):
        (folder / "b.bin").write_bytes(b"b" * size)
        write_text(folder / "in" / "a.txt", f"{size}")

    return write


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_is_written_whole_or_not_at_all(tmp_path, there):
    folder = tmp_path / "model"
    if there:
        write_folder(folder, two_files(3))
        write_text(folder / "own.txt", "of somebody else")
    before = contents(tmp_path)
    with no_file_beyond(ROOM), pytest.raises(OSError, match="model"):
        write_folder(folder, two_files(LARGE))
    assert contents(tmp_path) == before and [path.name for path in tmp_path.iterdir()] == ["model"] * there
    write_folder(folder, two_files(5))
    now = contents(folder)
    assert (now["b.bin"], now["in/a.txt"]) == (b"bbbbb", b"5") and ("own.txt" in now) == there
    assert stat.S_IMODE((folder / "b.bin").stat().st_mode) == 0o644


def test_a_new_folder_appears_at_once(tmp_path, monkeypatch):
    """A kill at the moment of the renaming: nothing is there that could be taken for a part of it."""

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("os.rename", killed)
        write_folder(tmp_path / "model", two_files(3))
    assert list(tmp_path.iterdir()) == []
    write_folder(tmp_path / "model", two_files(3))
    assert contents(tmp_path) == {"model/b.bin": b"bbb", "model/in/a.txt": b"3"}
    assert stat.S_IMODE((tmp_path / "model/b.bin").stat().st_mode) == 0o644


def test_what_may_not_be_replaced_is_not(tmp_path):
    write_text(tmp_path / "b.bin", "other")
    with pytest.raises(InputError, match=r"b\.bin: is another file than the one to be written"):
        write_folder(tmp_path, two_files(3), may_replace=False)
    assert contents(tmp_path) == {"b.bin": b"other"}
    write_text(tmp_path / "b.bin", "bbb")
    write_folder(tmp_path, two_files(3), may_replace=False)
    assert contents(tmp_path) == {"b.bin": b"bbb", "in/a.txt": b"3"}


def test_the_file_that_says_that_all_are_there_goes_in_last(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    write_folder(folder, two_files(3), last="b.bin")
    order = []
    real = folders.put_in_place

    def noted(stream, temporary, path):
        order.append(path.relative_to(folder).as_posix())
        if len(order) == 2 and order[1] == "b.bin":
            raise KeyboardInterrupt  # a kill in between
        real(stream, temporary, path)

    monkeypatch.setattr(folders, "put_in_place", noted)
    with pytest.raises(KeyboardInterrupt):
        write_folder(folder, two_files(5), last="b.bin")  # it is written first
    assert order == ["in/a.txt", "b.bin"] and contents(folder) == {"b.bin": b"bbb", "in/a.txt": b"5"}
    write_folder(folder, two_files(5))  # as they were written
    assert order[2:] == ["b.bin", "in/a.txt"]


def test_what_a_kill_left_is_cleared_and_a_second_process_is_told(tmp_path):
    left = tmp_path / "model" / ".model.new.tmp"
    write_text(left / "half.bin", "x")
    write_text(left / "in" / "half.bin", "x")
    write_folder(tmp_path / "model", two_files(3))
    assert contents(tmp_path / "model") == {"b.bin": b"bbb", "in/a.txt": b"3"}
    with locked(left), pytest.raises(InputError, match="model"):
        write_folder(tmp_path / "model", two_files(9))
    assert contents(tmp_path / "model")["b.bin"] == b"bbb"
