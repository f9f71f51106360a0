"""Questions without answers: a file of captions, or of codes."""

import json

import pytest

from dataset.cot.questions import Question, questions_for, read_questions
from utils.errors import InputError


def written(path, *lines):
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def read(path, nb_code=16):
    return read_questions(path, nb_code, "--rl-prompts-file")


def test_each_line_of_a_text_is_a_caption_and_equal_ones_are_asked_once(tmp_path):
    file = written(tmp_path / "captions.txt", "a person walks.", "", "  a person bows. ", "a person walks.")
    assert read(file) == [Question("a person walks.", id=" line 1"), Question("a person bows.", id=" line 3")]


def test_a_jsonl_gives_captions_and_codes_and_what_serves_which_task(tmp_path):
    rows = ({"caption": "walks"}, {"id": 7, "motion_tokens": [1, 2]}, {"caption": "bows", "motion_tokens": "3 4"})
    questions = read(written(tmp_path / "all.jsonl", *rows))
    assert questions == [
        Question("walks", id=" line 1"), Question("", (1, 2), "7"), Question("bows", (3, 4), " line 3")
    ]  # fmt: skip
    t2m, m2t = questions_for(questions, ("t2m", "m2t"), "all.jsonl")
    assert [question.caption for question in t2m] == ["walks", "bows"]
    assert [question.codes for question in m2t] == [(1, 2), (3, 4)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"text": "walks"}, "expected a 'caption' or 'motion_tokens'"),
        ({"caption": ""}, "non-empty string"),
        ({"motion_tokens": [16]}, r"outside the codebook \[0, 16\)"),
        ({"caption": "walks </think>"}, "a tag that no text may hold"),
        ({"caption": "walks", "id": 1.5}, "'id' must be text"),
        ("[1]", "expected a JSON object"),
    ],
)
def test_a_line_that_is_no_question_is_named(tmp_path, line, words):
    with pytest.raises(InputError, match=rf"questions\.jsonl:2: .*{words}"):
        read(written(tmp_path / "questions.jsonl", {"caption": "walks"}, line))


def test_a_file_that_holds_no_question_for_the_task_is_refused(tmp_path):
    for name, words in (("none.txt", "no such file"), ("captions.csv", "expected a .txt"), ("empty.txt", "no line")):
        if name != "none.txt":
            written(tmp_path / name)
        with pytest.raises(InputError, match=f"--rl-prompts-file.*{words}"):
            read(tmp_path / name)
    captions = read(written(tmp_path / "captions.txt", "walks"))
    with pytest.raises(InputError, match="no line has a 'motion_tokens', which m2t is asked with"):
        questions_for(captions, ("t2m", "m2t"), "captions.txt")
