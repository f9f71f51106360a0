"""The data set folder: published filters, segments, problems named once, and what is written reads back."""

import logging

import numpy as np
import pytest

from dataset.caption_lines import Caption, format_caption_line, parse_caption_line
from dataset.humanml_layout import (
    read_mean_std,
    read_split,
    read_split_ids,
    write_mean_std,
    write_record,
    write_splits,
)
from utils.errors import InputError
from utils.skeleton import KIT, T2M

WALK = Caption("a person walks.", ("a/DET", "person/NOUN", "walk/VERB"))


def make_clip(root, id, frames, captions=(WALK,), dim=263):
    features = np.arange(frames, dtype=np.float32)[:, None] * np.ones(dim, np.float32)
    write_record(root, id, features, np.zeros((frames, 22, 3)), captions)


def test_keeps_split_order_and_published_lengths(tmp_path):
    for id, frames in {"b": 40, "a": 199, "short": 39, "long": 200}.items():
        make_clip(tmp_path, id, frames)
    write_splits(tmp_path, {"train": ["b", "short", "a", "long", "b"]})
    records = read_split(tmp_path, "train", T2M)
    assert [(record.id, record.num_frames) for record in records] == [("b", 40), ("a", 199)]
    assert records[0].captions == (WALK,)
    assert records[0].features.dtype == np.float32


def test_segments_become_records_with_twenty_frames_a_second(tmp_path):
    part = Caption("turns.", ("turn/VERB",), 1.0, 4.0)
    tiny = Caption("stops.", ("stop/VERB",), 1.0, 1.5)
    make_clip(tmp_path, "x", 100, (WALK, part, tiny))
    make_clip(tmp_path, "y", 100, (part,))
    write_splits(tmp_path, {"test": ["x", "y"]})
    records = read_split(tmp_path, "test", T2M)
    assert [record.id for record in records] == ["x", "x_1", "y_0"]
    assert records[1].captions == (part,)
    # 1.0 s to 4.0 s = frames 20 .. 79
    assert records[1].features[0, 0] == 20 and records[1].features[-1, 0] == 79


def test_kit_segments_also_use_twenty_frames_a_second(tmp_path):
    make_clip(tmp_path, "k", 100, (Caption("turns.", ("turn/VERB",), 1.0, 3.0),), dim=251)
    write_splits(tmp_path, {"train": ["k"]})
    assert [record.num_frames for record in read_split(tmp_path, "train", KIT)] == [40]


def test_one_line_names_every_problem(tmp_path, caplog):
    for id in ("good", "nan", "untexted", "latin", "halfgood"):
        make_clip(tmp_path, id, 50)
    features = np.load(tmp_path / "new_joint_vecs/nan.npy")
    features[3, 5] = np.nan
    np.save(tmp_path / "new_joint_vecs/nan.npy", features)
    (tmp_path / "texts/untexted.txt").unlink()
    (tmp_path / "texts/latin.txt").write_bytes(b"caf\xe9#x/NOUN#0.0#0.0\n")
    (tmp_path / "texts/halfgood.txt").write_text("walks#walk/VERB#0.0#0.0\nno times here\n", encoding="utf-8")
    make_clip(tmp_path, "kit", 50, dim=251)
    (tmp_path / "new_joint_vecs/cut.npy").write_bytes((tmp_path / "new_joint_vecs/good.npy").read_bytes()[:500])
    write_splits(tmp_path, {"train": ["absent", "good", "nan", "untexted", "latin", "halfgood", "kit", "cut"]})
    with caplog.at_level(logging.INFO):
        records = read_split(tmp_path, "train", T2M)
    assert [record.id for record in records] == ["good", "halfgood"]
    assert len(caplog.records) == 1
    line = caplog.text
    for expected in (
        "2 motions from 8 clips",
        "missing (absent)",
        "NaN (nan)",
        "text files missing (untexted)",
        "not UTF-8 (latin)",
        "malformed (halfgood line 2",
        "(T, 251) (kit)",
        "unreadable (cut)",
    ):
        assert expected in line


@pytest.mark.parametrize("case", ["folder", "split", "all clips"])
def test_nothing_to_read_is_an_error_with_the_path(tmp_path, case):
    root = tmp_path / "nowhere" if case == "folder" else tmp_path
    if case == "all clips":
        write_splits(tmp_path, {"val": ["a", "b"]})
    with pytest.raises(InputError, match="nowhere" if case == "folder" else "val.txt"):
        read_split(root, "val", T2M)


def test_mean_std_round_trip_and_zero_std_refused(tmp_path):
    mean, std = np.arange(263.0), np.full(263, 2.0)
    write_mean_std(tmp_path, mean, std)
    read_mean, read_std = read_mean_std(tmp_path)
    np.testing.assert_array_equal(read_mean, mean.astype(np.float32))
    np.testing.assert_array_equal(read_std, std.astype(np.float32))
    write_mean_std(tmp_path, mean, std * 0)
    with pytest.raises(InputError, match="Std positive"):
        read_mean_std(tmp_path)


def test_split_ids_ignore_blank_lines_and_repeats(tmp_path):
    (tmp_path / "train.txt").write_text("a\n\n b \na\n", encoding="utf-8")
    assert read_split_ids(tmp_path, "train") == ["a", "b"]


def test_caption_line_round_trip_with_hash_and_times():
    caption = Caption("walks to #3.", ("walk/VERB", "to/ADP"), 1.5, 2.25)
    assert format_caption_line(caption) == "walks to #3.#walk/VERB to/ADP#1.5#2.25"
    assert parse_caption_line(format_caption_line(caption)) == caption
    assert parse_caption_line("walks#walk/VERB#nan#nan") == Caption("walks", ("walk/VERB",))


@pytest.mark.parametrize("line", ["walks", "walks#walk/VERB#a#0.0", "#walk/VERB#0.0#0.0", "walks#walk#0.0#0.0"])
def test_malformed_caption_lines(line):
    with pytest.raises(InputError):
        parse_caption_line(line)
