"""Clips of AMASS (Mahmood et al., ICCV 2019), .npz files of body poses, become 22 joints, Y up, at 20 fps.

Both generations of the archive are read: ``*_poses.npz`` (SMPL-H, ``mocap_framerate``) and ``*_stageii.npz`` (SMPL-H
or SMPL-X, ``mocap_frame_rate``). Published HumanML3D was made from the first.

Axes: AMASS is Z up. The published code swaps y and z, which mirrors the body, and negates x in a later step, which
mirrors it back. Here both are one proper rotation, (x, y, z) -> (-x, z, y): Y is up and a person who faces +Z has the
left side at +X, as the skeletons of `utils.motion.skeleton` expect.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dataset.sources.amass.body_model import FAMILY_JOINTS, BodyModel
from utils.errors import InputError
from utils.files.arrays import names_in_npz, read_npz
from utils.motion.resampling import check_frame_rate, sample_times
from utils.motion.skeleton import T2M

GENDERS = ("male", "female", "neutral")
_PRINTED_BYTES = re.compile(r"b?(['\"])(?P<word>.*)\1")
_BODY_WIDTH = 3 * T2M.num_joints
_FRAME_RATES = ("mocap_framerate", "mocap_frame_rate")
# No joint turns further from its rest pose than 180 degrees, but a turn may be stored as one the other way round. Poses
# in degrees, the common mistake, are far beyond.
_LARGEST_TURN = 4 * np.pi
_FAMILY_OF_WIDTH = {3 * joints: family for family, joints in FAMILY_JOINTS.items()}


@dataclass(frozen=True, eq=False)
class AmassClip:
    """One motion as AMASS stores it.

    Attributes:
        poses: (T, P) axis-angle in radians, P >= 66: root orientation, 21 body joints, then hands and face.
        trans: (T, 3) metres, Z up.
        betas: (B,) shape coefficients.
        gender: ``male``, ``female`` or ``neutral``.
        fps: frames a second of the recording.
        family: the body model that the poses belong to: ``smpl``, ``smplh`` or ``smplx``.
    """

    poses: np.ndarray
    trans: np.ndarray
    betas: np.ndarray
    gender: str
    fps: float
    family: str


def is_motion_file(path: str | Path) -> bool:
    """False for AMASS files that hold a body shape but no motion (``shape.npz``, ``*_stagei.npz``).

    Only the names in the archive are looked at. A file that is no archive counts as a motion, so that reading it tells
    what is wrong.
    """
    if Path(path).name.endswith("_stagei.npz"):
        return False
    try:
        names = names_in_npz(path)
    except InputError:
        return True
    return "poses" in names or {"root_orient", "pose_body"} <= names


def read_amass(path: str | Path) -> AmassClip:
    """Read one motion; raises InputError with the path for anything that is broken, missing or not a number."""
    names = ("poses", "root_orient", "pose_body", "trans", "betas", "gender", "surface_model_type", *_FRAME_RATES)
    arrays = read_npz(path, names)
    rate = next((arrays[name] for name in _FRAME_RATES if name in arrays), None)
    has_poses = "poses" in arrays or {"root_orient", "pose_body"} <= arrays.keys()
    if not has_poses or rate is None or not {"trans", "betas", "gender"} <= arrays.keys():
        raise InputError(
            f"{path}: not an AMASS motion: expected poses (or root_orient and pose_body), trans, betas, gender and "
            f"mocap_framerate, it holds {', '.join(sorted(arrays)) or 'none of them'}"
        )
    for name in {"poses", "root_orient", "pose_body", "trans", "betas"} & arrays.keys():
        if not np.issubdtype(arrays[name].dtype, np.number) or not np.isfinite(arrays[name]).all():
            raise InputError(f"{path}: {name} holds values that are not finite numbers (NaN)")
    poses = arrays["poses"] if "poses" in arrays else _joined_poses(path, arrays["root_orient"], arrays["pose_body"])
    trans, betas = arrays["trans"], arrays["betas"]
    frames = len(trans) if trans.ndim else 0
    if poses.shape[:1] != (frames,) or trans.shape != (frames, 3) or poses.ndim != 2 or poses.shape[1] < _BODY_WIDTH:
        raise InputError(f"{path}: expected poses (T, >= 66) and trans (T, 3), got {poses.shape} and {trans.shape}")
    if frames == 0:
        raise InputError(f"{path}: no frames")
    turn = float(np.abs(poses[:, :_BODY_WIDTH]).max())
    if turn > _LARGEST_TURN:
        raise InputError(f"{path}: poses hold turns of {turn:.3g} radians, no body turns so far: are they degrees?")
    if betas.ndim != 1:
        raise InputError(f"{path}: expected betas (B,), got {betas.shape}")
    gender = _word(path, "gender", arrays["gender"])
    if gender not in GENDERS:
        raise InputError(f"{path}: gender must be one of {', '.join(GENDERS)}, got {gender!r}")
    family = _family(path, arrays.get("surface_model_type"), poses.shape[1])
    return AmassClip(poses, trans, betas, gender, _positive_number(path, rate), family)


def stored_gender(path: str | Path) -> str | None:
    """The gender of a recording, which alone is read; None where it does not say one."""
    try:
        return _word(path, "gender", read_npz(path, ("gender",))["gender"])
    except (InputError, KeyError):
        return None


def joints_of_clip(
    clip: AmassClip, model: BodyModel, fps: float = T2M.fps, rule: Literal["resample", "stride"] = "resample"
) -> np.ndarray:
    """(T', 22, 3) float32 metres, Y up; a person who faces +Z has the left side at +X.

    Args:
        clip: from `read_amass`.
        model: of the clip's family and gender.
        fps: of the result.
        rule: ``resample`` takes the poses at k / fps seconds (rotations by slerp, translation linearly; whole ratios
            pick frames). ``stride`` is published HumanML3D's rule, in whose frames its index counts: every
            ``int(clip.fps / fps)``-th frame, whatever rate that gives (100 fps -> exact, 150 fps -> 21.4 fps).
    """
    if model.family != clip.family:
        raise InputError(f"the clip is for a {clip.family} body model, the one given is {model.family}")
    poses, trans = clip.poses[:, :_BODY_WIDTH], clip.trans
    if rule == "stride":
        step = int(clip.fps / fps)
        if step < 1:
            raise InputError(f"{clip.fps:g} frames a second are fewer than {fps:g}: no frame can be left out")
        poses, trans = poses[::step], trans[::step]
    elif rule == "resample":
        poses, trans = _resampled(poses, trans, clip.fps, fps)
    else:
        raise InputError(f"rule must be resample or stride, got {rule!r}")
    joints = model.joints(poses, clip.betas, trans)
    # Z up -> Y up, see the top of the file.
    return joints[..., [0, 2, 1]] * np.array([-1, 1, 1], dtype=np.float32)


def _resampled(poses: np.ndarray, trans: np.ndarray, source_fps: float, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """(T, 66) rotations by slerp and (T, 3) positions by straight lines, at the frames of `sample_times`."""
    from scipy.spatial.transform import Rotation

    times = sample_times(len(poses), source_fps, fps)
    nearest = np.rint(times).astype(np.int64)
    if np.abs(times - nearest).max() < 1e-6:
        return poses[nearest], trans[nearest]
    # Between two frames: the turn from one to the other, in part.
    before = np.floor(times).astype(np.int64)
    after = np.minimum(before + 1, len(poses) - 1)
    weight = (times - before)[:, None]
    start = Rotation.from_rotvec(poses[before].reshape(-1, 3))
    turn = (start.inv() * Rotation.from_rotvec(poses[after].reshape(-1, 3))).as_rotvec()
    part = Rotation.from_rotvec(turn * np.repeat(weight, T2M.num_joints, axis=0))
    turned = (start * part).as_rotvec().reshape(len(times), -1)
    return turned, trans[before] * (1 - weight) + trans[after] * weight


def _joined_poses(path: str | Path, root: np.ndarray, body: np.ndarray) -> np.ndarray:
    if root.ndim != 2 or body.ndim != 2 or len(root) != len(body) or root.shape[1] + body.shape[1] != _BODY_WIDTH:
        raise InputError(f"{path}: expected root_orient (T, 3) and pose_body (T, 63), got {root.shape}, {body.shape}")
    return np.concatenate([root, body], axis=1)


def _word(path: str | Path, name: str, value: np.ndarray) -> str:
    """The one word that an array holds, as text, as bytes or as ``b'...'`` in text, in lower case."""
    if value.size != 1 or value.dtype.kind not in "US":
        raise InputError(f"{path}: {name} must be one word, got {value.dtype} {value.shape}")
    word = value.item()
    word = (word.decode("utf-8", "replace") if isinstance(word, bytes) else word).strip().lower()
    printed = _PRINTED_BYTES.fullmatch(word)
    return printed["word"] if printed else word


def _positive_number(path: str | Path, value: np.ndarray) -> float:
    if value.size != 1 or not np.issubdtype(value.dtype, np.number) or not 0 < value.item() < np.inf:
        shown = value.item() if value.size == 1 else f"{value.size} values"
        raise InputError(f"{path}: the frame rate must be one positive number, got {shown}")
    return check_frame_rate(float(value.item()), f"{path}: ")


def _family(path: str | Path, stored: np.ndarray | None, width: int) -> str:
    """The body family: as the file says it, else by the number of values in a pose."""
    if stored is not None:
        named = _word(path, "surface_model_type", stored)
        # Longest first: "smplx_locked_head" is an SMPL-X too.
        family = next((name for name in ("smplx", "smplh", "smpl") if named.startswith(name)), None)
    else:
        named, family = f"{width} values in a pose", _FAMILY_OF_WIDTH.get(width)
    if family is None:
        raise InputError(
            f"{path}: cannot tell the body model from {named!r}: expected surface_model_type smpl, smplh or smplx, or "
            "poses of 72, 156 or 165 values"
        )
    return family
