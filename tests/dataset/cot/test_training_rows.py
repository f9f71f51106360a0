"""Rows of a run of one task or both, and the share of t2m among them."""

import json
from collections import Counter

import pytest

from dataset.cot.sample import Sample
from dataset.cot.samples import read_cot_jsonl, write_cot_jsonl
from dataset.cot.source import CotSource, write_cot_source
from dataset.cot.training_rows import CotFiles, read_training_data, task_rows
from utils.errors import InputError

BOTH = ("t2m", "m2t")


def samples_of(tmp_path, *tasks):
    """One line a task, '' for a line that serves both."""
    rows = [
        {"caption": f"c{number}", "motion_tokens": [number % 8], **({"task": task} if task else {})}
        for number, task in enumerate(tasks)
    ]
    path = tmp_path / "cot.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_cot_jsonl(path, nb_code=8)


def counted(rows):
    """How often each (task, row) occurs."""
    return Counter(zip(rows["task"], rows["row"], strict=True))


def test_one_row_per_sample_and_task_it_is_usable_for(tmp_path):
    samples = samples_of(tmp_path, "", "t2m", "m2t", "")
    assert list(task_rows(samples, BOTH)) == [
        {"row": 0, "task": "t2m"},
        {"row": 0, "task": "m2t"},
        {"row": 1, "task": "t2m"},
        {"row": 2, "task": "m2t"},
        {"row": 3, "task": "t2m"},
        {"row": 3, "task": "m2t"},
    ]
    assert list(task_rows(samples, ["m2t"])) == [{"row": row, "task": "m2t"} for row in (0, 2, 3)]
    assert type(task_rows(samples, BOTH)[0]["row"]) is int


def test_one_clip_is_trained_and_validated_on_with_a_warning(tmp_path, caplog):
    samples_of(tmp_path, "")
    data = read_training_data(CotFiles(str(tmp_path / "cot.jsonl"), None, 0.1, 0, None, 50, False), 8, BOTH)
    assert len(data.train) == len(data.validation) == 1
    assert "too few to hold some out" in caplog.text and "--cot-val-jsonl" in caplog.text
    caplog.clear()
    samples_of(tmp_path, "", "")
    data = read_training_data(CotFiles(str(tmp_path / "cot.jsonl"), None, 0.1, 0, None, 50, False), 8, BOTH)
    assert len(data.train) == len(data.validation) == 1 and not caplog.text


def test_rows_count_within_the_selection(tmp_path):
    samples = samples_of(tmp_path, "m2t", *["t2m"] * 4, "m2t", "")
    late = samples.only(samples.usable_for("m2t"))
    rows = task_rows(late, BOTH)
    assert list(rows["row"]) == [0, 1, 2, 2] and list(rows["task"]) == ["m2t", "m2t", "t2m", "m2t"]
    assert [late.sample(row, "m2t").caption for row in rows["row"]] == ["c0", "c5", "c6", "c6"]


@pytest.mark.parametrize("share", [0.02, 0.25, 0.3, 0.5, 7 / 11, 0.75, 0.9, 0.999])
@pytest.mark.parametrize(
    "tasks", [[""] * 7, ["t2m"] * 5 + ["m2t"] * 3, [""] * 4 + ["m2t"] * 30, ["t2m"] * 40 + ["m2t"]]
)
def test_share_is_exact_to_one_row_and_nothing_is_dropped(tmp_path, tasks, share):
    samples = samples_of(tmp_path, *tasks)
    plain, mixed = counted(task_rows(samples, BOTH)), counted(task_rows(samples, BOTH, share, seed=3))
    t2m = sum(count for (task, _), count in mixed.items() if task == "t2m")
    assert abs(t2m - share * mixed.total()) < 1
    assert set(mixed) == set(plain)
    repeated = [task for (task, _), count in mixed.items() if count > 1]
    assert len(set(repeated)) <= 1  # only the task with too few
    for task in BOTH:
        counts = [count for (of, _), count in mixed.items() if of == task]
        assert max(counts) - min(counts) <= 1  # no sample twice before every one has been taken


def test_repeats_by_hand(tmp_path):
    samples = samples_of(tmp_path, "t2m", "t2m", "t2m", *["m2t"] * 3)
    assert list(task_rows(samples, BOTH, 0.5)) == list(task_rows(samples, BOTH))
    mixed = counted(task_rows(samples, BOTH, 0.7))  # 7 t2m rows beside 3: all twice, one a third time
    assert sorted(mixed[("t2m", row)] for row in range(3)) == [2, 2, 3]
    assert [mixed[("m2t", row)] for row in (3, 4, 5)] == [1, 1, 1]


def test_the_seed_draws_what_is_repeated(tmp_path):
    samples = samples_of(tmp_path, *["t2m"] * 50, *["m2t"] * 70)

    def rows(seed):
        return list(task_rows(samples, BOTH, 0.5, seed))

    assert rows(1) == rows(1) != rows(2)
    assert rows(1)[:120] == list(task_rows(samples, BOTH))


def test_share_that_cannot_be(tmp_path):
    samples = samples_of(tmp_path, "", "t2m")
    for tasks, share in ((("t2m",), 0.5), (("m2t",), 0.5), (BOTH, 0.0), (BOTH, 1.0), (BOTH, float("nan"))):
        with pytest.raises(ValueError, match="t2m_share"):
            task_rows(samples, tasks, share)
    with pytest.raises(InputError, match="no line is usable for m2t"):
        task_rows(samples_of(tmp_path, "t2m", "t2m"), BOTH, 0.5)


def test_rows_are_compact(tmp_path):
    rows = task_rows(samples_of(tmp_path, *[""] * 3000), BOTH, 0.8)
    assert len(rows) == 15_000 and rows.data.nbytes <= 11 * len(rows) + 4096


def test_training_and_validation_are_of_one_motion_tokenizer(tmp_path):
    for name in ("train", "val"):
        write_cot_jsonl(tmp_path / f"{name}.jsonl", [Sample("t2m", "a", (1, 2), id=name)])
    files = CotFiles(str(tmp_path / "train.jsonl"), str(tmp_path / "val.jsonl"), 0.1, 0, None, 10, False)
    assert len(read_training_data(files, 16, BOTH).validation) == 1  # nobody knows of which
    write_cot_source(files.train, CotSource("one.pth", "abc", 16, "data"))
    assert len(read_training_data(files, 16, BOTH).validation) == 1
    write_cot_source(files.validation, CotSource("moved/one.pth", "abc", 16, "elsewhere"))
    assert len(read_training_data(files, 16, BOTH).validation) == 1
    write_cot_source(files.validation, CotSource("other.pth", "def", 16, "data"))
    with pytest.raises(
        InputError, match=r"val\.jsonl holds codes of .* other\.pth \(def\), .*train\.jsonl of one\.pth"
    ):
        read_training_data(files, 16, BOTH)
