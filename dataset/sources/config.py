"""``dataset.json`` beside the clips of a data set says what they were converted with."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dataset.humanml.layout import FEATURES_FOLDER
from dataset.sources.units import LEG_METRES
from utils.errors import InputError
from utils.files.json_files import read_json, write_json
from utils.files.outputs import check_output_folder
from utils.motion.skeleton import Skeleton

METADATA_FILE = "dataset.json"
_WAY_OUT = "give another --out-dir"
# Data sets from before the unit was written down: KIT-ML's was taken to be a millimetre then.
_UNIT_BEFORE = {"t2m": 1.0, "kit": 0.001}


@dataclass(frozen=True)
class ConversionConfig:
    """What decides the values of every clip of a data set. A data set has one such configuration for all its clips.

    Attributes:
        dataname: skeleton name.
        fps: frame rate of the result.
        source: what the clips were made from and how, in words.
        target: where the skeleton came from (a clip id, a file, or "none" without retargeting).
        target_offsets: (J, 3) nested tuples, or None without retargeting.
        metres_per_unit: length of the unit of joints and features.
        cut_seconds: longer takes are parts of at most so many seconds each; None where they are left whole.
    """

    dataname: str
    fps: float
    source: str
    target: str
    target_offsets: tuple[tuple[float, ...], ...] | None
    metres_per_unit: float
    cut_seconds: float | None = None

    @property
    def offsets(self) -> np.ndarray | None:
        return None if self.target_offsets is None else np.array(self.target_offsets, dtype=np.float32)


def check_is_ours(root: str | Path, flag: str = "--out-dir") -> None:
    """Refuse to write into a folder that holds something and is no data set that a conversion made.

    Raises:
        InputError: it is somebody's data set, of the toy people or of anybody else, or a folder of other files.
    """
    try:
        check_output_folder(root, METADATA_FILE, flag)
    except InputError as error:
        if not (Path(root) / FEATURES_FOLDER).is_dir():
            raise
        hint = "a data set in this layout needs no conversion: --data-root takes it as it is"
        raise InputError(f"{error}; {hint}") from None
    read_config(root)


def read_config(root: str | Path) -> ConversionConfig | None:
    """The configuration that a data set folder was begun with; None for a new one."""
    path = Path(root) / METADATA_FILE
    if not path.is_file():
        return None
    fields = _metadata(root).get("conversion")
    if fields is None:
        raise InputError(f"{path}: the data set was not made by a conversion, and is left alone; {_WAY_OUT}")
    try:
        if fields["target_offsets"] is not None:
            offsets = np.array(fields["target_offsets"], dtype=np.float64)
            if offsets.ndim != 2 or not np.isfinite(offsets).all():
                raise ValueError(f"target_offsets of shape {offsets.shape}")
            fields["target_offsets"] = tuple(map(tuple, offsets.tolist()))
        fields.setdefault("metres_per_unit", _UNIT_BEFORE.get(fields["dataname"]))
        return ConversionConfig(**fields)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise InputError(f"{path}: not the settings of a conversion ({error}); {_WAY_OUT}") from None


def is_made_here(root: str | Path) -> bool:
    """Whether a data set folder is of a conversion or of the toy people; others may have a ``dataset.json`` too."""
    try:
        return not {"conversion", "generator"}.isdisjoint(_metadata(root))
    except InputError:
        return False


def captions_before(root: str | Path) -> str | None:
    """In words, where the tokens of the captions of a data set folder are from; None where it does not say."""
    if not (Path(root) / METADATA_FILE).is_file():
        return None
    words = _metadata(root).get("captions")
    return words if isinstance(words, str) else None


def write_config(root: str | Path, config: ConversionConfig, captions: str) -> None:
    """Write ``dataset.json``; `captions` says in words where the tokens of the captions are from."""
    write_json(Path(root) / METADATA_FILE, {"conversion": asdict(config), "captions": captions})


def _metadata(root: str | Path) -> dict[str, Any]:
    return read_json(Path(root) / METADATA_FILE, _WAY_OUT)


def check_offsets(offsets: np.ndarray, skeleton: Skeleton) -> None:
    """Refuse a target skeleton (J, 3) that is malformed or not of a person in the skeleton's unit."""
    if offsets.shape != (skeleton.num_joints, 3) or not np.isfinite(offsets).all():
        raise InputError(f"target offsets must be finite ({skeleton.num_joints}, 3), got {offsets.shape}")
    legs = float(np.linalg.norm(offsets[list(skeleton.leg_joints)], axis=-1).sum())
    # In another unit foot contacts and physics would go wrong.
    low, high = (length / skeleton.metres_per_unit for length in LEG_METRES)
    if not low < legs < high:
        unit = "metres" if skeleton.metres_per_unit == 1 else f"units of {skeleton.metres_per_unit:g} m"
        raise InputError(f"the legs are {legs:.3g} long: a person in {unit} was expected, {low:g} to {high:g}")
