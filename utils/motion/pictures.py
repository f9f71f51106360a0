"""Motions are drawn into files: an animation (GIF or MP4) or a contact sheet (PNG), several motions side by side."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from utils.errors import InputError
from utils.files.atomic import write_atomic
from utils.motion.stick_figure import DrawnClip, MotionView, title_strip

ENDINGS = (".gif", ".mp4", ".png")
_TITLE_SHARE = 0.16  # height of the title above an animation, in sizes of a panel
_SEPARATOR = (222, 225, 232)
_SHEET_TITLE, _SHEET_FONT = 26, 15  # pixels


def save_animation(path: str | Path, clips: Sequence[DrawnClip], fps: float, size: int = 400) -> None:
    """Animate the clips side by side; a shorter one holds its last frame. The ending of `path` is .gif or .mp4.

    Raises InputError for another ending, and for .mp4 where ffmpeg is not installed.
    """
    path = Path(path)
    length = max(len(clip.joints) for clip in clips)
    if path.suffix == ".gif":
        frames = [_side_by_side(views) for views in _animate(clips, length, fps, size)]
        _write_gif(path, frames, fps)
    elif path.suffix == ".mp4":
        _write_mp4(path, (_side_by_side(views) for views in _animate(clips, length, fps, size)), fps)
    else:
        raise InputError(f"{path}: an animation must end in .gif or .mp4")


def save_sheet(path: str | Path, clips: Sequence[DrawnClip], fps: float, columns: int = 8, size: int = 200) -> None:
    """Write the sheet of `contact_sheet` as PNG."""
    sheet = contact_sheet(clips, fps, columns, size)
    write_atomic(path, lambda stream: sheet.save(stream, format="PNG"))


def contact_sheet(clips: Sequence[DrawnClip], fps: float, columns: int = 8, size: int = 200) -> Image.Image:
    """A picture with a row for each clip: `columns` evenly spaced frames from first to last, with their times."""
    rows = []
    for clip in clips:
        view = MotionView(clip, size)
        indices = np.round(np.linspace(0, len(clip.joints) - 1, columns)).astype(int)
        strip = _side_by_side([view.frame(index, f"{index / fps:.1f} s") for index in indices])
        rows += [title_strip(clip.title, strip.width, _SHEET_TITLE, _SHEET_FONT), strip]
    sheet = Image.new("RGB", (rows[0].width, sum(row.height for row in rows)), "white")
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


def _animate(clips: Sequence[DrawnClip], length: int, fps: float, size: int) -> Iterator[list[Image.Image]]:
    views = [MotionView(clip, size, int(size * _TITLE_SHARE)) for clip in clips]
    for index in range(length):
        yield [view.frame(index, f"{index / fps:.1f} s") for view in views]


def _side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    joined = Image.new("RGB", (sum(picture.width for picture in pictures), pictures[0].height), "white")
    left = 0
    for picture in pictures:
        joined.paste(picture, (left, 0))
        if left:
            joined.paste(_SEPARATOR, (left, 0, left + 1, joined.height))
        left += picture.width
    return joined


def _write_gif(path: Path, frames: list[Image.Image], fps: float) -> None:
    # One palette for all frames, so that colours do not flicker.
    palette = frames[len(frames) // 2].quantize(64)
    indexed = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    write_atomic(
        path,
        lambda stream: indexed[0].save(
            stream, format="GIF", save_all=True, append_images=indexed[1:], duration=round(1000 / fps), loop=0
        ),
    )


def _write_mp4(path: Path, frames: Iterator[Image.Image], fps: float) -> None:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise InputError(f"{path}: ffmpeg is not installed; write a .gif instead")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.tmp.mp4")
    first = next(frames)
    width, height = first.width // 2 * 2, first.height // 2 * 2  # yuv420p needs even sizes
    # Raw pictures come in through the pipe; yuv420p is what every player reads.
    pictures = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps), "-i", "-"]
    command = [ffmpeg, "-y", "-loglevel", "error", *pictures, "-pix_fmt", "yuv420p", str(partial)]
    try:
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
            for frame in (first, *frames):
                process.stdin.write(frame.crop((0, 0, width, height)).tobytes())
            process.stdin.close()
        if process.returncode:
            raise InputError(f"{path}: ffmpeg failed with status {process.returncode}")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
