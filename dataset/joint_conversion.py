"""Clips of joint positions become clips of a HumanML3D-layout data set, one by one and only once.

Shared by every command that makes a data set (``prepare.motions_from_*``).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from dataset.caption_lines import Caption, parse_captions
from dataset.humanml_layout import FEATURES_FOLDER, write_record
from utils.errors import InputError
from utils.files import read_npy, write_json
from utils.inverse_kinematics import offsets_of_frame
from utils.motion_features import features_from_joints, joints_from_features
from utils.resampling import resample_linear
from utils.skeleton import T2M, Skeleton

METADATA_FILE = "dataset.json"
# Legs of a person in metres, generous; T2M thresholds (foot contact, physics) need metres.
_LEG_METRES = (0.2, 2.0)
# Shares of HumanML3D's own split.
_TRAIN_SHARE, _VAL_SHARE = 0.8, 0.05


@dataclass(frozen=True)
class ConversionSettings:
    """What every clip of a data set is converted with; stored in ``dataset.json`` beside the clips.

    Attributes:
        dataname: skeleton name.
        fps: frame rate of the result.
        source_fps: frame rate of the joints given.
        target: where the skeleton came from (a clip id, a file, or "none" without retargeting).
        target_offsets: (J, 3) nested tuples, or None without retargeting.
    """

    dataname: str
    fps: float
    source_fps: float
    target: str
    target_offsets: tuple[tuple[float, ...], ...] | None

    @property
    def offsets(self) -> np.ndarray | None:
        return None if self.target_offsets is None else np.array(self.target_offsets, dtype=np.float32)


def read_settings(root: str | Path) -> ConversionSettings | None:
    """The settings that a data set folder was begun with; None for a new one."""
    path = Path(root) / METADATA_FILE
    if not path.is_file():
        return None
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if fields["target_offsets"] is not None:
            fields["target_offsets"] = tuple(tuple(row) for row in fields["target_offsets"])
        return ConversionSettings(**fields)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: not the settings of a conversion ({error})") from None


def write_settings(root: str | Path, settings: ConversionSettings) -> None:
    write_json(Path(root) / METADATA_FILE, asdict(settings))


def read_joints(path: str | Path, skeleton: Skeleton, source_fps: float) -> np.ndarray:
    """(T, J, 3) at the skeleton's rate from one .npy; raises InputError with the path and the reason."""
    joints = read_npy(path)
    if joints.ndim != 3 or joints.shape[1:] != (skeleton.num_joints, 3):
        raise InputError(f"{path}: expected joints (T, {skeleton.num_joints}, 3), got {joints.shape}")
    if not np.isfinite(joints).all():
        raise InputError(f"{path}: joints hold values that are not finite numbers (NaN)")
    return resample_linear(joints.astype(np.float64), source_fps, skeleton.fps)


def read_texts(path: str | Path) -> list[Caption]:
    """All captions of one text file; raises InputError with the path and the reason unless all are well."""
    try:
        captions, problems = parse_captions(Path(path).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text") from None
    if problems:
        raise InputError(f"{path}: {problems[0]}")
    if not captions:
        raise InputError(f"{path}: no caption in it")
    return captions


def skeleton_of_clip(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(J, 3) offsets of the first frame of (T, J, 3); raises InputError where they cannot be a person in metres."""
    if len(joints) == 0:
        raise InputError("no frame to take the skeleton from")
    offsets = offsets_of_frame(joints[0], skeleton)
    check_offsets(offsets, skeleton)
    return offsets


def check_offsets(offsets: np.ndarray, skeleton: Skeleton) -> None:
    """Refuse a target skeleton that is malformed or, for T2M, not in metres."""
    if offsets.shape != (skeleton.num_joints, 3) or not np.isfinite(offsets).all():
        raise InputError(f"target offsets must be finite ({skeleton.num_joints}, 3), got {offsets.shape}")
    legs = float(np.linalg.norm(offsets[list(skeleton.leg_joints)], axis=-1).sum())
    low, high = _LEG_METRES
    if legs <= 0 or (skeleton is T2M and not low < legs < high):
        raise InputError(f"the legs of the target skeleton are {legs:.3g} long: joints must be in metres")


def convert_clip(
    root: str | Path, id: str, joints: np.ndarray, captions: Sequence[Caption], settings: ConversionSettings,
    skeleton: Skeleton,
) -> int:  # fmt: skip
    """Write one clip and return its number of frames. As published, the joints are those of the features (T-1)."""
    features = features_from_joints(joints, skeleton, settings.offsets)
    write_record(root, id, features, joints_from_features(features, skeleton), captions)
    return len(features)


def is_converted(root: str | Path, id: str, *sources: Path) -> bool:
    """The clip is there and newer than the files that it is made from (its features are written last)."""
    made = Path(root) / FEATURES_FOLDER / f"{id}.npy"
    if not made.is_file():
        return False
    return all(source.is_file() and source.stat().st_mtime <= made.stat().st_mtime for source in sources)


def random_splits(ids: Sequence[str], seed: int) -> dict[str, list[str]]:
    """Train, val, test in HumanML3D's shares; a clip and its mirror image (``M<id>``) stay together."""
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
