"""The trace of an evaluation is shown, and a file that is none is named with its line."""

import json

import pytest

from com.trace import readable_traces
from utils.errors import InputError

ROW = {
    "draw": 0, "id": "a", "query": 0, "round": 0, "index": 0, "chosen": True, "total": 0.5, "scores": {"format": 1.0},
    "duplicate_of": None, "lacking": None, "text": "So.</think><answer>he\u2028walks</answer>",
}  # fmt: skip


def test_a_candidate_is_shown(tmp_path):
    path = tmp_path / "trace.jsonl"
    path.write_text(json.dumps(ROW, ensure_ascii=False) + "\r\n\n", encoding="utf-8-sig")
    (text,) = readable_traces(path, 3)
    assert text.startswith("a\n  round 1\n  *   1  0.500  format 1.000") and "So. => he" in text


@pytest.mark.parametrize("row", [{}, {**ROW, "scores": None}, {**ROW, "text": 3}])
def test_a_line_that_is_no_candidate_is_named(tmp_path, row):
    path = tmp_path / "trace.jsonl"
    path.write_text(json.dumps(ROW) + "\n" + json.dumps(row) + "\n")
    with pytest.raises(InputError, match=r"trace\.jsonl:2: not a candidate of Chain-of-Motion"):
        list(readable_traces(path, 3))


def test_traces_that_have_gone_are_missed_only_where_they_are_asked_for(tmp_path):
    with pytest.raises(InputError, match=r"trace\.jsonl has gone: leave --show-trace out, or delete finished\.json"):
        list(readable_traces(tmp_path / "trace.jsonl", 1))
    assert list(readable_traces(tmp_path / "trace.jsonl", 0)) == []
