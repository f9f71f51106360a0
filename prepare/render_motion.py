"""Draw motions as stick figures: an animation (.gif, .mp4 where ffmpeg is installed) or a contact sheet (.png).

    python -m prepare.render_motion --motion walk.bvh dance.npy --out both.gif
    python -m prepare.render_motion --data-root data/toy --id 000000 --motion experiments/eval_t2m --out beside.gif
    python -m prepare.render_motion --motion folder --each --out pictures/motion.gif

A motion is a file (.npy of joints (T, J, 3) or of features (T, 263 or 251), .bvh, or .npz of AMASS with --body-models),
a folder of such files, an evaluation (its folder or predictions.jsonl), a .jsonl of codes, or a clip of a data set by
its id. Several are drawn side by side, with --each into a file each. Left limbs are blue, right limbs red.
"""

from dataclasses import dataclass, field
from pathlib import Path

from options.flags.parsing import flag, need, parse_flags, required_flag
from prepare.rendering.clips import NamedClip, Wanted, clip_of_data_set, clips_of, is_of_replies, read_clip
from utils.errors import InputError
from utils.files.outputs import check_replaceable
from utils.motion.pictures import ENDINGS, is_ours, save_animation, save_sheet
from utils.motion.stick_figure import DrawnClip
from utils.run.command import run_command

__all__ = ["main", "read_clip"]


@dataclass
class RenderFlags:
    """Flags: what to draw, and how."""

    _argument_group_name = "render"

    out: str = required_flag("file to write: .gif, .mp4 or .png (contact sheet)")
    motion: list[str] = field(
        default_factory=list,
        metadata={"help": "motion files (.npy, .bvh, .npz), folders of them, evaluations, .jsonl files of codes"},
    )
    data_root: str | None = flag(None, "data set folder that --id is looked up in")
    id: list[str] = field(
        default_factory=list,
        metadata={"help": "ids of clips of --data-root, and of an evaluation or codes of --motion"},
    )
    motion_tokenizer: str | None = flag(None, "tokenizer of codes; default: that of the evaluation, or named beside")
    body_models: str | None = flag(None, "folder of SMPL bodies, needed for AMASS .npz")
    limit: int = flag(8, "of a folder, an evaluation or codes without --id: the first so many")
    each: bool = flag(False, "a file for each motion, OUT-NAME.gif, instead of one with all side by side")
    caption: list[str] = field(default_factory=list, metadata={"help": "titles, one a motion; default: texts or name"})
    sheet: bool = flag(False, "also write a contact sheet beside the animation")
    columns: int = flag(8, "frames in a row of the contact sheet")
    fps: float | None = flag(None, "frames per second; default: that of the skeleton")
    size: int = flag(400, "pixels of one panel")

    def __post_init__(self) -> None:
        if Path(self.out).suffix not in ENDINGS:
            raise ValueError(f"--out must end in one of {', '.join(ENDINGS)}, got {self.out}")
        replies = any(map(is_of_replies, self.motion))
        if self.id and self.data_root is None and not replies:
            raise ValueError("--id and --data-root belong together (or give --motion an evaluation or codes)")
        if self.data_root is not None and not self.id:
            raise ValueError("--id and --data-root belong together")
        if not self.motion and not self.id:
            raise ValueError("nothing to draw: give --motion, or --data-root and --id")
        if self.columns < 1 or self.size < 50:
            raise ValueError("--columns must be at least 1, --size at least 50")
        need(self.limit > 0, "--limit must be positive")
        if self.fps is not None and not 0.01 <= self.fps <= 1000:
            raise ValueError(f"--fps must be between 0.01 and 1000, not {self.fps}")


def main() -> None:
    (flags,) = parse_flags(RenderFlags, description=__doc__)
    out = Path(flags.out)
    if not flags.each:
        check_pictures(out, flags.sheet)
    clips = read_clips(flags)
    groups = {out: clips}
    if flags.each:
        groups = {out.with_stem(f"{out.stem}-{clip.name}"): [clip] for clip in clips}
        for path in groups:
            check_pictures(path, flags.sheet)
    for path, group in groups.items():
        draw(path, group, flags)


def read_clips(flags: RenderFlags) -> list[NamedClip]:
    """All that is drawn, with the titles of --caption."""
    wanted = Wanted(tuple(flags.id), flags.limit, flags.motion_tokenizer, flags.body_models)
    clips = [clip_of_data_set(Path(flags.data_root), id) for id in flags.id] if flags.data_root is not None else []
    given = [clip for path in flags.motion for clip in clips_of(path, wanted)]
    # A real clip stands before the replies to it; other files come first.
    clips = clips + given if any(map(is_of_replies, flags.motion)) else given + clips
    if flags.caption and len(flags.caption) != len(clips):
        raise InputError(f"--caption: {len(flags.caption)} titles for {len(clips)} motions")
    if flags.caption:
        pairs = zip(clips, flags.caption, strict=True)
        clips = [NamedClip(clip.name, DrawnClip(clip.clip.joints, title)) for clip, title in pairs]
    return clips


def check_pictures(out: Path, with_sheet: bool) -> None:
    """Refuse to write over a picture that was not drawn here."""
    for picture in {out, out.with_suffix(".png") if with_sheet else out}:
        check_replaceable(picture, is_ours)


def draw(out: Path, clips: list[NamedClip], flags: RenderFlags) -> None:
    """Write one picture, and its contact sheet where that is wanted."""
    sheet = out.with_suffix(".png") if flags.sheet or out.suffix == ".png" else None
    drawn, fps = [clip.clip for clip in clips], flags.fps or clips[0].skeleton.fps
    if out.suffix != ".png":
        save_animation(out, drawn, fps, flags.size)
    if sheet is not None:
        save_sheet(sheet, drawn, fps, flags.columns, flags.size // 2)
    written = dict.fromkeys([out, sheet or out])
    frames = max(len(clip.joints) for clip in drawn)
    print(f"{', '.join(map(str, written))}: {len(clips)} motions, {frames} frames at {fps:g} fps")


if __name__ == "__main__":
    run_command(main)
