"""Statistics of a CoT jsonl, by hand, and that reading does not hold it."""

import json
import math

import pytest

from dataset.cot.samples import read_cot_jsonl
from dataset.cot.statistics import cot_statistics, format_statistics, summary

ROWS = [
    {
        "id": "a",
        "caption": "A person walks.",
        "motion_tokens": [0, 1, 1],
        "reasoning": "The legs step, the arms swing.",
    },
    {"id": "a", "caption": "he walks", "motion_tokens": [0, 1, 1], "task": "t2m", "reasoning": "The legs step."},
    {"id": "b", "caption": "he walks", "motion_tokens": [3], "task": "m2t"},
    {"caption": "he walks", "motion_tokens": [3, 3], "task": "m2t", "reasoning": "The legs step."},
]


@pytest.fixture
def statistics(tmp_path):
    path = tmp_path / "cot.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return cot_statistics(read_cot_jsonl(path, 5), 5), read_cot_jsonl(path, 5)


def test_everything_is_counted(statistics):
    found, samples = statistics
    assert (found.lines, found.clips, found.without_reasoning) == (4, 3, 1)
    assert found.tasks == {"both": 1, "t2m": 1, "m2t": 2}
    assert (found.captions, found.reasonings) == (2, 2)
    assert (found.caption_vocabulary, found.reasoning_vocabulary) == (
        4,
        5,
    )  # a person walks he; the legs step arms swing
    assert found.codes_per_clip == {1: 1, 2: 1, 3: 1}
    assert found.caption_lengths == {2: 3, 3: 1} and found.reasoning_lengths == {3: 2, 6: 1}
    assert found.code_counts == (1, 2, 0, 3, 0) and found.unused_codes == 2
    shares = [1 / 6, 2 / 6, 3 / 6]
    assert found.code_perplexity == pytest.approx(math.exp(-sum(share * math.log(share) for share in shares)))
    assert cot_statistics(samples).code_counts == (1, 2, 0, 3)  # nobody says that there is a code 4
    fields = json.loads(json.dumps(found.as_fields()))
    assert fields["unused_codes"] == 2 and fields["summary"]["codes_per_clip"]["max"] == 3


def test_a_histogram_in_short():
    assert summary({}) == {}
    assert summary({1: 1, 2: 18, 9: 1}) == {"min": 1, "median": 2, "mean": 2.3, "p95": 2, "max": 9}
    assert summary({1: 1, 2: 17, 9: 2})["p95"] == 9


def test_the_table_has_a_column_a_split(statistics):
    found, _ = statistics
    lines = format_statistics({"train": found, "val": found}).splitlines()
    assert lines[0].split() == ["train", "val"]
    rows = {line.split("  ")[0]: line.split("  ", 1)[1].split("  ") for line in lines[1:]}
    rows = {name: [cell.strip() for cell in cells if cell.strip()] for name, cells in rows.items()}
    assert rows["of them for both tasks / t2m / m2t"] == ["1 / 1 / 2"] * 2
    assert rows["codes a clip: min / median / p95 / max"] == ["1 / 2 / 3 / 3"] * 2
    assert rows["codes in use"] == ["3 of 5"] * 2
