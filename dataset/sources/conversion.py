"""Clips of joint positions from any source become clips of a data set in the HumanML3D layout.

Every command that makes a data set uses this (``prepare.motions_from_*``).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dataset.captions.lines import Caption
from dataset.humanml.layout import FEATURES_FOLDER, write_record
from dataset.sources.config import ConversionConfig, check_offsets
from dataset.sources.mirroring import mirror_id, mirror_joints
from utils.errors import InputError
from utils.motion.features import features_from_joints, joints_from_features
from utils.motion.inverse_kinematics import offsets_of_frame
from utils.motion.skeleton import Skeleton

logger = logging.getLogger(__name__)

# The shares of HumanML3D's own splits.
_TRAIN_SHARE, _VAL_SHARE = 0.8, 0.05


@dataclass(frozen=True)
class SourceClip:
    """A motion somewhere on disk.

    Attributes:
        id: of the clip in the data set.
        paths: the files that the clip is made from; when one is newer than the result, the clip is converted again.
        read: gives (T, J, 3) joints at the skeleton's frame rate, in its unit, Y up; raises InputError with the path.
        mirrored: the clip is the mirror image of what its files hold.
        up: which axis of the files was taken for the one that points up (``--up``); None where no flag says it.
    """

    id: str
    paths: tuple[Path, ...]
    read: Callable[[], np.ndarray]
    mirrored: bool = False
    up: str | None = None


def source_files(folder: Path, ending: str, below: bool = False) -> list[Path]:
    """The files of one `ending` (``.npy``, in any capitals) in `folder`, and `below` it if wanted, sorted.

    ``._x`` beside ``x`` is what macOS keeps about a file on foreign disks and in archives: left out, with their count
    as a warning.
    """
    found = folder.rglob("*") if below else folder.iterdir()
    paths = sorted(path for path in found if path.suffix.lower() == ending and path.is_file())
    files = [path for path in paths if not path.name.startswith("._")]
    if len(files) < len(paths):
        logger.warning("%s: %d files ._* of macOS left out", folder, len(paths) - len(files))
    return files


def source_id(folder: Path, path: Path) -> str:
    """The id of the clip of a file below `folder`: its path without the ending, folders joined by ``_``."""
    return "_".join(path.relative_to(folder).with_suffix("").parts)


def mirrored(clip: SourceClip, skeleton: Skeleton) -> SourceClip:
    """The clip with left and right exchanged, named as HumanML3D does it (``M<id>``)."""
    return replace(clip, id=mirror_id(clip.id), read=lambda: mirror_joints(clip.read(), skeleton), mirrored=True)


def skeleton_of_clip(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(J, 3) offsets of the first frame of (T, J, 3). Raises InputError where they are not of a person's size."""
    if len(joints) == 0:
        raise InputError("no frame to take the skeleton from")
    offsets = offsets_of_frame(joints[0], skeleton)
    check_offsets(offsets, skeleton)
    return offsets


def convert_clip(
    root: str | Path, clip: SourceClip, captions: Sequence[Caption], config: ConversionConfig, skeleton: Skeleton
) -> int:
    """Write one clip and return its number of frames.

    As published, the joints that are written are recovered from the features, so they have one frame less than given.
    """
    joints = clip.read()
    if config.offsets is None:
        skeleton_of_clip(joints, skeleton)  # checks the size; with retargeting the target decides it
    features = features_from_joints(joints, skeleton, config.offsets)
    write_record(root, clip.id, features, joints_from_features(features, skeleton), captions)
    return len(features)


def is_converted(root: str | Path, id: str, sources: Sequence[Path]) -> bool:
    """Whether the clip is there and newer than the files that it is made from."""
    # The features are written last: where they are, the clip is complete.
    made = Path(root) / FEATURES_FOLDER / f"{id}.npy"
    if not made.is_file():
        return False
    return all(source.is_file() and source.stat().st_mtime <= made.stat().st_mtime for source in sources)


def random_splits(ids: Sequence[str], seed: int) -> dict[str, list[str]]:
    """Random train, val and test in HumanML3D's shares; a clip and its mirror image (``M<id>``) stay together."""
    known = set(ids)
    group_of = {id: id[1:] if id.startswith("M") and id[1:] in known else id for id in ids}
    groups = sorted(set(group_of.values()))
    order = np.random.default_rng(seed).permutation(len(groups))
    position = {groups[index]: rank / len(groups) for rank, index in enumerate(order)}
    splits: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for id in sorted(ids):
        share = position[group_of[id]]
        split = "train" if share < _TRAIN_SHARE else "val" if share < _TRAIN_SHARE + _VAL_SHARE else "test"
        splits[split].append(id)
    return splits
