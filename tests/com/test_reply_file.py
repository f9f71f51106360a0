"""Replies of an interrupted evaluation are read back, and a damaged one is named with the way out."""

import json

import pytest

from com.reply_file import ReplyFile
from utils.errors import InputError

ROW = {"draw": 0, "query": 1, "id": "a", "text": "x\u2028y", "finished": True}


def test_replies_are_read_back_without_the_one_that_a_kill_tore(tmp_path):
    file = ReplyFile(tmp_path / "replies.part.jsonl")
    file.add([ROW, {**ROW, "query": 2}])
    with (tmp_path / "replies.part.jsonl").open("a") as stream:
        stream.write('{"draw": 0, "que')
    assert ReplyFile(tmp_path / "replies.part.jsonl").rows == {(0, 1): ROW, (0, 2): {**ROW, "query": 2}}


@pytest.mark.parametrize(
    "line", ['{"draw": 0, "que', "[]", *(json.dumps({**ROW, name: [1]}) for name in ROW), json.dumps({"draw": 0})]
)
def test_a_damaged_reply_costs_itself_alone(tmp_path, line):
    path = tmp_path / "replies.part.jsonl"
    path.write_text(json.dumps(ROW) + "\n" + line + "\n" + json.dumps({**ROW, "query": 3}) + "\n")
    with pytest.raises(
        InputError, match=r"replies\.part\.jsonl:2: not a reply .*; delete this line, and that reply is"
    ):
        ReplyFile(path)
    path.write_text("".join(path.read_text().split("\n")[number] + "\n" for number in (0, 2)))
    assert list(ReplyFile(path).rows) == [(0, 1), (0, 3)]
