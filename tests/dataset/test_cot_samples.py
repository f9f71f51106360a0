"""CoT jsonl: published fields, errors with file:line, splits by clip."""

import gzip
import json

import pytest

from dataset.cot_samples import read_cot_jsonl, write_cot_jsonl
from dataset.sample import Sample
from utils.errors import InputError

GOOD = {"caption": "a person walks.", "motion_tokens": [1, 2, 3], "reasoning": "Feet move.", "id": "a"}


def write(path, *lines):
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_all_published_fields(tmp_path):
    path = write(
        tmp_path / "cot.jsonl", GOOD, "",
        {"caption": " b ", "motion_tokens": "4 5 6", "task": "m2t", "reward": 0.5, "advantage": 9.0},
    )  # fmt: skip
    samples = read_cot_jsonl(path, nb_code=10)
    assert len(samples) == 2
    assert samples.sample(0, "t2m") == Sample("t2m", "a person walks.", (1, 2, 3), "Feet move.", 1.0, "a")
    assert samples.sample(1, "m2t") == Sample("m2t", "b", (4, 5, 6), "", 0.5, "1")
    assert len(read_cot_jsonl(path, nb_code=10, task="t2m")) == 1


def test_gzip(tmp_path):
    path = tmp_path / "cot.jsonl.gz"
    path.write_bytes(gzip.compress((json.dumps(GOOD) + "\n").encode()))
    assert read_cot_jsonl(path, nb_code=10).sample(0, "t2m").codes == (1, 2, 3)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{not json", "not JSON"),
        ("[1]", "expected a JSON object"),
        ({"motion_tokens": [1]}, "'caption'"),
        ({"caption": "x"}, "'motion_tokens'"),
        ({"caption": "x", "motion_tokens": []}, "'motion_tokens'"),
        ({"caption": "x", "motion_tokens": [1.5]}, "'motion_tokens'"),
        ({"caption": "x", "motion_tokens": "1 two"}, "space-separated integers"),
        ({"caption": "x", "motion_tokens": [3, 10]}, "motion token 10 is outside the codebook [0, 10)"),
        ({"caption": "x", "motion_tokens": [-1]}, "motion token -1"),
        ({**GOOD, "task": "walk"}, "'task'"),
        ({**GOOD, "sample_weight": "much"}, "finite number"),
    ],
)
def test_malformed_line_is_named_and_can_be_skipped(tmp_path, line, words):
    path = write(tmp_path / "cot.jsonl", GOOD, line)
    with pytest.raises(InputError) as error:
        read_cot_jsonl(path, nb_code=10)
    assert f"{path}:2:" in str(error.value) and words in str(error.value)
    kept = read_cot_jsonl(path, nb_code=10, skip_bad_lines=True)
    assert len(kept) == 1 and kept.dropped == 1


def test_missing_empty_and_useless_files(tmp_path):
    with pytest.raises(InputError, match="no such"):
        read_cot_jsonl(tmp_path / "none.jsonl", nb_code=10)
    with pytest.raises(InputError, match="is empty"):
        read_cot_jsonl(write(tmp_path / "empty.jsonl"), nb_code=10)
    with pytest.raises(InputError, match="no usable line for task m2t"):
        read_cot_jsonl(write(tmp_path / "t2m.jsonl", {**GOOD, "task": "t2m"}), nb_code=10, task="m2t")


def test_split_never_divides_a_clip(cot_jsonl):
    rest, held_out = read_cot_jsonl(cot_jsonl, nb_code=16).split(0.2, seed=3)
    assert len(held_out) == 9 and len(rest) == 36  # 3 of 15 clips, 3 captions each
    assert not set(rest.rows["id"]) & set(held_out.rows["id"])
    again = read_cot_jsonl(cot_jsonl, nb_code=16).split(0.2, seed=3)[1]
    assert again.rows["id"] == held_out.rows["id"]


def test_write_and_read_back(tmp_path):
    samples = [Sample("t2m", "a", (1, 2), "r", 0.25, "x"), Sample("t2m", "b", (3,), "", 1.0, "y")]
    write_cot_jsonl(tmp_path / "out.jsonl", samples)
    read = read_cot_jsonl(tmp_path / "out.jsonl", nb_code=4)
    assert [read.sample(index, "t2m") for index in range(2)] == samples


def test_too_long_motions_are_left_out(tmp_path):
    path = write(tmp_path / "cot.jsonl", GOOD, {**GOOD, "motion_tokens": [1] * 9})
    assert len(read_cot_jsonl(path, nb_code=10).at_most(3)) == 1
