"""A file is written whole or not at all."""

import stat

import pytest

from utils.files.atomic import remove_unfinished, write_atomic, write_text


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


def test_what_a_kill_left_is_removed(tmp_path):
    for name in (".a.txt.x.tmp", "a.txt", ".hidden"):
        (tmp_path / name).touch()
    remove_unfinished(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", ".hidden"}
