"""A journal survives a kill: the torn line is gone, what follows is whole, and a broken line is named or left out."""

import os

import pytest

from utils.errors import InputError
from utils.files.journal import Journal
from utils.files.json_files import read_jsonl

TORN = '{"step": 3, "lo'


def journal(path, **more):
    return Journal(path / "rows.jsonl", **more)


def test_rows_come_back_in_their_order_whatever_is_in_them(tmp_path):
    rows = [{"step": 1, "text": "träumt"}, {"step": 2, "text": "a line \u2028 separator, \x85 and a\nline break"}]
    deep = Journal(tmp_path / "a" / "b" / "rows.jsonl")
    assert deep.rows() == []
    deep.append(rows[0])
    deep.append(rows[1], {"step": 3})
    assert deep.rows() == read_jsonl(deep.path) == [*rows, {"step": 3}]


def test_a_torn_line_is_no_row_and_is_cut_by_the_next_one(tmp_path):
    found = journal(tmp_path)
    found.append({"step": 1}, {"step": 2})
    with found.path.open("ab") as stream:
        stream.write(TORN.encode() + "ä".encode()[:1])  # a kill may tear a character
    before = found.path.read_bytes()
    assert found.rows() == [{"step": 1}, {"step": 2}]
    assert found.path.read_bytes() == before  # reading changes nothing
    found.append({"step": 3})
    assert found.path.read_text() == '{"step": 1}\n{"step": 2}\n{"step": 3}\n'


def test_a_file_that_is_nothing_but_a_torn_line(tmp_path):
    found = journal(tmp_path)
    found.path.write_text(TORN)
    assert found.rows() == []
    found.append({"step": 1})
    assert found.path.read_text() == '{"step": 1}\n'


def test_a_last_line_that_lacks_only_its_line_break_is_a_row_and_stays(tmp_path):
    found = journal(tmp_path)
    found.path.write_text('{"step": 1}\n{"step": 2, "text": "by hand"}')  # as an editor may leave it
    assert found.rows() == [{"step": 1}, {"step": 2, "text": "by hand"}]
    found.append({"step": 3})
    assert found.path.read_text() == '{"step": 1}\n{"step": 2, "text": "by hand"}\n{"step": 3}\n'


@pytest.mark.parametrize("broken", ["{oops", "[1]", '{"id": "a"}', "\0" * 20])
def test_a_line_that_is_no_row_is_named_or_left_out(tmp_path, broken):
    good = '{"id": "a", "text": "b"}\n'
    journal(tmp_path).path.write_text(good + broken + "\n" + good)
    assert len(journal(tmp_path, keys=("id", "text")).rows()) == 2
    with pytest.raises(InputError, match=r"rows\.jsonl:2: not a reply; delete the file$"):
        journal(tmp_path, row="a reply; delete the file", keys=("id", "text")).rows()


def test_a_row_of_other_values_is_named_where_values_matter(tmp_path):
    found = journal(tmp_path, row="a reply", keys=("draw", "text"), kinds=(int, str))
    for row in ({"draw": True, "text": "a"}, {"draw": "0", "text": "a"}, {"draw": 0, "text": None}, {"draw": 0}):
        found.replace([{"draw": 0, "text": "a"}, row])
        with pytest.raises(InputError, match=r"rows\.jsonl:2: not a reply$"):
            found.rows()


def test_rows_of_later_steps_are_forgotten(tmp_path):
    found = journal(tmp_path)
    found.forget_after(2)
    assert not found.path.exists()
    found.append({"step": 1}, {"step": 2, "val": 0.5}, {"step": 3})
    with found.path.open("a") as stream:
        stream.write(TORN)
    found.forget_after(2)
    assert found.path.read_text() == '{"step": 1}\n{"step": 2, "val": 0.5}\n'
    found.forget_after(0)
    assert found.path.read_text() == ""


def test_rows_are_replaced_as_a_whole_and_removed(tmp_path):
    found = journal(tmp_path)
    found.append({"step": 1})
    with pytest.raises(ZeroDivisionError):
        found.replace({"step": 1 // number} for number in (1, 0))
    assert found.rows() == [{"step": 1}]
    found.replace([{"step": 7}])
    assert found.rows() == [{"step": 7}]
    found.remove()
    found.remove()
    assert not found.path.exists()


def test_what_is_paid_for_is_on_the_disk_before_append_returns(tmp_path, monkeypatch):
    seen = []
    real = os.fsync

    def sync(handle):
        seen.append((tmp_path / "rows.jsonl").read_text())
        real(handle)

    monkeypatch.setattr(os, "fsync", sync)
    journal(tmp_path).append({"step": 1})
    assert seen == []
    journal(tmp_path, durable=True).append({"step": 2})
    assert seen == ['{"step": 1}\n{"step": 2}\n']
