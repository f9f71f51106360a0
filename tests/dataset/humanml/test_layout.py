"""The data set folder: published filters, segments, problems named once, and what is written reads back."""

import logging

import numpy as np
import pytest

from dataset.captions.lines import Caption, format_caption_line, parse_caption_line
from dataset.humanml.clip_files import ClipFiles
from dataset.humanml.layout import (
    clip_files,
    read_mean_std,
    read_motions,
    read_split,
    read_split_ids,
    write_mean_std,
    write_record,
    write_splits,
)
from dataset.humanml.statistics import compute_mean_std
from dataset.toy.clips import toy_clips
from utils.errors import InputError
from utils.motion.features import features_from_joints
from utils.motion.skeleton import KIT, T2M

WALK = Caption("a person walks.", ("a/DET", "person/NOUN", "walk/VERB"))


def summaries(caplog):
    """What the reader said, without the lines about packing."""
    return [record.message for record in caplog.records if " motions from " in record.message]


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


@pytest.mark.parametrize("skeleton", [T2M, KIT])
def test_records_hold_the_numbers_of_the_files_and_segments_are_views(tmp_path, skeleton):
    rng, dim = np.random.default_rng(0), skeleton.feature_dim
    part = Caption("turns.", ("turn/VERB",), 0.5, 3.0)
    for id in ("000001", "M000001"):
        numbers = rng.normal(size=(90, dim)) / skeleton.metres_per_unit
        write_record(tmp_path, id, numbers, np.zeros((90, skeleton.num_joints, 3)), (WALK, part))
    write_splits(tmp_path, {"my_split": ["M000001", "000001"]})
    for _ in range(2):  # packing, then loading
        records = read_split(tmp_path, "my_split", skeleton)
        assert [record.id for record in records] == ["M000001", "M000001_1", "000001", "000001_1"]
        for whole, segment in (records[:2], records[2:]):
            stored = np.load(tmp_path / f"new_joint_vecs/{whole.id}.npy")
            assert whole.features.tobytes() == stored.tobytes()
            np.testing.assert_array_equal(segment.features, stored[10:60])
            assert np.shares_memory(segment.features, whole.features)
            assert whole.captions == (WALK,) and segment.captions == (part,)


def test_a_segment_to_infinity_ends_with_the_clip(tmp_path):
    make_clip(tmp_path, "x", 100)
    (tmp_path / "texts/x.txt").write_text("turns#turn/VERB#1.0#inf\n", encoding="utf-8")
    write_splits(tmp_path, {"train": ["x"]})
    assert [(record.id, record.num_frames) for record in read_split(tmp_path, "train", T2M)] == [("x_0", 80)]


