"""Codes, captions and reasoning joined; results side by side."""

import json

import numpy as np
import pytest

from dataset.caption_lines import Caption
from dataset.cot_source import CotSource, read_cot_source, write_cot_source
from dataset.humanml_layout import MotionRecord
from prepare.write_cot_jsonl import main, read_jsonl, read_reasoning, samples_of
from utils.errors import InputError


def record(id, *captions):
    return MotionRecord(
        id, np.zeros((40, 263), np.float32), tuple(Caption(text, ("x/NOUN",), 0, 0) for text in captions)
    )


def test_reasonings_are_dealt_out_over_captions():
    samples = list(
        samples_of([record("a", "one", "two", "three"), record("b", "four")], {"a": [1, 2]}, {"a": ["r", "s"]})
    )
    assert [(s.id, s.caption, s.codes, s.reasoning) for s in samples] == [
        ("a", "one", (1, 2), "r"), ("a", "two", (1, 2), "s"), ("a", "three", (1, 2), "r"),
    ]  # fmt: skip


def test_mistakes_name_file_and_line(tmp_path, monkeypatch):
    path = tmp_path / "r.jsonl"
    path.write_text('{"id": "a", "reasoning": "x"}\n{"id": "b", "reasoning": 3}\n')
    with pytest.raises(InputError, match=r"r\.jsonl:2: 'reasoning'"):
        read_reasoning(path)
    path.write_text("{}\n")
    with pytest.raises(InputError, match=r"r\.jsonl:1: expected an object with a string 'id'"):
        list(read_jsonl(path))
    arguments = ["x", "--codes", str(path), "--data-root", str(tmp_path), "--out-dir", str(tmp_path)]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(InputError, match=r"no \.source\.json beside it"):
        main()


def test_source_travels_beside_the_jsonl(tmp_path):
    source = CotSource("tokenizer.pth", "abc", 16, "data")
    write_cot_source(tmp_path / "cot.jsonl", source)
    assert read_cot_source(tmp_path / "cot.jsonl") == source
    assert read_cot_source(tmp_path / "cot.jsonl.gz") == source
    assert read_cot_source(tmp_path / "other.jsonl") is None
    assert json.loads((tmp_path / "cot.source.json").read_text())["nb_code"] == 16
