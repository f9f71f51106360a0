"""The best replies of a tiny model become lines that SFT learns from."""

import json
import sys

import numpy as np
import pytest

import train_mllm
from dataset.cot.questions import Question
from dataset.cot.samples import read_cot_jsonl
from dataset.cot.source import CotSource, write_cot_source
from models.evaluation.predictions import Prediction
from models.tokenizer.loading import tokenizer_of
from prepare import distill_cot
from prepare.distilling import winners
from tests.conftest import CAPTIONS, NB_CODE
from utils.errors import InputError
from utils.files.json_files import read_json, read_jsonl

QUESTIONS = [*CAPTIONS, "a person walks and jumps."]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, backbone, cot_jsonl, motion_tokenizer):
    """A checkpoint of t2m that knows the grammar of replies, and questions."""
    folder = tmp_path_factory.mktemp("distill")
    motion_tokenizer.save(folder / "tokenizer.pth")
    given = ("--cot-train-jsonl", cot_jsonl, "--motion-tokenizer", folder / "tokenizer.pth", "--llm-backbone", backbone,
             "--use-reasoning", "--batch-size", 12, "--epochs-t2m", 16, "--learning-rate", 5e-3, "--out-dir", folder,
             "--exp-name", "sft", "--device", "cpu")  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["train_mllm.py", *map(str, given)])
        train_mllm.main()
    (folder / "captions.txt").write_text("".join(f"{line}\n" for line in QUESTIONS))
    return folder


@pytest.fixture
def distill(trained, tmp_path, monkeypatch):
    """The command with some words -> its folder."""

    def command(*words, name="out"):
        given = ("--ckpt", trained / "sft" / "motionllm_t2m_best.pth", "--questions", trained / "captions.txt",
                 "--rewards", "format=1,physical=0.1", "--com-candidates", 4, "--com-refine-steps", 1,
                 "--max-new-tokens", 60, "--temperature", 0.4, "--device", "cpu",
                 "--out-dir", tmp_path / name, *words)  # fmt: skip
        monkeypatch.setattr(sys, "argv", ["distill_cot.py", *map(str, given)])
        distill_cot.main()
        return tmp_path / name

    return command


def test_winners_are_lines_that_sft_reads(distill, cot_jsonl, motion_tokenizer):
    """Random motions keep no claim, so what is contradicted is kept here."""
    folder = distill("--keep-contradicted", "--beside", cot_jsonl)
    numbers, rows = read_json(folder / "finished.json"), read_jsonl(folder / "winners.jsonl")
    assert numbers["questions"] == 4 and 1 <= numbers["winners"] <= 4 and numbers["lines beside them"] == 45
    assert len(rows) == 45 + numbers["winners"] and {row["task"] for row in rows} == {"t2m"}
    assert [row["caption"] for row in rows[45:]] == [text for text in QUESTIONS if text in rows_by(rows[45:])]
    assert all("id" not in row and row["reasoning"] for row in rows[45:])
    assert len(read_cot_jsonl(folder / "winners.jsonl", NB_CODE, "t2m")) == len(rows)
    assert tokenizer_of(folder / "winners.jsonl", None).fingerprint == motion_tokenizer.fingerprint
    # The chosen of each question is the line.
    chosen = [row for row in read_jsonl(folder / "trace.jsonl") if row["chosen"]]
    best = {row["query"]: row["codes"] for row in chosen if row["codes"]}
    assert [row["motion_tokens"] for row in rows[45:]] == [best[place] for place in sorted(best)]
    assert numbers["score of the winner"] >= numbers["score of a first reply"]
    assert not list(folder.glob("*.part.jsonl"))


def rows_by(rows):
    return {row["caption"] for row in rows}


