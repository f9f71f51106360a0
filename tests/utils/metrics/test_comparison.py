"""Tables and differences of several evaluations, from the files that an evaluation writes."""

import json

import pytest

from utils.errors import InputError
from utils.metrics.comparison import comparison, read_named
from utils.metrics.report import MetricValue, Signature, write_results

SIGNATURE = Signature(data="t2m", split="test", seed=0)


def write(folder, rows, scores=None):
    folder.mkdir()
    write_results(folder / "results.json", rows, SIGNATURE)
    if scores is not None:
        lines = [{"id": id, "draw": draw, "scores": {"MM-Dist": score}} for (id, draw), score in scores.items()]
        (folder / "predictions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder / "results.json"


@pytest.fixture
def results(tmp_path):
    real = {"R@1": MetricValue(0.8, 0.01, 32, 20)}
    first = {(f"c{i}", draw): 3.0 for i in range(10) for draw in (0, 1)}
    second = {(f"c{i}", draw): 2.0 + 0.01 * i for i in range(10) for draw in (0, 1)}
    a = write(tmp_path / "a", {"real": real, "generated": {"R@1": MetricValue(0.5, 0.02, 32, 20)}}, first)
    b = write(tmp_path / "b", {"real": real, "generated": {"R@1": MetricValue(0.6, 0.02, 32, 20)}}, second)
    c = write(tmp_path / "c", {"generated": {"CIDEr": MetricValue(1.5, None, 32, 1)}})
    return a, b, c


def test_one_table_a_task_with_real_data_on_top(results):
    a, b, c = results
    text = comparison([str(a), f"ours={b}", str(c.parent)])
    lines = text.splitlines()
    order = [line.split()[0] for line in lines if line.split() and line.split()[0] in ("real", "a", "ours", "c")]
    assert order[:3] == ["real", "a", "ours"] and order[-1] == "c"
    assert "0.600 +- 0.020" in text and "motion to text" in text


def test_differences_are_clip_by_clip_against_the_first(results):
    text = comparison([str(results[0]), str(results[1])])
    line = next(line for line in text.splitlines() if line.strip().startswith("MM-Dist  "))
    # Draws are averaged: ten clips, each nearer by 1.00 to 0.91.
    assert "-0.9550" in line and "n 10: 0 above, 10 below, 0 equal" in line and line.endswith("* better")


def test_the_table_says_of_how_many_clips_and_which_way_is_better(results):
    head, _, real, *_ = comparison([str(path) for path in results]).splitlines()[1:]
    assert head.split()[:4] == ["n", "R@1", "↑", "R@3"] and "FID ↓" in head and "Diversity →" in head
    assert real.split()[:2] == ["real", "32"]


def test_what_does_not_compare_is_told_and_what_nobody_asked_for_has_no_column(results):
    a, b, _ = results
    same = comparison([str(a), str(b)])
    assert "warning" not in same and "MultiModality" not in same
    content = json.loads(b.read_text())
    content["about"]["evaluator"] = "another"
    content["rows"]["generated"]["MultiModality"] = content["rows"]["generated"]["R@1"]
    b.write_text(json.dumps(content))
    text = comparison([str(a), str(b)])
    assert "warning: not of the same evaluator (a: none, b: another): R-precision" in text and "MultiModality" in text


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        (
            {"bertscore": "roberta-large"},
            {"bertscore": "tiny"},
            "BERTScore model (a: roberta-large, b: tiny): BERTScore",
        ),
        (
            {"tagger": "lexicon"},
            {"tagger": "spacy"},
            "tagger (a: lexicon, b: spacy): what an evaluator says of captions",
        ),
        ({"data": "t2m"}, {"data": "kit"}, "data set (a: t2m, b: kit): all numbers"),
        ({"v": "1.1"}, {}, "version of the protocol (a: 1.1, b: 2.0): numbers and their intervals"),
        ({"bertscore": None, "tagger": None}, {"bertscore": "tiny", "tagger": "spacy"}, None),  # nobody knows
    ],
)
def test_numbers_that_were_made_otherwise_are_told(results, was, now, told):
    for path, said in zip(results, (was, now), strict=False):
        text = path.read_text().replace("|v:2.0", f"|v:{said.get('v', '2.0')}")
        path.write_text(json.dumps({**json.loads(text), "about": {**json.loads(text)["about"], **said}}))
    text = comparison([str(path) for path in results[:2]])
    assert "warning" not in text if told is None else f"warning: not of the same {told} do not compare" in text


def test_what_nothing_was_scored_of_is_named_with_the_reason(tmp_path):
    mute = write(tmp_path / "mute", {})
    for remarks, why in (
        ([], "it is no result of eval_mllm.py"),
        (["nothing can be scored"], "its clips have no captions"),
    ):
        mute.write_text(json.dumps({**json.loads(mute.read_text()), "remarks": remarks}))
        with pytest.raises(InputError, match=rf"has no row 'generated' to compare \({why}\): leave it out"):
            comparison([str(mute)])


def test_other_clips_are_told(results):
    a, b, _ = results
    assert "warning" not in comparison([str(a), str(b)])
    file = b.parent / "predictions.jsonl"
    file.write_text("".join(line + "\n" for line in file.read_text().splitlines()[:8]))
    assert "of 4 and 10 clips, 4 of them the same" in comparison([str(a), str(b)])


def test_scores_that_the_first_reply_lacks_are_compared_too(results):
    for path, skating in ((results[0], 0.1), (results[1], 0.2)):
        file = path.parent / "predictions.jsonl"
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        for row in rows[2:]:  # the first clip's replies have no motion
            row["scores"]["Skating"] = skating
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = comparison([str(results[0]), str(results[1])])
    line = next(line for line in text.splitlines() if line.startswith("  Skating"))
    assert "+0.1000" in line and "n 9: 9 above" in line and "1 left out" in line


def test_what_is_missing_is_said(results, tmp_path):
    (tmp_path / "b/predictions.jsonl").unlink()
    assert f"no scored predictions.jsonl beside {results[1]}" in comparison([str(results[0]), str(results[1])])
    with pytest.raises(InputError, match="two results of one task are called 'a'"):
        comparison([str(results[0]), f"a={results[1]}"])
    with pytest.raises(InputError, match=r"NAME=results\.json"):
        read_named([f"={results[0]}"])
    with pytest.raises(InputError, match="nowhere"):
        read_named(["nowhere.json"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_replies_with_separators_of_lines_can_be_compared(results, encoding):
    a, b, _ = results
    path = b.parent / "predictions.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    lines = [json.dumps({**row, "text": "a\u2028b\x85c\u2029"}, ensure_ascii=False) for row in rows]
    path.write_bytes(("\r\n".join(lines) + "\r\n\r\n").encode(encoding))
    assert "n 10: 0 above, 10 below" in comparison([str(a), str(b)])


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "x"}',
        '{"id": 7, "scores": {}}',
        '{"id": "x", "draw": [0], "scores": {}}',
        '{"id": "x", "scores": []}',
        '{"id": "x", "scores": {"MM-Dist": "3"}}',
        '{"id": "x", "scores": {"MM-Dist": true}}',
        '{"id": "x", "sco',
    ],
)
def test_a_line_that_is_no_scored_prediction_is_named(results, line):
    a, b, _ = results
    with (b.parent / "predictions.jsonl").open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(InputError, match=r"predictions\.jsonl:21: "):
        comparison([str(a), str(b)])
