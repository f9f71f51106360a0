"""Draw motions as stick figures: an animation (.gif, .mp4 where ffmpeg is installed) or a contact sheet (.png).

A motion is a .npy of joints (T, J, 3) or of features (T, 263 or 251), or a clip of a data set by its id. Several are
drawn side by side. Left limbs are blue, right limbs red.
"""

from dataclasses import dataclass, field
from pathlib import Path

from dataset.captions.files import read_caption_file
from dataset.humanml.layout import FEATURES_FOLDER, TEXTS_FOLDER
from options.flags.parsing import flag, parse_flags, required_flag
from utils.errors import InputError
from utils.files.arrays import read_npy
from utils.motion.features import joints_of_motion
from utils.motion.pictures import ENDINGS, save_animation, save_sheet
from utils.motion.skeleton import skeleton_with_joints
from utils.motion.stick_figure import DrawnClip
from utils.run.command import run_command


@dataclass
class RenderFlags:
    """Flags: what to draw, and how."""

    _argument_group_name = "render"

    out: str = required_flag("file to write: .gif, .mp4 or .png (contact sheet)")
    motion: list[str] = field(default_factory=list, metadata={"help": ".npy files of joints or features"})
    data_root: str | None = flag(None, "data set folder that --id is looked up in")
    id: list[str] = field(default_factory=list, metadata={"help": "ids of clips of --data-root"})
    caption: list[str] = field(default_factory=list, metadata={"help": "titles, one a motion; default: texts or name"})
    sheet: bool = flag(False, "also write a contact sheet beside the animation")
    columns: int = flag(8, "frames in a row of the contact sheet")
    fps: float | None = flag(None, "frames per second; default: that of the skeleton")
    size: int = flag(400, "pixels of one panel")

    def __post_init__(self) -> None:
        if Path(self.out).suffix not in ENDINGS:
            raise ValueError(f"--out must end in one of {', '.join(ENDINGS)}, got {self.out}")
        if bool(self.id) != (self.data_root is not None):
            raise ValueError("--id and --data-root belong together")
        if not self.motion and not self.id:
            raise ValueError("nothing to draw: give --motion, or --data-root and --id")
        if self.caption and len(self.caption) != len(self.motion) + len(self.id):
            raise ValueError("--caption needs as many titles as there are motions")
        if self.columns < 1 or self.size < 50 or (self.fps is not None and self.fps <= 0):
            raise ValueError("--columns must be at least 1, --size at least 50, --fps positive")


def main() -> None:
    (flags,) = parse_flags(RenderFlags, description=__doc__)
    clips = [read_clip(Path(path), Path(path).stem) for path in flags.motion]
    for id in flags.id:
        root = Path(flags.data_root)
        texts = root / TEXTS_FOLDER / f"{id}.txt"
        title = f"{id}: {read_caption_file(texts)[0].text}" if texts.is_file() else id
        clips.append(read_clip(root / FEATURES_FOLDER / f"{id}.npy", title))
    if flags.caption:
        clips = [DrawnClip(clip.joints, title) for clip, title in zip(clips, flags.caption, strict=True)]
    fps = flags.fps or skeleton_with_joints(clips[0].joints.shape[1]).fps

    out = Path(flags.out)
    written = [out]
    if out.suffix != ".png":
        save_animation(out, clips, fps, flags.size)
    if out.suffix == ".png" or flags.sheet:
        written = list(dict.fromkeys([*written, out.with_suffix(".png")]))
        save_sheet(written[-1], clips, fps, flags.columns, flags.size // 2)
    frames = max(len(clip.joints) for clip in clips)
    print(f"{', '.join(map(str, written))}: {len(clips)} motions, {frames} frames at {fps:g} fps")


def read_clip(path: Path, title: str) -> DrawnClip:
    """The joints of a .npy of joints or features, to be drawn under `title`. Raises InputError with the path."""
    motion = read_npy(path)
    try:
        joints, _ = joints_of_motion(motion)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if len(joints) == 0:
        raise InputError(f"{path}: no frames")
    return DrawnClip(joints, title)


if __name__ == "__main__":
    run_command(main)
