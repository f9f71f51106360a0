"""Several files at once: all in place, or none."""

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
