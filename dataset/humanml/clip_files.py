"""The two source files of one clip, its motion and its texts, are read and judged.

An InputError has a fixed wording and no path in it, so that unusable clips can be counted by reason.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.errors import InputError
from utils.files.arrays import read_npy
from utils.files.text_files import text_of
from utils.motion.plausibility import check_features, check_size
from utils.motion.skeleton import skeleton_with_features

_ABSENT = "-"
NO_TEXT_FILE = "no text file"


@dataclass(frozen=True)
class ClipFiles:
    """Where one clip is stored.

    Attributes:
        id: clip id, as its split lists it.
        motion: .npy of (T, D) features.
        text: .txt of caption lines.
    """

    id: str
    motion: Path
    text: Path

    def stamp(self) -> str:
        """A text that changes whenever one of the files is changed, added or removed. Neither file is opened."""
        return f"{self.id}\t{_stamp(self.motion)}\t{_stamp(self.text)}"

    def read_motion(self, feature_dim: int) -> np.ndarray:
        """The features (T, D) float32, contiguous, denormalised. Raises InputError with the reason."""
        if not os.path.isfile(self.motion):  # Path.is_file raises where the name is too long for a file
            raise InputError("no motion file" + (", listed with .npy" if self.id.endswith(".npy") else ""))
        try:
            features = read_npy(self.motion)
        except InputError:
            raise InputError("motion file unreadable") from None
        if features.ndim != 2 or features.shape[1] != feature_dim:
            shape = ", ".join(["T", *map(str, features.shape[1:])])
            joints = features.ndim == 3 and features.shape[2] == 3
            hint = " (joints: prepare.motions_from_joints makes features of them)" if joints else ""
            raise InputError(f"motion of shape ({shape}), not (T, {feature_dim}){hint}")
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf and is refused as such
            features = np.ascontiguousarray(features, dtype=np.float32)
        skeleton = skeleton_with_features(feature_dim)
        if skeleton is not None:
            check_features(features, skeleton)
            check_size(features, skeleton)
        elif not np.isfinite(features).all():
            raise InputError("NaN in the motion")
        return features

    def read_text(self) -> str:
        """The whole text file, its lines ended by line feeds. Raises InputError with the reason."""
        try:
            return text_of(self.text.read_bytes(), "")
        except InputError:
            raise InputError("text file not UTF-8") from None
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(NO_TEXT_FILE) from None
        except (OSError, ValueError):  # ValueError: a name that no file can have
            raise InputError("text file unreadable") from None


def _stamp(path: Path) -> str:
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return _ABSENT
    # The mode tells that a file became readable. The time of change, which nobody can set, tells of a file that was
    # replaced by another one of its size and date.
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_mode:o}"
