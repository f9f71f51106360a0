"""Features that cannot be a motion as it is are told apart before anything is computed from them.

Three mistakes are common: features that were stored normalised, (x - Mean) / Std, which every model normalises once
more; features in another unit, or scaled; and features that hold NaN.
"""

from pathlib import Path

import numpy as np

from utils.errors import InputError
from utils.motion.skeleton import Skeleton

NORMALISED = "features that look normalised, (x - Mean) / Std"
DENORMALISE = "a data set holds them as they are: store x * Std + Mean, with the Mean.npy and Std.npy they were made by"
SIZELESS = "a body of no person's size: features in another unit, or scaled"
# Metres: the largest side of the box around a body, of all but what is a hundred times too large or too small. Who lies
# rolled up has 0.5, who reaches up 2.3; data sets of children, giants and estimated bodies pass.
_SIZES = (0.1, 10.0)
# Metres a second that no body has: whoever falls from a tower has less after 4 seconds.
_FASTEST = 30.0
# Frames that are looked at, about, evenly among all: every clip of a data set is. "In most frames": in this share.
_SEEN, _MOST = 16, 0.5
# A contact may be off 0 and 1 by so much and still count as one of them.
_CONTACT_TOLERANCE = 0.05
# In fewer frames anything has two values only.
_MIN_FRAMES = 10


def check_features(features: np.ndarray, skeleton: Skeleton) -> None:
    """Raise InputError, with a fixed wording, where (T, D) features cannot be a motion as it is."""
    if not np.isfinite(features).all():
        raise InputError("NaN in the motion")
    if _is_normalised(features, skeleton):
        raise InputError(NORMALISED)


def check_size(features: np.ndarray, skeleton: Skeleton) -> None:
    """Raise InputError, with a fixed wording, where the body of (T, D) features is of no person's size in most frames.

    However a person lies, crawls or stands, the box around them has a side of a person's size. Joints that are all at
    one place, as in a clip of zeros, have no size that could be a wrong one.
    """
    if not len(features):
        return
    seen = features[:: max(1, len(features) // _SEEN)]
    places = seen[:, skeleton.positions_slice].reshape(len(seen), -1, 3)
    with np.errstate(over="ignore"):  # 1e38 is no size either
        sides = skeleton.metres_per_unit * (places.max(axis=1) - places.min(axis=1)).max(axis=1)
    low, high = _SIZES
    if np.mean((sides > 0) & (sides < low) | (sides > high)) > _MOST:
        raise InputError(SIZELESS)


def check_person(features: np.ndarray, skeleton: Skeleton) -> None:
    """Raise InputError where (T, D) features are of no person's size, or go faster than a person, in most frames."""
    check_size(features, skeleton)
    with np.errstate(over="ignore"):
        steps = np.linalg.norm(features[:, skeleton.root_slice][:, 1:3].astype(np.float64), axis=1)
        speeds = steps * skeleton.metres_per_unit * skeleton.fps
    if len(speeds) and np.mean(speeds > _FASTEST) > _MOST:
        raise InputError(f"a body that moves at {np.median(speeds):.3g} m/s: features in another unit, or scaled")


def check_motion_file(path: str | Path, motion: np.ndarray, skeleton: Skeleton) -> None:
    """Raise InputError, which names the file, where what it holds is no (T, D) features of the skeleton as they are."""
    if motion.ndim != 2 or motion.shape[1] != skeleton.feature_dim:
        raise InputError(
            f"{path}: expected joints (T, {skeleton.num_joints}, 3) or features (T, {skeleton.feature_dim}), got "
            f"{motion.shape}"
        )
    try:
        check_features(motion, skeleton)
    except InputError as error:
        raise InputError(f"{path}: {error}; motions are taken as they are, finite and not normalised") from None


def _is_normalised(features: np.ndarray, skeleton: Skeleton) -> bool:
    """Whether the contacts have two values, as real ones, but other ones than 0 and 1.

    Any change of scale leaves a column of zeros and ones with two values. A model's contacts, between 0 and 1, have
    many, and say nothing. A clip that does not move at all says nothing either.
    """
    height = features[:, skeleton.root_slice][:, -1]
    if len(features) < _MIN_FRAMES or np.ptp(height) == 0:
        return False
    contacts = features[:, skeleton.contacts_slice].astype(np.float64)
    low, high = contacts.min(axis=0), contacts.max(axis=0)
    between = np.minimum(contacts - low, high - contacts).max()
    values = np.stack([low, high])
    off = np.minimum(np.abs(values), np.abs(values - 1)).max()
    return bool(between < _CONTACT_TOLERANCE * max(np.ptp(values), 1e-6) and off > _CONTACT_TOLERANCE)
