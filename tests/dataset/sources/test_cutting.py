"""Long takes become parts of equal length, and each caption comes to the parts of its time."""

import numpy as np
import pytest

from dataset.captions.lines import Caption
from dataset.sources.conversion import Cut, SourceClip
from dataset.sources.cutting import captions_of_part, check_cut_seconds, cut_takes, longest_whole
from tests.prepare.test_motions_from_joints import body
from utils.errors import InputError
from utils.motion.skeleton import KIT, T2M


def take(tmp_path, frames, reads=None):
    joints = body(frames=max(frames, 1))[:frames]

    def read():
        if reads is not None:
            reads.append(frames)
        return joints

    return SourceClip("walk", (tmp_path / "walk.npy",), read)


@pytest.mark.parametrize(
    ("frames", "lengths"),
    [(200, None), (201, [101, 101]), (399, [200, 200]), (400, [134, 134, 134]), (1000, [167, 168, 168, 167, 167, 168])],
)
def test_parts_are_equal_at_most_ten_seconds_and_lose_no_frame_of_features(tmp_path, frames, lengths):
    whole = take(tmp_path, frames)
    clips = cut_takes([whole], T2M, 10)
    if lengths is None:
        assert clips == [whole]  # 10 seconds are not more than 10 seconds
        return
    assert [clip.id for clip in clips] == [f"walk_s{index}" for index in range(len(lengths))]
    parts = [clip.read() for clip in clips]
    assert [len(part) for part in parts] == lengths and sum(len(part) - 1 for part in parts) == frames - 1
    assert np.array_equal(np.concatenate([parts[0], *(part[1:] for part in parts[1:])]), whole.read())
    ends = np.cumsum([length - 1 for length in lengths]) / 20
    assert [clip.cut.end for clip in clips] == pytest.approx(ends) and clips[0].cut.start == 0
    assert len({clip.part for clip in clips}) == len(clips)


def test_a_take_is_read_once_to_measure_it_and_once_for_all_its_parts(tmp_path):
    reads = []
    for clip in cut_takes([take(tmp_path, 900, reads)], T2M, 10):
        clip.read()
    assert len(reads) == 2


def test_a_take_that_cannot_be_read_stays_whole_and_is_bad_when_it_is_converted(tmp_path):
    def read():
        raise InputError("torn")

    broken = SourceClip("walk", (tmp_path / "walk.npy",), read)
    assert cut_takes([broken, take(tmp_path, 0)], T2M, 10)[0] is broken


@pytest.mark.parametrize(("skeleton", "least", "whole"), [(T2M, 4.05, 10), (KIT, 3.92, 16)])
def test_no_part_is_too_short_or_too_long_for_readers(tmp_path, skeleton, least, whole):
    assert longest_whole(skeleton) == whole
    with pytest.raises(InputError, match=f"give {least} or more"):
        check_cut_seconds(least - 0.05, skeleton)
    for seconds in (least, whole):
        check_cut_seconds(seconds, skeleton)
        for frames in range(60, 700):
            clips = cut_takes([SourceClip("a", (tmp_path,), lambda n=frames: np.zeros((n, 1, 3)))], skeleton, seconds)
            if len(clips) > 1:
                lengths = [len(clip.read()) - 1 for clip in clips]
                assert skeleton.min_frames <= min(lengths) and max(lengths) < skeleton.max_frames


def caption(start, end):
    return Caption("walks", ("walk/VERB",), start, end)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((0.0, 0.0), (0.0, 0.0)),  # of all of the take
        ((12.0, 15.0), (2.0, 5.0)),
        ((8.0, 13.5), (0.0, 3.5)),
        ((17.0, 25.0), (7.0, 10.0)),
        ((10.0, 20.0), (0.0, 0.0)),  # of all of the part
        ((3.0, 60.0), (0.0, 0.0)),
        ((8.0, 10.4), None),  # less than half a second of it
        ((8.0, 10.5), (0.0, 0.5)),
        ((12.0, 12.3), (2.0, 2.3)),  # a short one that is here as a whole
        ((19.9, 20.2), None),
        ((2.0, 9.0), None),
        ((20.0, 22.0), None),
        ((15.0, 12.0), None),
    ],
)
def test_a_caption_comes_to_the_parts_of_its_time(given, expected):
    found = captions_of_part([caption(*given)], Cut("take", 10.0, 20.0))
    assert found == (() if expected is None else (caption(*expected),))
