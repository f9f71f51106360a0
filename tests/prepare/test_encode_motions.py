"""Encoding a data set survives a kill: no chunk is encoded twice, and the file is that of an uninterrupted run."""

import json
import logging
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from dataset.cot.source import read_cot_source
from models.tokenizer.motion_tokenizer import MotionTokenizer
from prepare import encode_motions
from tests.places import ROOT
from tests.prepare.random_motions import random_tokenizer, write_motions
from utils.errors import InputError

COUNTS = {"train": 14, "val": 3, "test": 3}
TOTAL, CHUNK = 20, 3
# The command with small chunks, each of which takes a while.
SLOW_COMMAND = f"""
import time
from models.tokenizer.motion_tokenizer import MotionTokenizer
from prepare import encode_motions

encode_motions._CLIPS_AT_ONCE = {CHUNK}
encode = MotionTokenizer.encode_batch
MotionTokenizer.encode_batch = lambda self, clips: time.sleep(0.3) or encode(self, clips)
encode_motions.main()
"""


class Killed(Exception):
    """Stands for a kill -9 at a chosen moment."""


@pytest.fixture
def folder(tmp_path):
    write_motions(tmp_path / "data", COUNTS)
    random_tokenizer().save(tmp_path / "tokenizer.pth")
    return tmp_path


@pytest.fixture
def encode(folder, monkeypatch):
    """encode(out, die_after=None, tokenizer=...) -> ids of all motions that went through the network, in order."""
    real = MotionTokenizer.encode_batch
    monkeypatch.setattr(encode_motions, "_CLIPS_AT_ONCE", CHUNK)

    def run(out, die_after=None, tokenizer="tokenizer.pth"):
        counts = []

        def counting(self, clips):
            if die_after is not None and len(counts) == die_after:
                raise Killed
            counts.append(len(clips))
            return real(self, clips)

        monkeypatch.setattr(MotionTokenizer, "encode_batch", counting)
        monkeypatch.setattr(sys, "argv", ["encode_motions", *arguments(folder, out, tokenizer)])
        if die_after is None:
            encode_motions.main()
        else:
            with pytest.raises(Killed):
                encode_motions.main()
        return counts

    return run


def arguments(folder, out, tokenizer="tokenizer.pth"):
    return [
        "--data-root", str(folder / "data"), "--motion-tokenizer", str(folder / tokenizer), "--out", str(folder / out),
        "--device", "cpu",
    ]  # fmt: skip


def files(folder):
    return {path.name for path in folder.iterdir()} - {"data", "tokenizer.pth", "other.pth"}


