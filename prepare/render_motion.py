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
from utils.files.outputs import check_output_file
from utils.motion.features import joints_of_motion
from utils.motion.pictures import ENDINGS, is_ours, save_animation, save_sheet
from utils.motion.skeleton import skeleton_with_joints
from utils.motion.stick_figure import DrawnClip, drawable_joints
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
        if self.columns < 1 or self.size < 50:
            raise ValueError("--columns must be at least 1, --size at least 50")
        if self.fps is not None and not 0.01 <= self.fps <= 1000:
            raise ValueError(f"--fps must be between 0.01 and 1000, not {self.fps}")


def main() -> None:
    (flags,) = parse_flags(RenderFlags, description=__doc__)
    out = Path(flags.out)
    sheet = out.with_suffix(".png") if flags.sheet or out.suffix == ".png" else None
    for picture in {out, sheet or out}:
        check_output_file(picture, [])
        if picture.exists() and not is_ours(picture):
            raise InputError(f"--out {picture}: is there and was not drawn by this command: give another name")
    clips = [read_clip(Path(path), Path(path).stem) for path in flags.motion]
    for id in flags.id:
        root = Path(flags.data_root)
        texts = root / TEXTS_FOLDER / f"{id}.txt"
        captions = read_caption_file(texts) if texts.is_file() else []
        title = f"{id}: {captions[0].text}" if captions else id
        clips.append(read_clip(root / FEATURES_FOLDER / f"{id}.npy", title))
    if flags.caption:
        clips = [DrawnClip(clip.joints, title) for clip, title in zip(clips, flags.caption, strict=True)]
    fps = flags.fps or skeleton_with_joints(clips[0].joints.shape[1]).fps

    if out.suffix != ".png":
        save_animation(out, clips, fps, flags.size)
    if sheet is not None:
        save_sheet(sheet, clips, fps, flags.columns, flags.size // 2)
    written = dict.fromkeys([out, sheet or out])
    frames = max(len(clip.joints) for clip in clips)
    print(f"{', '.join(map(str, written))}: {len(clips)} motions, {frames} frames at {fps:g} fps")


def read_clip(path: Path, title: str) -> DrawnClip:
    """The joints of a .npy of joints or features, to be drawn under `title`. Raises InputError with the path."""
    motion = read_npy(path)
    try:
        joints = drawable_joints(joints_of_motion(motion)[0])
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if len(joints) == 0:
        raise InputError(f"{path}: no frames")
    return DrawnClip(joints, title)


if __name__ == "__main__":
    run_command(main)
