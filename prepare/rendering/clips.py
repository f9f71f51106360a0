"""Whatever holds motions becomes clips to draw: files of any kind, folders of them, evaluations, codes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dataset.captions.files import read_caption_file
from dataset.humanml.layout import FEATURES_FOLDER, TEXTS_FOLDER
from models.inference.motion_files import ENDINGS, MotionReading, read_motion
from utils.errors import InputError
from utils.files.arrays import read_npy
from utils.motion.skeleton import T2M, Skeleton, skeleton_with_joints
from utils.motion.stick_figure import DrawnClip, drawable_joints

_CODES, _PREDICTIONS = ".jsonl", "predictions.jsonl"


@dataclass(frozen=True, eq=False)
class NamedClip:
    """A clip to draw, and what its own file is called where each gets one."""

    name: str
    clip: DrawnClip

    @property
    def skeleton(self) -> Skeleton:
        return skeleton_with_joints(self.clip.joints.shape[1])


@dataclass(frozen=True)
class Wanted:
    """Which clips, and what is needed to read them.

    Attributes:
        ids: of an evaluation or a file of codes; none: all of them.
        limit: of a folder, an evaluation or a file of codes without ids.
        motion_tokenizer: of codes; None: the one that the evaluation, or the file beside the codes, names.
        body_models: folder of SMPL bodies, for AMASS.
    """

    ids: tuple[str, ...] = ()
    limit: int = 8
    motion_tokenizer: str | None = None
    body_models: str | None = None


def clips_of(given: str | Path, wanted: Wanted) -> list[NamedClip]:
    """The clips of one file or folder, in its order.

    Raises:
        InputError: (with the path) nothing of that name, or nothing in it that can be drawn.
    """
    path = Path(given)
    if path.is_dir() and (path / _PREDICTIONS).is_file():
        path = path / _PREDICTIONS
    if path.is_dir():
        return list(_of_folder(path, wanted))
    if path.suffix.lower() == _CODES:
        return list(_of_codes(path, wanted))
    return [NamedClip(path.stem, read_clip(path, path.stem, wanted.body_models))]


def clip_of_data_set(root: Path, id: str) -> NamedClip:
    """A clip of a data set folder, with its first caption as the title."""
    texts = root / TEXTS_FOLDER / f"{id}.txt"
    captions = read_caption_file(texts) if texts.is_file() else []
    title = f"{id}: {captions[0].text}" if captions else id
    return NamedClip(id, read_clip(root / FEATURES_FOLDER / f"{id}.npy", title))


def read_clip(path: Path, title: str, body_models: str | None = None) -> DrawnClip:
    """The joints of a motion file, to be drawn under `title`. Raises InputError with the path."""
    if path.suffix.lower() in (".bvh", ".npz"):
        motion = read_motion(path, T2M, MotionReading(body_models=body_models))
    elif path.suffix.lower() == ".npy":
        motion = read_npy(path)
    else:
        kinds = ", ".join([*ENDINGS, _CODES])
        raise InputError(f"{path}: expected a motion in a file that ends in {kinds}, or a folder of them")
    from utils.motion.features import joints_of_motion  # late: of torch

    try:
        joints = drawable_joints(joints_of_motion(motion)[0])
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if len(joints) == 0:
        raise InputError(f"{path}: no frames")
    return DrawnClip(joints, title)


def is_of_replies(given: str) -> bool:
    """Whether ids can be asked of it: an evaluation, or a file of codes."""
    return Path(given).suffix.lower() == _CODES or (Path(given) / _PREDICTIONS).is_file()


def _of_folder(folder: Path, wanted: Wanted) -> Iterator[NamedClip]:
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and path.name[:2] != "._")
    if not paths:
        raise InputError(f"{folder}: no motion in it (a file that ends in {', '.join(ENDINGS)})")
    # The same motion may stand there in several kinds of files (eval_mllm.py --save-motions).
    first = {path.stem: path for path in reversed(paths)}
    for stem in sorted(first)[: wanted.limit]:
        yield NamedClip(stem, read_clip(first[stem], stem, wanted.body_models))


def _of_codes(path: Path, wanted: Wanted) -> Iterator[NamedClip]:
    # Late imports: `--help` and a mistyped path must not wait for torch.
    from prepare.rendering.replies import read_codes_file
    from utils.motion.features import joints_in_metres

    replies = read_codes_file(path, wanted.ids, wanted.limit, wanted.motion_tokenizer)
    motions = replies.tokenizer.decode_batch([row.codes for row in replies.rows])
    for row, motion in zip(replies.rows, motions, strict=True):
        joints = joints_in_metres(motion, replies.tokenizer.skeleton)
        yield NamedClip(row.name, DrawnClip(drawable_joints(joints), row.title))
