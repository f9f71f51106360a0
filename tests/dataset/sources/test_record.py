"""What each clip was made from: by content, and after a kill."""

import os

import pytest

from dataset.sources.record import RECORD_FILE, ClipRecord, ConversionRecord, SourceFingerprints
from utils.errors import InputError


def test_what_is_put_is_there_in_the_next_run(tmp_path):
    record = ConversionRecord(tmp_path)
    record.put(ClipRecord("a", "1"))
    record.put(ClipRecord("b", "2", captions="3", text="4"))
    record.put(ClipRecord("a", "5"))
    record.put_splits({"train": ["b"], "test": ["a", "unknown"]})
    again = ConversionRecord(tmp_path)
    assert again.get("a") == ClipRecord("a", "5", split="test") and again.get("c") is None
    assert again.splits() == {"a": "test", "b": "train"}
    assert len((tmp_path / RECORD_FILE).read_text().splitlines()) == 2
    again.put_splits({"train": ["b"]})  # "a" could not be used this time
    assert ConversionRecord(tmp_path).splits()["a"] == "test"


@pytest.mark.parametrize("damage", [b'{"id": "b", "mot', b"\xff\xfe\n", b'{"id": 7, "motion": "x"}\n', b"[[[[\n"])
def test_a_damaged_line_is_no_record_and_the_others_hold(tmp_path, damage):
    ConversionRecord(tmp_path).put(ClipRecord("a", "1"))
    with (tmp_path / RECORD_FILE).open("ab") as stream:
        stream.write(damage)
    record = ConversionRecord(tmp_path)
    assert record.get("a") == ClipRecord("a", "1") and record.get("b") is None
    record.put(ClipRecord("c", "3"))
    assert ConversionRecord(tmp_path).get("c") == ClipRecord("c", "3")


def test_content_counts_and_neither_date_nor_name(tmp_path):
    path, other = tmp_path / "a.npy", tmp_path / "b.npy"
    path.write_bytes(b"one")
    before = SourceFingerprints().of([path])
    other.write_bytes(b"one")
    os.utime(path, (1, 1))
    assert before == SourceFingerprints().of([path]) == SourceFingerprints().of([other])
    status = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert before != SourceFingerprints().of([path])
    assert len({SourceFingerprints().of([other], how) for how in ("", "0 10", "0 11", "mirrored")}) == 4


def test_a_source_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.npy: no such file"):
        SourceFingerprints().of([tmp_path / "gone.npy"])
    with pytest.raises(InputError, match="is not a file"):
        SourceFingerprints().of([tmp_path])