def test_an_interrupted_run_asks_only_what_is_missing(distill, tmp_path, monkeypatch):
    whole = (distill("--keep-contradicted", name="straight") / "winners.jsonl").read_bytes()
    write = winners.write_winners
    with monkeypatch.context() as patch:
        patch.setattr(winners, "write_winners", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            distill("--keep-contradicted", name="stopped")
    part = tmp_path / "stopped" / "replies.part.jsonl"
    kept = part.read_text().splitlines(keepends=True)
    part.write_text("".join(kept[:2]))  # a kill after two of the four answers
    folder = distill("--keep-contradicted", name="stopped")
    assert (folder / "winners.jsonl").read_bytes() == whole and winners.write_winners is write


def test_what_cannot_be_learned_from_is_left_out_and_counted(tmp_path, motion_tokenizer):
    (tmp_path / "trace.jsonl").write_text(json.dumps({"round": 0, "index": 0, "total": 1.0, "chosen": True}) + "\n")
    text = "He walks.</think><answer><Motion><Motion_1><Motion_2></Motion></answer>"
    asked = [Question("someone thinks.", id=" line 1"), Question("someone thinks.", id="7"), Question("rests", id="8")]
    good = Prediction("", 0, text=text, codes=np.array([1, 2]))
    bad = Prediction("", 0, text="walks", problem="no answer")
    write = (tmp_path, asked, "t2m")
    numbers = winners.write_winners(*write, [good, good, bad], motion_tokenizer, None, False)
    assert numbers["winners"] == 2 and numbers["left out"] == "1 no answer"
    rows = read_jsonl(tmp_path / "winners.jsonl")
    line = {"caption": "someone thinks.", "motion_tokens": [1, 2], "reasoning": "He walks.", "task": "t2m"}
    assert rows == [line, {**line, "id": "7"}]
    with pytest.raises(InputError, match=r"no reply of 3 can be learned from \(3 no answer\)"):
        winners.write_winners(*write, [bad] * 3, motion_tokenizer, None, False)


def test_a_caption_that_its_motion_contradicts_is_no_winner_unless_asked_for(tmp_path, motion_tokenizer):
    """m2t: the motion is the one that was given. A random motion does not run four metres ahead."""
    (tmp_path / "trace.jsonl").write_text(json.dumps({"round": 0, "index": 0, "total": 1.0, "chosen": True}) + "\n")
    replies = [Prediction("", 0, text=f"So.</think><answer>{said}</answer>", answer=said) for said in SAID]
    asked = [Question(codes=(1, 2, 3, 4, 5, 6, 7, 8), id="a"), Question(codes=(1, 2, 3, 4, 5, 6, 7, 8), id="b")]
    left_out = winners.write_winners(tmp_path, asked, "m2t", replies, motion_tokenizer, None, False)
    assert left_out["left out"] == "1 contradicted by its motion" and left_out["winners"] == 1
    kept = winners.write_winners(tmp_path, asked, "m2t", replies, motion_tokenizer, None, True)
    assert kept["winners"] == 2
    assert [row["caption"] for row in read_jsonl(tmp_path / "winners.jsonl")] == list(SAID)


SAID = ("someone runs four metres forward and jumps twice.", "someone thinks.")


def test_flags_of_an_evaluation_mean_nothing_here(distill, capsys):
    with pytest.raises(SystemExit):
        distill("--com-oracle")
    assert "--com-oracle" in capsys.readouterr().err


def test_the_server_that_is_named_is_asked(distill):
    with pytest.raises(InputError, match=r"127\.0\.0\.1:9"):
        distill("--engine-server", "http://127.0.0.1:9")


def test_codes_of_another_motion_tokenizer_are_no_questions(distill, trained, tmp_path):
    (tmp_path / "codes.jsonl").write_text(json.dumps({"caption": "walks", "motion_tokens": [1, 2]}) + "\n")
    write_cot_source(tmp_path / "codes.jsonl", CotSource("elsewhere.pth", "another", NB_CODE, "data"))
    with pytest.raises(InputError, match="codes of motion tokenizer another"):
        distill("--questions", tmp_path / "codes.jsonl")
