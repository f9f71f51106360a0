"""Predictions of ours and of other systems: what is read, what counts as a failure and why."""

import json

import numpy as np
import pytest

from models.evaluation.predictions import (
    CUT,
    EMPTY,
    MISSING,
    UNPLAYABLE,
    Prediction,
    arrange,
    failures,
    from_reply,
    with_motions,
)
from models.evaluation.predictions_file import read_predictions
from utils.errors import InputError
from utils.motion.skeleton import T2M

GOOD = "r</think><answer><Motion><Motion_1><Motion_2></Motion></answer>"


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_every_kind_of_failure_has_its_reason(motion_tokenizer):
    replies = {
        "good": (GOOD, True), "empty": (" ", True), "cut": (GOOD, False), "grammar": ("walk", True),
        "outside": (GOOD.replace("_2", "_99"), True),
    }  # fmt: skip
    found = with_motions(
        [from_reply(Prediction(id, 0, "c", text, finished=end), "t2m") for id, (text, end) in replies.items()],
        motion_tokenizer,
    )
    problems = {prediction.id: prediction.problem for prediction in found}
    assert problems == {"good": None, "empty": EMPTY, "cut": CUT, "grammar": "no </think>", "outside": UNPLAYABLE}
    assert found[0].motion.shape == (8, 263) and all(prediction.motion is None for prediction in found[1:])
    assert failures(found) == dict.fromkeys([EMPTY, CUT, "no </think>", UNPLAYABLE], 1)


def test_our_own_lines_are_read_back(tmp_path, motion_tokenizer):
    given = [from_reply(Prediction("a", draw, "walks", GOOD), "t2m") for draw in (0, 1)]
    own = with_motions(given, motion_tokenizer)
    path = write(tmp_path / "p.jsonl", *(prediction.row() for prediction in own))
    _, again = read_predictions(path, "t2m", T2M, motion_tokenizer)
    assert (again.id, again.draw, again.caption, again.text, again.problem) == ("a", 1, "walks", GOOD, None)
    np.testing.assert_array_equal(again.motion, own[1].motion)


def test_other_systems_give_codes_motions_or_captions(tmp_path, motion_tokenizer):
    features = np.random.default_rng(0).normal(size=(40, 263)).astype(np.float32)
    np.save(tmp_path / "m.npy", features)
    path = write(
        tmp_path / "p.jsonl", {"id": "a", "codes": [1, 2, 3]}, {"id": "b", "codes": "1 2"},
        {"id": "c", "motion": "m.npy"}, {"id": "d"}, {"id": "e", "codes": [99]},
        {"id": "f", "codes": [1], "finished": False},
    )  # fmt: skip
    found = {prediction.id: prediction for prediction in read_predictions(path, "t2m", T2M, motion_tokenizer)}
    assert [len(found[id].motion) for id in "abc"] == [12, 8, 40]
    np.testing.assert_array_equal(found["c"].motion, features)
    assert [found[id].problem for id in "def"] == [EMPTY, UNPLAYABLE, CUT]
    with pytest.raises(InputError, match="--motion-tokenizer"):
        read_predictions(path, "t2m", T2M)
    captions = read_predictions(write(tmp_path / "q.jsonl", {"id": "a", "answer": "walks"}, {"id": "b"}), "m2t", T2M)
    assert [(c.answer, c.problem) for c in captions] == [("walks", None), (None, EMPTY)]


