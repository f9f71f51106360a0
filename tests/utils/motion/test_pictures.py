"""Animations and sheets: frames are written one at a time, times add up, and a picture of somebody else is known."""

import gc
import shutil
import weakref

import numpy as np
import pytest
from PIL import Image

from utils.errors import InputError
from utils.motion.pictures import is_ours, save_animation, save_sheet
from utils.motion.skeleton import T2M
from utils.motion.stick_figure import DrawnClip, MotionView, drawable_joints

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def random_joints(frames):
    """(T, 22, 3) metres: some body that drifts."""
    rng = np.random.default_rng(0)
    body = rng.uniform((-0.4, 0, -0.4), (0.4, 1.7, 0.4), (T2M.num_joints, 3))
    return body + np.arange(frames)[:, None, None] * np.array([0.01, 0, 0.02])


def clip_of(frames, title=""):
    return DrawnClip(random_joints(frames), title)


def shown_ms(path):
    """(frames, milliseconds in all) of a GIF."""
    with Image.open(path) as picture:
        total = 0
        for index in range(picture.n_frames):
            picture.seek(index)
            total += picture.info["duration"]
        return picture.n_frames, total


def most_frames_held(path, length, monkeypatch):
    """How many drawn frames are alive at once while an animation of so many is written."""
    alive, most, draw = weakref.WeakValueDictionary(), [0], MotionView.frame

    def watched(self, *arguments):
        picture = draw(self, *arguments)
        alive[id(picture)] = picture
        gc.collect()
        most[0] = max(most[0], len(alive))
        return picture

    gc.freeze()  # a collection looks at what is made from now on only, which takes no time
    try:
        with monkeypatch.context() as patch:
            patch.setattr(MotionView, "frame", watched)
            save_animation(path, [clip_of(length)], 20, size=60)
    finally:
        gc.unfreeze()
    assert path.stat().st_size > 1000
    return most[0]


@pytest.mark.parametrize("ending", [".gif", pytest.param(".mp4", marks=needs_ffmpeg)])
def test_a_longer_motion_holds_no_more_frames(tmp_path, monkeypatch, ending):
    short = most_frames_held(tmp_path / f"short{ending}", 10, monkeypatch)
    assert most_frames_held(tmp_path / f"long{ending}", 80, monkeypatch) == short < 8


@pytest.mark.parametrize(("fps", "frames"), [(20, 50), (12.5, 50), (30, 50), (60, 34), (1000, 3)])
def test_a_gif_lasts_as_long_as_the_motion(tmp_path, fps, frames):
    """Its times are hundredths of a second, and players do not show what is faster than two of them."""
    save_animation(tmp_path / "a.gif", [clip_of(50)], fps, size=60)
    found, total = shown_ms(tmp_path / "a.gif")
    assert found == pytest.approx(frames, abs=1)
    assert total == pytest.approx(1000 * 50 / fps, abs=20)


def test_the_frames_of_a_gif_are_those_that_were_drawn(tmp_path):
    clip = clip_of(12, "a title")
    save_animation(tmp_path / "a.gif", [clip], 20, size=100)
    view = MotionView(clip, 100, 16)
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.n_frames == 12 and picture.info["loop"] == 0
        for index in (0, 5, 11):
            picture.seek(index)
            drawn = np.asarray(view.frame(index, f"{index / 20:.1f} s"), dtype=int)
            assert np.abs(np.asarray(picture.convert("RGB"), dtype=int) - drawn).mean() < 3


def test_a_motion_that_stands_still_keeps_its_time(tmp_path):
    save_animation(tmp_path / "a.gif", [DrawnClip(np.repeat(random_joints(1), 30, axis=0))], 20, size=60)
    assert shown_ms(tmp_path / "a.gif")[1] == 1500


def test_what_was_drawn_here_is_told_from_other_pictures(tmp_path):
    save_sheet(tmp_path / "a.png", [clip_of(3)], 20, columns=2, size=60)
    save_animation(tmp_path / "a.gif", [clip_of(3)], 20, size=60)
    assert is_ours(tmp_path / "a.png") and is_ours(tmp_path / "a.gif")
    Image.new("RGB", (9, 9)).save(tmp_path / "b.png")
    (tmp_path / "empty.gif").touch()
    assert not is_ours(tmp_path / "b.png") and not is_ours(tmp_path / "empty.gif")


@needs_ffmpeg
def test_a_film_says_so_too_and_a_failure_of_ffmpeg_is_one_line(tmp_path, monkeypatch):
    save_animation(tmp_path / "a.mp4", [clip_of(3)], 20, size=60)
    assert is_ours(tmp_path / "a.mp4") and [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    bad = tmp_path / "bin"
    bad.mkdir()
    (bad / "ffmpeg").write_text("#!/bin/sh\necho no codec >&2\nexit 3\n")
    (bad / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", str(bad), prepend=":")
    before = (tmp_path / "a.mp4").read_bytes()
    with pytest.raises(InputError, match=r"a\.mp4: ffmpeg failed with status 3: no codec"):
        save_animation(tmp_path / "a.mp4", [clip_of(200)], 20, size=200)  # more than a pipe holds
    assert (tmp_path / "a.mp4").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "bin"]


@pytest.mark.parametrize(
    "title", ["a $x^2$", "\U0001f600 \u0645 \u4e2d", "a\nb\tc\x07\0", "\udc80 \ud83d", "w" * 500, ""]
)
def test_any_title_can_be_drawn(tmp_path, title):
    save_animation(tmp_path / "a.gif", [clip_of(2, title)], 20, size=60)
    save_sheet(tmp_path / "a.png", [clip_of(2, title)], 20, columns=2, size=60)
    assert shown_ms(tmp_path / "a.gif")[0] == 2


def test_what_cannot_be_drawn_is_named(tmp_path):
    for value in (np.nan, np.inf, -1e30):
        joints = random_joints(9)
        joints[7, 3, 1] = value
        with pytest.raises(InputError, match="frame 7: a joint lies at"):
            drawable_joints(joints)
    assert drawable_joints(random_joints(9)).shape == (9, T2M.num_joints, 3)
    with pytest.raises(InputError, match="too large"):
        save_animation(tmp_path / "a.gif", [clip_of(2)], 20, size=100_000)
    with pytest.raises(InputError, match="too large"):
        save_sheet(tmp_path / "a.png", [clip_of(2)], 20, columns=1_000_000)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_drawn_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: name)  # it would be started after the first frame

    def fails(*_):
        raise ValueError("no frame")

    monkeypatch.setattr(MotionView, "frame", fails)
    for name in ("a.mp4", "a.gif"):
        with pytest.raises(ValueError, match="no frame"):
            save_animation(tmp_path / name, [clip_of(5)], 20)
    assert list(tmp_path.iterdir()) == []
