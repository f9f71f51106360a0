"""Whatever is wrong with a JSON file is one error that names the file and the line."""

import json

import pytest

from utils.errors import InputError
from utils.files.json_files import (
    numbered_rows,
    parse_json,
    parse_object,
    read_json,
    read_jsonl,
    write_json,
    write_jsonl,
)


def test_what_is_written_is_read(tmp_path):
    write_json(tmp_path / "a.json", {"text": "träumt", "numbers": [1, 2.5, None]})
    assert read_json(tmp_path / "a.json") == {"text": "träumt", "numbers": [1, 2.5, None]}
    rows = [{"text": "a \u2028 b"}, {"text": "\x85"}]
    write_jsonl(tmp_path / "a.jsonl", rows)
    assert read_jsonl(tmp_path / "a.jsonl") == rows


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        (b"", r"not JSON \(Expecting value at column 1\)"),
        (b'{"a": 1', r"not JSON \(.* at column 8\)"),
        (b'{\n"a": 1,\n"b" 2}', r"not JSON \(.* at line 3, column 5\)"),
        (b"[1, 2]", "expected a JSON object, found a list"),
        (b"null", "expected a JSON object, found null"),
        (b"[" * 100_000, r"not JSON \(too many brackets in brackets at column 1\)"),
    ],
)
def test_a_damaged_file_is_named_with_the_way_out(tmp_path, content, said):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.json: {said}$") as caught:
        read_json(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=rf"a\.json: {said}; delete it$"):
        read_json(path, "delete it")


def test_a_folder_is_no_file(tmp_path):
    for read in (read_json, read_jsonl):
        with pytest.raises(InputError, match=r"cannot be read \(Is a directory\)$"):
            read(tmp_path)


def test_lines_are_numbered_as_an_editor_numbers_them(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('\n{"a": 1}\n\n{"a": 2}')
    assert list(numbered_rows(path)) == [(2, {"a": 1}), (4, {"a": 2})]
    path.write_text('{"a": 1}\n{"a": \n')
    rows = numbered_rows(path)
    assert next(rows) == (1, {"a": 1})
    with pytest.raises(InputError, match=r"a\.jsonl:2: not JSON"):
        next(rows)
    with pytest.raises(InputError, match=r"b\.jsonl: no such file"):
        read_jsonl(tmp_path / "b.jsonl")


def test_one_line_can_be_parsed_alone():
    assert parse_object('{"a": 1}', "here") == {"a": 1}
    with pytest.raises(InputError, match=r"^here:3: expected a JSON object, found a text$"):
        parse_object('"a"', "here:3")


def test_half_a_character_becomes_one_that_any_file_can_hold(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a \\ud83d", "\\udc00": ["\\ud83d\\ude00 ok", 1]}\n')
    (row,) = read_jsonl(path)
    assert row == {"text": "a \ufffd", "\ufffd": ["\U0001f600 ok", 1]}
    write_jsonl(path, [row])
    assert read_jsonl(path) == [row]


def test_a_file_name_that_is_no_text_can_be_written_down(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"source": "b\udce9.bvh"})
    assert read_json(path) == {"source": "b\ufffd.bvh"}


@pytest.mark.parametrize(
    "value", ["[" * 50_000, "9" * 5_000, "-" + "9" * 400, str(2**63)], ids=["deep", "5,000", "400 digits", "2**63"]
)
def test_values_that_nothing_can_hold_are_refused(tmp_path, value):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n{"a": ' + value + "}\n")
    with pytest.raises(InputError, match=r"a\.jsonl:2: not JSON"):
        read_jsonl(path)


def test_the_largest_numbers_that_arrays_hold_are_kept(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(f'{{"a": {2**63 - 1}, "b": {-(2**63)}, "c": 0.{"1" * 40}}}')
    assert read_json(path) == {"a": 2**63 - 1, "b": -(2**63), "c": 1 / 9}


def test_brackets_in_brackets_end_long_before_python_does():
    for opened, closed in (("[", "]"), ('{"a": ', "}")):
        parse_json(opened * 100 + "1" + closed * 100)
        with pytest.raises(json.JSONDecodeError, match="too many brackets"):
            parse_json(opened * 101 + "1" + closed * 101)
    assert parse_json("[" + ", ".join(["[{}]"] * 500) + "]") == [[{}]] * 500  # many, but not in each other


def test_json_is_read_as_any_text_file(tmp_path):
    path = tmp_path / "a.json"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_bytes('{\r"a":\r\n"\u00e4"}'.encode(encoding))
        assert read_json(path) == {"a": "\u00e4"}
    path.write_bytes(b'{\n"a": "\xe4"}')
    with pytest.raises(
        InputError, match=r"a\.json:2: not UTF-8 text \(byte 0xe4\): save the file as UTF-8.*; delete it$"
    ):
        read_json(path, "delete it")
