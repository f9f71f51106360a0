"""The frames of a BVH file: counts that are off, torn ends, marks behind them, and what cannot be told."""

import numpy as np
import pytest

from dataset.sources.bvh.file import read_bvh
from tests.dataset.sources.bvh.synthetic_bvh import write
from utils.errors import InputError


def rows(count, channels=11, decimals=3):
    return [[f"{frame + channel / 7:.{decimals}f}" for channel in range(channels)] for frame in range(count)]


@pytest.mark.parametrize(
    ("frames", "change", "there", "said"),
    [
        (8, lambda text: text.replace("Frames: 8", "Frames: 9"), 8, "'Frames: 9', but 8 are there"),
        (8, lambda text: text.replace("Frames: 8", "Frames: 7"), 8, "'Frames: 7', but 8 are there"),
        (8, lambda text: text.replace("Frames: 8", "Frames: 0"), 8, "'Frames: 0', but 8 are there"),
        (8, lambda text: text.replace("Frames: 8", f"Frames: {'9' * 5000}"), 8, "but 8 are there"),
        (8, lambda text: text.replace("Frames: 8", "Frames: 1000000000000"), 8, "but 8 are there"),
        (8, lambda text: text[:-20], 7, "the last frame is torn (8 of 11 values) and left out"),
        (8, lambda text: text[:-6] + "-", 7, "the last frame is torn (10 of 11 values) and left out"),
        (8, lambda text: text[:-2], 7, "the last frame is torn (11 of 11 values) and left out"),
        (8, lambda text: text[:-1], 8, None),
        (8, lambda text: text + "\0" * 512, 8, "NUL bytes behind the last number: left out"),
        (8, lambda text: text + "\x1a", 8, "Ctrl-Z (the end mark of DOS) behind the last number: left out"),
        (8, lambda text: text[:-1] + ";\n", 8, "a semicolon behind the last number: left out"),
        (8, lambda text: text[:-20] + "\0" * 20, 7, "the last frame is torn"),
        (1, lambda text: text.replace("Frames: 1", "Frames: 2"), 1, "but 1 are there"),
    ],
)
def test_the_frames_that_are_there_are_taken(tmp_path, caplog, frames, change, there, said):
    path = write(tmp_path, rows(frames))
    whole = read_bvh(path)
    path.write_bytes(change(path.read_text()).encode())
    motion = read_bvh(path)
    np.testing.assert_array_equal(motion.translations, whole.translations[:there])
    np.testing.assert_array_equal(motion.rotations, whole.rotations[:there])
    assert said is None or said in caplog.text
    assert said is not None or not caplog.records
    # Read again, for a mirror image or another run of the same process, it is said once.
    count = len(caplog.records)
    read_bvh(path)
    assert len(caplog.records) == count


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_any_system_may_have_written_it(tmp_path, newline, encoding, caplog):
    path = write(tmp_path, rows(8))
    whole = read_bvh(path)
    path.write_bytes(path.read_text().replace("\n", newline).encode(encoding))
    np.testing.assert_array_equal(read_bvh(path).rotations, whole.rotations)
    assert not caplog.records


def test_frames_without_one_whole_are_none(tmp_path):
    path = write(tmp_path, rows(1))
    for change in (lambda text: text[:-20], lambda text: text.partition("0.05")[0] + "0.05\n"):
        path.write_text(change(write(tmp_path, rows(1)).read_text()))
        with pytest.raises(InputError, match=r":31: expected one frame or more, got '1' and no whole frame"):
            read_bvh(path)


def test_lines_of_another_width_are_not_taken_for_a_stream(tmp_path):
    # 11 lines of 10 numbers are as many numbers as 10 frames of 11 channels.
    for count in (11, 30):
        with pytest.raises(
            InputError, match=r":33: \d+ values in \d+ lines are not the frames announced, of 11 channels"
        ):
            read_bvh(write(tmp_path, rows(count, channels=10)))


def test_a_value_lost_in_the_middle_is_named_with_its_line(tmp_path):
    frames = rows(8)
    frames[3].pop(5)
    with pytest.raises(InputError, match=r":36: 10 values, a frame has 11: the file is damaged here"):
        read_bvh(write(tmp_path, frames))
