"""Several files at once: all in place, or none."""

import errno
import resource

import pytest

from utils.files.line_writers import LineWriters


def test_files_appear_when_all_are_finished(tmp_path):
    with LineWriters(lambda key: tmp_path / "sub" / f"{key}.txt") as writers:
        writers.write("b", "eins")
        writers.write("a", "zw\u00f6i")
        writers.write("b", "drei")
        assert list(tmp_path.rglob("*.txt")) == []
        paths = writers.finish()
    assert paths == {"b": tmp_path / "sub/b.txt", "a": tmp_path / "sub/a.txt"}
    assert paths["b"].read_text(encoding="utf-8") == "eins\ndrei\n" and paths["a"].read_text("utf-8") == "zw\u00f6i\n"
    assert {path.name for path in (tmp_path / "sub").iterdir()} == {"a.txt", "b.txt"}


def test_what_breaks_off_leaves_the_former_files(tmp_path):
    (tmp_path / "a.txt").write_text("former")
    with pytest.raises(RuntimeError), LineWriters(lambda key: tmp_path / f"{key}.txt") as writers:
        writers.write("a", "new")
        raise RuntimeError
    assert (tmp_path / "a.txt").read_text() == "former" and len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_names_the_file_and_leaves_nothing(tmp_path):
    (tmp_path / "a.txt").write_text("former")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for lines in (1, 20):  # of 1,000 bytes: the first stays in memory until the end
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
        try:
            with pytest.raises(OSError, match=r"a\.txt") as error, LineWriters(lambda key: tmp_path / key) as writers:
                for _ in range(lines):
                    writers.write("a.txt", "x" * 999)
                writers.finish()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert error.value.errno == errno.EFBIG and error.value.filename == str(tmp_path / "a.txt")
        assert [path.name for path in tmp_path.iterdir()] == ["a.txt"] and (tmp_path / "a.txt").read_text() == "former"


def test_what_ended_the_block_is_not_hidden_by_what_could_not_be_written(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        with pytest.raises(KeyError), LineWriters(lambda key: tmp_path / key) as writers:
            writers.write("a.txt", "x" * 999)
            writers.write("b.txt", "x" * 999)
            raise KeyError
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