def test_motions_are_whole_clips_of_any_length_and_need_no_text(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    part = Caption("turns.", ("turn/VERB",), 1.0, 4.0)
    for id, frames in {"long": 700, "cut": 100, "short": 39, "just": 40, "mute": 50}.items():
        make_clip(tmp_path, id, frames, (WALK, part))
    (tmp_path / "texts/mute.txt").unlink()
    write_splits(tmp_path, {"train": ["long", "mute", "cut", "short", "just", "absent"]})
    motions = read_motions(tmp_path, "train", T2M, min_frames=40)
    assert [len(motion) for motion in motions] == [700, 50, 100, 40]
    (line,) = summaries(caplog)
    assert "4 motions from 6 clips" in line and "fewer than 40 frames: 1 (short)" in line
    assert "no motion file: 1 (absent)" in line and "mute" not in line
    with pytest.raises(InputError, match=r"train\.txt: none of its 6 clips.*701 frames: 5"):
        read_motions(tmp_path, "train", T2M, min_frames=701)


def test_one_line_names_every_problem(tmp_path, caplog):
    for id in ("good", "nan", "untexted", "latin", "halfgood", "empty"):
        make_clip(tmp_path, id, 50)
    features = np.load(tmp_path / "new_joint_vecs/nan.npy")
    features[3, 5] = np.nan
    np.save(tmp_path / "new_joint_vecs/nan.npy", features)
    (tmp_path / "texts/untexted.txt").unlink()
    (tmp_path / "texts/latin.txt").write_bytes(b"caf\xe9#x/NOUN#0.0#0.0\n")
    (tmp_path / "texts/halfgood.txt").write_text("walks#walk/VERB#0.0#0.0\nno times here\n", encoding="utf-8")
    (tmp_path / "texts/empty.txt").write_text("\n", encoding="utf-8")
    make_clip(tmp_path, "kit", 50, dim=251)
    make_clip(tmp_path, "long", 200)
    make_clip(tmp_path, "parts", 50, (WALK, Caption("stops.", ("stop/VERB",), 1.0, 1.5)))
    (tmp_path / "new_joint_vecs/cut.npy").write_bytes((tmp_path / "new_joint_vecs/good.npy").read_bytes()[:500])
    listed = "absent good nan untexted latin halfgood kit cut good.npy empty long parts good"
    write_splits(tmp_path, {"train": listed.split()})
    caplog.set_level(logging.INFO)
    records = read_split(tmp_path, "train", T2M)
    assert [record.id for record in records] == ["good", "halfgood", "parts"]
    (line,) = summaries(caplog)
    for expected in (
        "3 motions from 12 clips",
        "no motion file: 1 (absent)",
        "no motion file, listed with .npy: 1 (good.npy)",
        "motion file unreadable: 1 (cut)",
        "motion of shape (T, 251), not (T, 263): 1 (kit)",
        "NaN in the motion: 1 (nan)",
        "no text file: 1 (untexted)",
        "text file not UTF-8: 1 (latin)",
        "no caption in the text: 1 (empty)",
        "caption line malformed: 1 (halfgood line 2: expected",
        "fewer than 40 or at least 200 frames: 1 (long)",
        "segment of fewer than 40 frames: 1 (parts_1)",
        "listed more than once, used once: 1 (good)",
    ):
        assert expected in line
    assert not (tmp_path / ".cache/train.skipped.txt").exists()


def make_toy(root, normalised):
    """Toy clips, the ids of `normalised` stored as (x - Mean) / Std; all ids."""
    features = {clip.id: features_from_joints(clip.joints, T2M) for clip in toy_clips(12, seed=2)}
    features = {id: motion for id, motion in features.items() if 40 <= len(motion) < 200}
    mean, std = compute_mean_std(features.values(), T2M)
    for number, (id, motion) in enumerate(features.items()):
        stored = (motion - mean) / std if number < normalised else motion
        write_record(root, id, stored, np.zeros((len(motion), 22, 3)), (WALK,))
    write_splits(root, {"train": list(features)})
    return list(features)


def test_a_data_set_of_normalised_features_is_refused_with_the_way_out(tmp_path):
    ids = make_toy(tmp_path, 12)
    message = (
        rf"train\.txt: {len(ids)} of its {len(ids)} clips \({ids[0]}, .* look normalised, .* store x \* Std \+ Mean"
    )
    for read in (lambda: read_split(tmp_path, "train", T2M), lambda: read_motions(tmp_path, "train", T2M, 40)):
        with pytest.raises(InputError, match=message):
            read()


def test_a_normalised_clip_among_others_is_skipped_by_name(tmp_path, caplog):
    ids = make_toy(tmp_path, 1)
    assert [record.id for record in read_split(tmp_path, "train", T2M)] == ids[1:]
    (line,) = summaries(caplog)
    assert f"features that look normalised, (x - Mean) / Std: 1 ({ids[0]})" in line


def test_clips_of_another_unit_are_skipped_by_name_and_refused_where_all_are(tmp_path, caplog):
    ids = make_toy(tmp_path, 0)
    for number, id in enumerate(ids):
        path = tmp_path / f"new_joint_vecs/{id}.npy"
        np.save(path, np.load(path) * np.where(np.arange(263) < 259, 100, 1))
        if number == 0:
            assert [record.id for record in read_split(tmp_path, "train", T2M)] == ids[1:]
            assert f"a body of no person's size: features in another unit, or scaled: 1 ({id})" in summaries(caplog)[-1]
    with pytest.raises(InputError, match=f"none of its {len(ids)} clips is usable: a body of no person's size"):
        read_split(tmp_path, "train", T2M)


def test_joints_in_the_place_of_features_are_told_as_such(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((50, 22, 3)))
    with pytest.raises(InputError, match=r"shape \(T, 22, 3\), not \(T, 263\) \(joints: prepare\.motions_from_joints"):
        ClipFiles("a", tmp_path / "a.npy", tmp_path / "a.txt").read_motion(263)


def test_what_the_line_leaves_out_is_in_a_file_that_it_names(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    make_clip(tmp_path, "good", 50, (WALK, Caption("stops.", ("stop/VERB",), 1.0, 1.5)))
    absent = [f"a{index}" for index in range(7)]
    write_splits(tmp_path, {"val": [*absent, "good"]})
    read_split(tmp_path, "val", T2M)
    path = tmp_path / ".cache/val.skipped.txt"
    (line,) = summaries(caplog)
    assert "no motion file: 7 (a0, a1, a2, a3, a4, ...)" in line and str(path) in line
    rows = [row.split("\t") for row in path.read_text(encoding="utf-8").splitlines()]
    assert rows == [*([id, "no motion file"] for id in absent), ["good_1", "segment of fewer than 40 frames"]]
    write_splits(tmp_path, {"val": ["good"]})
    read_split(tmp_path, "val", T2M)
    assert not path.exists()


def test_without_a_writable_cache_the_line_names_no_file(tmp_path, caplog):
    make_clip(tmp_path, "good", 50)
    (tmp_path / ".cache").write_text("in the way")
    write_splits(tmp_path, {"val": [*(f"a{index}" for index in range(7)), "good"]})
    assert [record.id for record in read_split(tmp_path, "val", T2M)] == ["good"]
    (line,) = summaries(caplog)
    assert "no motion file: 7" in line and ".cache" not in line


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


def test_split_ids_ignore_blank_lines_repeats_and_how_lines_end(tmp_path):
    (tmp_path / "train.txt").write_bytes(b"\xef\xbb\xbfa\r\n\r\n   \n b \na\n")
    assert read_split_ids(tmp_path, "train") == ["a", "b"]


@pytest.mark.parametrize("line", ["a,b", "a, b", "a b", "a;b"])
def test_a_list_of_ids_in_one_line_is_named(tmp_path, line):
    (tmp_path / "new_joint_vecs").mkdir()
    (tmp_path / "new_joint_vecs/a.npy").write_bytes(b"")
    (tmp_path / "train.txt").write_text(f"\n{line}\n")
    with pytest.raises(InputError, match=rf"train\.txt:2: expected one id a line, got '{line}'"):
        read_split_ids(tmp_path, "train")
    (tmp_path / "val.txt").write_text("walk, slowly\nrun fast\n")  # ids may hold commas and spaces
    assert read_split_ids(tmp_path, "val") == ["walk, slowly", "run fast"]


@pytest.mark.parametrize("content", ["a\rb\r", "a\n\n b"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_split_files_are_read_as_all_text_files(tmp_path, content, encoding):
    (tmp_path / "train.txt").write_bytes(content.encode(encoding))
    assert read_split_ids(tmp_path, "train") == ["a", "b"]
    (tmp_path / "train.txt").write_bytes(b"a\nb\xe9\n")
    with pytest.raises(InputError, match=r"train\.txt:2: not UTF-8 text"):
        read_split_ids(tmp_path, "train")


def test_an_id_too_long_for_a_file_is_one_clip_that_is_missing(tmp_path):
    clip = clip_files(tmp_path, "x" * 5000)
    for read in (clip.read_text, lambda: clip.read_motion(263)):
        with pytest.raises(InputError, match=r"no motion file|text file unreadable"):
            read()


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\0b", " "])
def test_a_caption_that_no_line_holds_is_not_written(text):
    with pytest.raises(InputError, match="one non-empty line"):
        format_caption_line(Caption(text, ("a/DET",)))


def test_caption_line_round_trip_with_hash_and_times():
    caption = Caption("walks to #3.", ("walk/VERB", "to/ADP"), 1.5, 2.25)
    assert format_caption_line(caption) == "walks to #3.#walk/VERB to/ADP#1.5#2.25"
    assert parse_caption_line(format_caption_line(caption)) == caption
    assert parse_caption_line("walks#walk/VERB#nan#nan") == Caption("walks", ("walk/VERB",))


@pytest.mark.parametrize(
    "line", ["walks", "walks#walk/VERB#a#0.0", "#walk/VERB#0.0#0.0", "walks#walk#0.0#0.0", "<think>#a/DET#0.0#0.0"]
)
def test_malformed_caption_lines(line):
    with pytest.raises(InputError):
        parse_caption_line(line)


def test_ids_may_hold_blanks_and_commas_and_begin_like_others(tmp_path):
    ids = ["walk", "walk fast", "walk,run"]
    for id in ids:
        make_clip(tmp_path, id, 60)
    write_splits(tmp_path, {"train": ids})
    assert [record.id for record in read_split(tmp_path, "train", T2M)] == ids
    (tmp_path / "val.txt").write_text("walk, walk fast", encoding="utf-8")
    with pytest.raises(InputError, match=r"val\.txt:1: expected one id a line, got 'walk, walk fast'"):
        read_split_ids(tmp_path, "val")


def test_a_split_without_a_clip_says_what_to_do(tmp_path):
    make_clip(tmp_path, "a", 60)
    write_splits(tmp_path, {"train": ["a"], "val": []})
    for read in (lambda: read_split(tmp_path, "val", T2M), lambda: read_motions(tmp_path, "val", T2M, 40)):
        with pytest.raises(InputError, match=r"val\.txt lists no clip: from 3 clips on .* add clips"):
            read()


def test_a_record_without_captions_leaves_the_text_file_alone(tmp_path):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/a.txt").write_text("by hand", encoding="utf-8")
    make_clip(tmp_path, "a", 60, captions=())
    assert (tmp_path / "texts/a.txt").read_text() == "by hand"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_what_float32_cannot_hold_is_not_written(tmp_path, value):
    features, joints = np.ones((40, 263)), np.ones((40, 22, 3))
    features[7, 9] = value
    with pytest.raises(InputError, match="features would hold values that are not finite"):
        write_record(tmp_path, "a", features, joints, ())
    with pytest.raises(InputError, match=r"Std\.npy would hold"):
        write_mean_std(tmp_path, np.zeros(263), np.where(np.arange(263) == 3, value, 1.0))
    assert not list(tmp_path.rglob("*.npy"))


def test_a_line_that_is_no_file_name_is_one_bad_clip(tmp_path, caplog):
    make_clip(tmp_path, "a", 60)
    (tmp_path / "train.txt").write_text(f"a\n{'x' * 300}\n\ta/../b\n", encoding="utf-8")
    assert [record.id for record in read_split(tmp_path, "train", T2M)] == ["a"]
    assert "no motion file: 2" in caplog.text
