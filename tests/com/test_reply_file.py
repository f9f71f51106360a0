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


def test_replies_that_are_drawn_otherwise_do_not_go_on_from_others(tmp_path):
    path, others = tmp_path / "replies.part.jsonl", {**ROW, "query": 2}
    path.write_text(json.dumps({**ROW, "query": 9}) + "\n")  # of an earlier version, which did not say
    begun = ReplyFile(path, "1-of-2", "T0,bfloat16")
    assert begun.drawn_as(more=True) == "T0,bfloat16"
    begun.add([ROW])
    again = ReplyFile(path, decoding="T0,float32")
    assert again.drawn_as() == "T0,bfloat16"  # nothing is added: whoever judges on another machine signs how it was
    with pytest.raises(InputError, match=r"not all replies are drawn alike \(T0,bfloat16 and T0,float32\): go on as"):
        again.drawn_as(more=True)
    again.add([{**again.rows[0, 1], "draw": 1}])
    assert again.rows[1, 1]["decoding"] == "T0,bfloat16"  # a copy
    again.add([others])
    with pytest.raises(InputError, match="not all replies are drawn alike"):
        ReplyFile(path).drawn_as()
