"""Pictures: sides have their colours, the camera follows, files are what their ending says."""

import numpy as np
import pytest
from PIL import Image, ImageSequence

from utils.errors import InputError
from utils.motion.pictures import save_animation, save_sheet
from utils.motion.skeleton import KIT, T2M
from utils.motion.stick_figure import LEFT_COLOUR, RIGHT_COLOUR, DrawnClip, MotionView


def standing(skeleton=T2M, frames=5):
    joints = np.zeros((skeleton.num_joints, 3))
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0:
            joints[joint] = joints[parent] + 0.25 * skeleton.directions()[joint]
    joints[:, 1] -= joints[:, 1].min()
    return np.repeat(joints[None], frames, axis=0)


def columns_of(picture, colour):
    """Mean x of the pixels of this colour."""
    return np.nonzero((np.abs(np.asarray(picture, int) - colour) < 12).all(-1))[1].mean()


def test_left_of_a_person_who_faces_the_camera_is_on_the_right_of_the_picture():
    picture = MotionView(DrawnClip(standing()), 300).frame(0)
    assert columns_of(picture, LEFT_COLOUR) > columns_of(picture, RIGHT_COLOUR) + 10


def test_camera_follows_and_the_ground_shows_the_travel():
    joints = standing(frames=60)
    joints[..., 0] += 0.1 * np.arange(60)[:, None]
    view = MotionView(DrawnClip(joints), 300)
    first, later = view.frame(20), view.frame(43)
    assert abs(columns_of(first, LEFT_COLOUR) - columns_of(later, LEFT_COLOUR)) < 8
    assert np.abs(np.asarray(first, int) - np.asarray(later, int))[:, 200:].max() > 10


def test_scale_does_not_depend_on_the_unit():
    metres, millimetres = MotionView(DrawnClip(standing(KIT)), 200), MotionView(DrawnClip(standing(KIT) * 1000), 200)
    difference = np.asarray(metres.frame(0), int) - np.asarray(millimetres.frame(0), int)
    assert (np.abs(difference) > 40).mean() < 0.05  # the grid may differ, the body may not


def test_gif_lasts_as_long_as_the_longest_clip(tmp_path):
    moving = standing(frames=9)
    moving[:, 20, 1] += np.arange(9) * 0.1
    save_animation(tmp_path / "a.gif", [DrawnClip(moving, "waves"), DrawnClip(standing(frames=3))], fps=20, size=120)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.width == 240
        # Equal neighbours are stored as one longer frame.
        assert sum(frame.info["duration"] for frame in ImageSequence.Iterator(gif)) == 9 * 50


def test_sheet_has_one_row_a_clip(tmp_path):
    save_sheet(
        tmp_path / "s.png", [DrawnClip(standing(), "a"), DrawnClip(standing(), "b")], fps=20, columns=4, size=100
    )
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.width == 400 and sheet.height > 200


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"\.gif"):
        save_animation(tmp_path / "a.avi", [DrawnClip(standing())], fps=20)


def test_mp4_without_ffmpeg_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="ffmpeg"):
        save_animation(tmp_path / "a.mp4", [DrawnClip(standing())], fps=20)
    assert not list(tmp_path.iterdir())
