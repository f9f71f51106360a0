"""Expected tokens were produced by Stanford's PTBTokenizer as pycocoevalcap 1.2 calls it."""

import pytest

from utils.metrics.ptb_tokenizer import ptb_tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("he can't stop", "he ca n't stop"),
        ("they've gone; he'll run", "they 've gone he 'll run"),
        ("shouldn't've", "should n't 've"),
        ("person’s arm", "person 's arm"),
        ("the persons' arms", "the persons arms"),
        ("Cannot do it, gonna run", "can not do it gon na run"),
        ("he's (slowly) walking [back]", "he 's -lrb- slowly -rrb- walking -lsb- back -rsb-"),
        ("walks... then stops -- or – not…", "walks then stops or not"),
        ("\"quoted\" and 'quoted'", "quoted and quoted"),
        ("counter-clockwise, left -right -", "counter-clockwise left right"),
        ("his/her hand w/ a/b/c", "his/her hand w / a/b/c"),
        ("him-/herself", "him / herself"),
        ("1.5 meters, 2,000 steps at 10:30", "1.5 meters 2,000 steps at 10:30"),
        ("1,5m radius, 2x, 3rd", "1,5 m radius 2x 3rd"),
        ("a 90° turn", "a 90 ° turn"),
        ("50% of $5", "50 % of $ 5"),
        ("-5 degrees", "-5 degrees"),
        ("e.g. a dance, etc.", "e.g. a dance etc."),
        ("Mr. Smith walks at 9 a.m.", "mr. smith walks at 9 a.m."),
        ("no. 5 says no.", "no. 5 says no"),
        ("walks.Then runs,then stops", "walks.then runs then stops"),
        ("what?! well!!! yes!", "what ?! well !!! yes"),
        ("rock'n'roll at one o'clock", "rock 'n' roll at one o'clock"),
        ("café", "café"),
        ("", ""),
        (" . ", ""),
    ],
)
def test_tokens_of_the_java_tokenizer(text, expected):
    assert " ".join(ptb_tokens(text)) == expected
