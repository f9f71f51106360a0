"""The file beside codes says whose they are, or in one line what is wrong with it."""

import json

import pytest

from dataset.cot.source import CotSource, read_cot_source, source_path, write_cot_source
from utils.errors import InputError

SOURCE = CotSource("tokenizer.pth", "abc", 512, "data", "whole-0123456789ab")
GOOD = vars(SOURCE)


def test_what_is_written_is_read(tmp_path):
    write_cot_source(tmp_path / "cot.jsonl", SOURCE)
    assert read_cot_source(tmp_path / "cot.jsonl") == read_cot_source(tmp_path / "cot.jsonl.gz") == SOURCE
    assert read_cot_source(tmp_path / "other.jsonl") is None


def test_a_source_of_before_there_were_data_fingerprints_is_read(tmp_path):
    fields = {name: value for name, value in GOOD.items() if name != "data_fingerprint"}
    source_path(tmp_path / "cot.jsonl").write_text(json.dumps(fields))
    assert read_cot_source(tmp_path / "cot.jsonl") == CotSource(**fields)
    source_path(tmp_path / "cot.jsonl").write_text(json.dumps(GOOD | {"data_fingerprint": "0123456789ab"}))
    assert read_cot_source(tmp_path / "cot.jsonl").data_fingerprint == "0123456789ab"


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"{}", b"null", b"\0" * 80, b"\xff\xfe{", json.dumps(GOOD).encode()[:-9],
        *(json.dumps(GOOD | change).encode() for change in (
            {"nb_code": "512"}, {"nb_code": True}, {"nb_code": 0}, {"nb_code": 1.5}, {"fingerprint": None},
            {"motion_tokenizer": 3}, {"data_fingerprint": 7},
        )),
    ],
)  # fmt: skip
def test_a_damaged_source_is_one_line_with_the_way_out(tmp_path, content):
    source_path(tmp_path / "cot.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=r"cot\.source\.json:(1:)? .*delete it, or write the jsonl again") as caught:
        read_cot_source(tmp_path / "cot.jsonl")
    assert "\n" not in str(caught.value)
