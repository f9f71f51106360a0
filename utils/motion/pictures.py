"""Motions are drawn into files: an animation (GIF or MP4) or a contact sheet (PNG), several motions side by side."""

import contextlib
import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import GifImagePlugin, Image, ImageChops
from PIL.PngImagePlugin import PngInfo

from utils.errors import InputError
from utils.files.atomic import discard, named, put_in_place, temporary_beside, write_atomic
from utils.files.outputs import carries
from utils.motion.stick_figure import DrawnClip, MotionView, title_strip

ENDINGS = (".gif", ".mp4", ".png")
_TITLE_SHARE = 0.16  # height of the title above an animation, in sizes of a panel
_SEPARATOR = (222, 225, 232)
_SHEET_TITLE, _SHEET_FONT = 26, 15  # pixels
_LARGEST = 1 << 15  # pixels each way; a GIF holds up to 65,535
_MOST_PIXELS = 1 << 26  # of one picture; it and its supersampled parts are held in memory
_GIF_STEP = 2  # hundredths of a second: players slow down what is shown for a shorter time
# Every picture says where it comes from, so that another one is not taken for ours and replaced.
_MARK = "stick figures of prepare.render_motion"


def save_animation(path: str | Path, clips: Sequence[DrawnClip], fps: float, size: int = 400) -> None:
    """Animate the clips side by side; a shorter one holds its last frame. The ending of `path` is .gif or .mp4.

    Frames are drawn and written one at a time, so memory does not grow with the length.

    Raises InputError for another ending, for .mp4 where ffmpeg is not installed, and for a picture that is too large.
    """
    path = Path(path)
    check_size(len(clips) * size, int(size * (1 + _TITLE_SHARE)))
    length = max(len(clip.joints) for clip in clips)
    if path.suffix == ".gif":
        times = _gif_times(length, fps)
        frames = _animate(clips, list(times), fps, size)
        sample = next(_animate(clips, [length // 2], fps, size))
        write_atomic(path, lambda stream: _write_gif(stream, frames, list(times.values()), sample))
    elif path.suffix == ".mp4":
        _write_mp4(path, _animate(clips, range(length), fps, size), fps)
    else:
        raise InputError(f"{path}: an animation must end in .gif or .mp4")


def save_sheet(path: str | Path, clips: Sequence[DrawnClip], fps: float, columns: int = 8, size: int = 200) -> None:
    """Write the sheet of `contact_sheet` as PNG."""
    check_size(columns * size, len(clips) * (size + _SHEET_TITLE))
    sheet = contact_sheet(clips, fps, columns, size)
    mark = PngInfo()
    mark.add_text("Comment", _MARK)
    write_atomic(path, lambda stream: sheet.save(stream, format="PNG", pnginfo=mark))


def check_size(width: int, height: int) -> None:
    """Raise InputError for a picture of more pixels than fit into memory, or than a player shows."""
    if width * height > _MOST_PIXELS or max(width, height) > _LARGEST:
        raise InputError(
            f"a picture of {width} x {height} pixels is too large (at most {_LARGEST} each way, {_MOST_PIXELS} in "
            "all): draw fewer motions or columns, or give a smaller --size"
        )


def is_ours(path: str | Path) -> bool:
    """Whether a file is a picture that was drawn here, and may be drawn anew."""
    return carries(path, _MARK)


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


def _animate(clips: Sequence[DrawnClip], indices: Sequence[int], fps: float, size: int) -> Iterator[Image.Image]:
    views = [MotionView(clip, size, int(size * _TITLE_SHARE)) for clip in clips]
    for index in indices:
        yield _side_by_side([view.frame(index, f"{index / fps:.1f} s") for view in views])


def _side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    joined = Image.new("RGB", (sum(picture.width for picture in pictures), pictures[0].height), "white")
    left = 0
    for picture in pictures:
        joined.paste(picture, (left, 0))
        if left:
            joined.paste(_SEPARATOR, (left, 0, left + 1, joined.height))
        left += picture.width
    return joined


def _gif_times(length: int, fps: float) -> dict[int, int]:
    """Frame -> hundredths of a second that it is shown: no drift over the length; frames that come too fast are left
    out."""
    shown, times = [], []
    for index in range(length):
        time = round(100 * index / fps)
        if not times or time - times[-1] >= _GIF_STEP:
            shown.append(index)
            times.append(time)
    times.append(max(round(100 * length / fps), times[-1] + _GIF_STEP))
    delays = (min(end - begin, 0xFFFF) for begin, end in pairwise(times))
    return dict(zip(shown, delays, strict=True))


def _write_gif(stream: BinaryIO, frames: Iterator[Image.Image], times: Sequence[int], sample: Image.Image) -> None:
    """Write frames one after the other, of each only the rectangle that differs from the one before.

    Pillow's own writer holds all frames until it has the last one.

    Args:
        times: hundredths of a second that each is shown.
        sample: one of the frames; all share its colours, so that these do not flicker.
    """
    palette = sample.quantize(64)
    header, _ = GifImagePlugin.getheader(palette.copy(), info={"loop": 0, "comment": _MARK})
    stream.writelines(header)
    before = None
    for time, frame in zip(times, frames, strict=True):
        picture = frame.quantize(palette=palette, dither=Image.Dither.NONE)
        changed = (0, 0, *picture.size) if before is None else ImageChops.difference(frame, before).getbbox()
        changed = changed or (0, 0, 1, 1)  # nothing moves: a pixel will do, to carry the time
        stream.writelines(GifImagePlugin.getdata(picture.crop(changed), changed[:2], duration=10 * time, disposal=1))
        before = frame
    stream.write(b";")


def _write_mp4(path: Path, frames: Iterator[Image.Image], fps: float) -> None:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise InputError(f"{path}: ffmpeg is not installed; write a .gif instead")
    first = next(frames)  # before there is a file: what cannot be drawn leaves none
    handle, partial = temporary_beside(path)
    width, height = first.width // 2 * 2, first.height // 2 * 2  # yuv420p needs even sizes
    # Raw pictures come in through the pipe; yuv420p is what every player reads.
    pictures = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps), "-i", "-"]
    output = ["-pix_fmt", "yuv420p", "-metadata", f"comment={_MARK}", "-f", "mp4", partial]
    command = [ffmpeg, "-y", "-loglevel", "error", *pictures, *output]
    cropped = (frame.crop((0, 0, width, height)).tobytes() for frame in chain((first,), frames))
    try:
        with os.fdopen(handle, "rb") as stream:
            try:
                _check_status(path, *_fed(command, cropped))
                put_in_place(stream, partial, path)
            except BaseException:
                discard(stream, partial)
                raise
    except OSError as error:
        raise named(error, path) from error


def _check_status(path: Path, status: int, said: str) -> None:
    if status and os.strerror(errno.ENOSPC) in said:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if status:
        raise InputError(f"{path}: ffmpeg failed with status {status}: {said}")


def _fed(command: list[str], pieces: Iterable[bytes]) -> tuple[int, str]:
    """Run a program on what it reads from its input -> (status, the last words of what it said)."""
    # Into a file, since nobody reads a second pipe meanwhile.
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=said)
        with contextlib.suppress(BrokenPipeError), process:  # where it ends early its status says why
            for piece in pieces:
                process.stdin.write(piece)
        said.seek(0)
        return process.returncode, " ".join(said.read().decode("utf-8", "replace").split()[-40:])