def test_kill_9_and_the_same_command_again(folder, encode, caplog):
    part = folder / "killed.jsonl.part"
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_COMMAND, *arguments(folder, "killed.jsonl")],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (part.is_file() and part.read_bytes().count(b"\n") > 2 * CHUNK) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert files(folder) == {"killed.jsonl.part", ".killed.jsonl.lock"}  # the lock itself went with its process
    done = part.read_bytes().count(b"\n") - 1
    assert 2 * CHUNK <= done < TOTAL and done % CHUNK == 0

    with caplog.at_level(logging.INFO):
        assert sum(encode("killed.jsonl")) == TOTAL - done
    assert f"continuing after {done} of {TOTAL} motions" in caplog.text
    assert sum(encode("straight.jsonl")) == TOTAL
    assert (folder / "killed.jsonl").read_bytes() == (folder / "straight.jsonl").read_bytes()
    assert files(folder) == {f"{name}.{kind}" for name in ("killed", "straight") for kind in ("jsonl", "source.json")}
    rows = [json.loads(line) for line in (folder / "killed.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [f"{split}{i}" for split, count in COUNTS.items() for i in range(count)]
    tokenizer = MotionTokenizer.load(folder / "tokenizer.pth")
    for row in rows:
        features = np.load(folder / "data" / "new_joint_vecs" / f"{row['id']}.npy")
        assert row["codes"] == tokenizer.encode(features).tolist()


@pytest.mark.parametrize("torn", [b'{"id": "train6", "sp', '{"id": "träin6'.encode()[:-4], b"\0" * 50 + b"\n", None])
def test_a_torn_line_is_dropped(folder, encode, torn):
    encode("straight.jsonl")
    encode("codes.jsonl", die_after=3)
    part = folder / "codes.jsonl.part"
    if torn is None:  # within the last chunk, which is then no whole one
        part.write_bytes(part.read_bytes()[:-40])
    else:
        part.write_bytes(part.read_bytes() + torn)
    expected = TOTAL - (2 if torn is None else 3) * CHUNK
    assert sum(encode("codes.jsonl")) == expected
    assert (folder / "codes.jsonl").read_bytes() == (folder / "straight.jsonl").read_bytes()


def test_another_tokenizer_starts_anew(folder, encode, caplog):
    random_tokenizer(seed=1).save(folder / "other.pth")
    encode("codes.jsonl", die_after=3)
    with caplog.at_level(logging.INFO):
        assert sum(encode("codes.jsonl", tokenizer="other.pth")) == TOTAL
    assert "another tokenizer or other motions: starting anew" in caplog.text
    assert sum(encode("straight.jsonl", tokenizer="other.pth")) == TOTAL
    assert (folder / "codes.jsonl").read_bytes() == (folder / "straight.jsonl").read_bytes()
    source = json.loads((folder / "codes.source.json").read_text())
    assert source["fingerprint"] == MotionTokenizer.load(folder / "other.pth").fingerprint
    # a finished file of another tokenizer is replaced too
    assert sum(encode("codes.jsonl")) == TOTAL
    assert (folder / "codes.jsonl").read_bytes() != (folder / "straight.jsonl").read_bytes()


def test_changed_motions_are_noticed_and_finished_files_left_alone(folder, encode):
    encode("codes.jsonl", die_after=3)
    path = folder / "data" / "new_joint_vecs" / "val1.npy"
    np.save(path, np.load(path) + 0.5)  # the same length
    assert sum(encode("codes.jsonl")) == TOTAL
    before = (folder / "codes.jsonl").stat().st_mtime_ns
    assert encode("codes.jsonl") == []
    assert (folder / "codes.jsonl").stat().st_mtime_ns == before
    np.save(path, np.load(path) - 0.5)
    assert sum(encode("codes.jsonl")) == TOTAL
    with (folder / "codes.jsonl").open("r+b") as stream:  # a copy that broke off
        stream.truncate(300)
    assert sum(encode("codes.jsonl")) == TOTAL


def test_a_change_in_the_middle_of_a_motion_is_noticed(folder, encode, caplog):
    encode("codes.jsonl")
    path = folder / "data" / "new_joint_vecs" / "val1.npy"
    features = np.load(path)
    features[10:30] *= 3  # its first and last frames are as they were
    np.save(path, features)
    with caplog.at_level(logging.INFO):
        assert sum(encode("codes.jsonl")) == TOTAL
    assert "another tokenizer or other motions: encoding anew" in caplog.text


def test_codes_of_an_earlier_version_are_encoded_anew_and_say_why(folder, encode, caplog):
    encode("codes.jsonl")
    made = (folder / "codes.jsonl").read_bytes()
    path = folder / "codes.source.json"
    source = json.loads(path.read_text())
    path.write_text(json.dumps({**source, "data_fingerprint": "0123456789ab"}))
    assert read_cot_source(folder / "codes.jsonl").fingerprint == source["fingerprint"]  # training goes by this
    with caplog.at_level(logging.INFO):
        assert sum(encode("codes.jsonl")) == TOTAL
    assert "was made by an earlier version, which looked at two frames a motion: encoding anew" in caplog.text
    assert (folder / "codes.jsonl").read_bytes() == made and json.loads(path.read_text()) == source


@pytest.mark.parametrize("damage", [b'{"id": "x"', b"\0\0\0\n", b'{"id": "train0", "split": "val", "codes": [1]}\n'])
def test_damaged_codes_are_not_taken_as_done(folder, encode, damage):
    encode("codes.jsonl")
    made = (folder / "codes.jsonl").read_bytes()
    (folder / "codes.jsonl").write_bytes(made[: made.rindex(b"\n", 0, -1) + 1] + damage)
    assert sum(encode("codes.jsonl")) == TOTAL
    assert (folder / "codes.jsonl").read_bytes() == made


def test_a_damaged_source_is_written_again(folder, encode):
    encode("codes.jsonl")
    good = (folder / "codes.source.json").read_text()
    (folder / "codes.source.json").write_text(good[:-20])
    assert sum(encode("codes.jsonl")) == TOTAL
    assert (folder / "codes.source.json").read_text() == good


def test_killed_at_the_very_end(folder, encode, monkeypatch):
    encode("straight.jsonl")

    def die(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(encode_motions, "write_cot_source", die)
        with pytest.raises(Killed):
            encode("codes.jsonl")
    assert not (folder / "codes.source.json").exists()
    assert encode("codes.jsonl") == []
    assert (folder / "codes.jsonl").read_bytes() == (folder / "straight.jsonl").read_bytes()
    assert files(folder) == {"straight.jsonl", "straight.source.json", "codes.jsonl", "codes.source.json"}


@pytest.mark.parametrize("content", ['{"id": "a", "caption": "he walks", "codes": [1]}\n', "notes of somebody"])
def test_what_holds_no_codes_is_never_replaced(folder, encode, content):
    (folder / "mine.jsonl").write_text(content)
    with pytest.raises(InputError, match=r"mine\.jsonl: is there and holds no codes of this command"):
        encode("mine.jsonl")
    assert (folder / "mine.jsonl").read_text() == content


def test_what_came_there_while_the_motions_were_read_is_not_replaced(folder, encode, monkeypatch):
    real = encode_motions.read_split

    def slow(*given):
        (folder / "codes.jsonl").write_text("notes of somebody")
        return real(*given)

    monkeypatch.setattr(encode_motions, "read_split", slow)
    with pytest.raises(InputError, match=r"codes\.jsonl: is there and holds no codes of this command"):
        encode("codes.jsonl")
    assert (folder / "codes.jsonl").read_text() == "notes of somebody"


def test_a_split_that_is_given_twice_is_encoded_once(folder, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["encode_motions", *arguments(folder, "c.jsonl"), "--splits", "val", "val"])
    encode_motions.main()
    ids = [json.loads(line)["id"] for line in (folder / "c.jsonl").read_text().splitlines()]
    assert len(ids) == len(set(ids)) == COUNTS["val"]
