"""One set of rules for every text file."""

import gzip

import pytest

from utils.errors import InputError
from utils.files import text_files
from utils.files.text_files import numbered_lines, read_text, split_lines, text_of, unpacked_lines

LINES = ["a person walks", "er geht zurück\u2028und dann\u0085weiter\x0b\x0c\x1c", "third"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("blank", ["", "\n\n  \n"], ids=["tight", "blank-lines-at-the-end"])
def test_lines_are_the_same_whatever_system_wrote_them(tmp_path, end, encoding, blank):
    path = tmp_path / "a.txt"
    path.write_bytes((end.join(LINES) + blank.replace("\n", end)).encode(encoding))
    assert [line for _, line in numbered_lines(path)] == LINES
    assert read_text(path).split("\n")[:3] == LINES


def test_blank_lines_count_but_are_not_given(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\n\na\r\n\r\nb")
    assert list(numbered_lines(path)) == [(3, "a"), (5, "b")]


def test_an_empty_file_has_no_line(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"")
    assert list(numbered_lines(path)) == [] and read_text(path) == ""


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"good\ncaf\xe9\n", r"a\.txt:2: not UTF-8 text \(byte 0xe9\).*iconv"),
        (b"good\r\rno\0thing", r"a\.txt:3: a NUL byte"),
    ],
    ids=["latin-1", "NUL"],
)
def test_what_is_no_text_is_named_with_its_line(tmp_path, content, wanted):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=wanted):
        list(numbered_lines(path))


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_text(tmp_path / "nothing.txt")
    with pytest.raises(InputError, match="cannot be read"):
        read_text(tmp_path)


def test_lines_of_a_text():
    assert split_lines("a\r\nb\rc\u2028d\n") == ["a", "b", "c\u2028d"]
    assert split_lines("") == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("text", ["a\nb\n", "a\nb", "\n", ""])
def test_what_was_read_already_is_the_same_text(encoding, text):
    assert text_of(text.replace("\n", "\r\n").encode(encoding), "a.txt") == text
    with pytest.raises(InputError, match=r"^a\.txt:3: not UTF-8 text"):
        text_of(b"a\n\n\xff", "a.txt")


def test_a_packed_file_is_told_by_what_it_holds(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(gzip.compress(b"a\r\nb\rc"))
    assert list(unpacked_lines(path)) == [b"a", b"b", b"c"]
    path.write_bytes(gzip.compress(b"a" * 10_000)[:-9])
    with pytest.raises(InputError, match=r"a\.txt: damaged gzip file"):
        list(unpacked_lines(path))
    path.write_bytes(b"a\nb")
    assert list(unpacked_lines(path)) == [b"a", b"b"]
    with pytest.raises(InputError, match=r"b\.txt: no such file"):
        list(unpacked_lines(tmp_path / "b.txt"))


def test_a_line_that_would_fill_the_memory_is_no_line(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "_LONGEST_LINE", 1 << 20)
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b"first\n" + bytes(3 << 20)))
    lines = unpacked_lines(path)
    assert next(lines) == b"first"
    with pytest.raises(InputError, match=r"a\.jsonl\.gz: a line of 1 MB or more"):
        next(lines)
    path.write_bytes(b"x" * ((1 << 20) - 1) + b"\ny")
    with pytest.raises(InputError):
        list(unpacked_lines(path))
    path.write_bytes(b"x" * ((1 << 20) - 2) + b"\ny")
    assert [len(line) for line in unpacked_lines(path)] == [(1 << 20) - 2, 1]


@pytest.mark.parametrize(("end", "line"), [(b"\x00\xd8", 2), (b"a", 2), (b"\x00\xdc\n\x00b\x00", 2)])
def test_utf16_that_is_none_is_not_read_with_other_characters(tmp_path, end, line):
    """Half a character without its other half; a file that is cut within a character."""
    path = tmp_path / "a.txt"
    path.write_bytes("a person walks\n".encode("utf-16") + end)
    told = rf"a\.txt:{line}: not UTF-16 text, as which the file begins"
    with pytest.raises(InputError, match=told):
        read_text(path)
    with pytest.raises(InputError, match=told):
        text_of(path.read_bytes(), str(path))