def test_a_folder_of_features_and_joints(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((40, 263), np.float32))
    rest = np.cumsum(np.random.default_rng(0).normal(size=(22, 3)), axis=0)
    np.save(tmp_path / "b.npy", np.tile(rest, (41, 1, 1)))
    (tmp_path / "b.txt").write_text("jumps#jump/VERB#0.0#0.0\n")
    found = read_predictions(tmp_path, "t2m", T2M)
    assert [(p.id, p.caption, p.motion.shape) for p in found] == [("a", None, (40, 263)), ("b", "jumps", (40, 263))]
    np.save(tmp_path / "c.npy", np.zeros((40, 7)))
    with pytest.raises(InputError, match=r"c\.npy: expected joints \(T, 22, 3\) or features \(T, 263\)"):
        read_predictions(tmp_path, "t2m", T2M)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("{", ":1: not JSON"),
        ('\n{"id": 7}', ':2: expected an object with at least an "id"'),
        ('{"id": "a", "draw": -1}', '"draw" must be a whole number'),
        ('{"id": "a", "text": 5}', '"text" must be text'),
        ('{"id": "a", "codes": ["x"]}', '"codes" must be'),
        ('{"id": "a", "codes": [1.5]}', '"codes" must be'),
        ('{"id": "a", "codes": [true]}', '"codes" must be'),
        ('{"id": "a", "codes": {"1": 2}}', '"codes" must be'),
        ('{"id": "a", "codes": [NaN, 1e400]}', '"codes" must be'),
        ('{"id": "a", "codes": "' + "9" * 5000 + '"}', '"codes" must be'),
        ('{"id": "a", "codes": [' + "9" * 400 + "]}", ":1: not JSON (a whole number of 400 digits"),
        ("[" * 50_000, ":1: not JSON (too many brackets"),
        ('{"id": 0}', 'an "id" that is text (in quotation marks)'),
        ('{"id": "a", "draw": true}', '"draw" must be a whole number'),
        ('{"id": "a", "draw": 1}\n{"id": "b", "draw": 1}', "no prediction is a draw 0, the first is draw 1"),
        ('{"id": "b"}\n{"id": "a", "draw": 1000000000}', ":2: draw 1000000000, but there are 2 predictions"),
        ('{"id": "a", "motion": "gone.npy"}', "gone.npy: no such file"),
        ('{"id": "a", "codes": [1]}\n{"id": "a", "codes": [1]}', ":2: draw 0 of a is on line 1 already"),
        ("\n", "no prediction in it"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(tmp_path, lines, message):
    (tmp_path / "p.jsonl").write_text(lines)
    with pytest.raises(InputError) as error:
        read_predictions(tmp_path / "p.jsonl", "t2m", T2M)
    assert message in str(error.value)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lines_of_replies_end_where_an_editor_ends_them(tmp_path, end, encoding):
    rows = [{"id": id, "answer": "a person\u2028walks\x85 on."} for id in "ab"]
    content = end.join([json.dumps(row, ensure_ascii=False) for row in rows] + ["", ""])
    (tmp_path / "p.jsonl").write_bytes(content.encode(encoding))
    assert [p.answer for p in read_predictions(tmp_path / "p.jsonl", "m2t", T2M)] == [rows[0]["answer"]] * 2
    path = write(tmp_path / "q.jsonl", {"id": "a", "answer": "a \ud83d"})
    assert read_predictions(path, "m2t", T2M)[0].answer == "a \ufffd"


def test_a_caption_beside_a_motion_is_read_as_those_of_a_data_set(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((40, 263)))
    text = tmp_path / "a.txt"
    for content, caption in {
        "\ufeff\r\njumps to #3.#jump/VERB#0.0#0.0\r\nmore": "jumps to #3.",
        "jumps": "jumps",
        "jumps\u2028on##0.0#0.0": "jumps\u2028on",
        " \n": None,
    }.items():
        text.write_bytes(content.encode())
        assert read_predictions(tmp_path, "t2m", T2M)[0].caption == caption
    for content, message in {
        b"jumps to #3": r"a\.txt:1: expected caption#word/POS .*, or a plain caption without #",
        b"\ncaf\xe9": r"a\.txt:2: not UTF-8 text",
        b"a <Motion_3> jump": r"a\.txt:1: the caption holds <Motion_3>",
    }.items():
        text.write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_predictions(tmp_path, "t2m", T2M)


def test_missing_predictions_count_as_failures_and_unknown_ones_are_refused():
    warnings = []
    found = [Prediction("b", 0, "x", answer="x"), Prediction("a", 1, "y")]
    rows = arrange(found, ["a", "b"], "p", warnings.append)
    assert [[(p.id, p.problem) for p in row] for row in rows] == [
        [("a", MISSING), ("b", None)], [("a", None), ("b", MISSING)],
    ]  # fmt: skip
    assert warnings == ["p: 2 of 4 predictions are missing and count as failures"]
    with pytest.raises(InputError, match="1 ids are not in the evaluated split, the first is 'c'"):
        arrange([Prediction("c", 0)], ["a"], "p", warnings.append)
    assert [p.problem for p in arrange([], ["a"], "p", warnings.append)[0]] == [MISSING]  # none of --limit's clips
    other = arrange([Prediction("a", 0, "x"), Prediction("a", 1, "y")], ["a"], "p", warnings.append)
    assert [[p.caption for p in row] for row in other] == [["x"], ["y"]]  # a caption is drawn anew for each draw
