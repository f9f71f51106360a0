"""Codes, captions and reasoning joined; results side by side."""

import json

import numpy as np
import pytest

from dataset.caption_lines import Caption
from dataset.cot_source import CotSource, read_cot_source, write_cot_source
from dataset.humanml_layout import MotionRecord
from prepare.compare_results import read_named, tables
from prepare.write_cot_jsonl import main, read_jsonl, read_reasoning, samples_of
from utils.errors import InputError
from utils.metric_report import MetricValue, Signature, write_results


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


def test_comparison_has_one_table_a_task(tmp_path):
    value = MetricValue(0.5, 0.1, 32, 20)
    signature = Signature(data="t2m", split="test", seed=0)
    write_results(tmp_path / "t2m.json", {"real": {"R@1": value}, "generated": {"R@1": value}}, signature)
    write_results(tmp_path / "m2t.json", {"generated": {"CIDEr": value}}, signature)
    named = read_named([f"A={tmp_path}/t2m.json", f"B={tmp_path}/t2m.json", f"A={tmp_path}/m2t.json"])
    found = tables(named)
    assert list(found["t2m"]) == ["real", "A", "B"] and list(found["m2t"]) == ["A"]
    with pytest.raises(InputError, match="two files of one task are called 'A'"):
        tables([*named, named[0]])
    with pytest.raises(InputError, match="expected NAME="):
        read_named(["t2m.json"])
