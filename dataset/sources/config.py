"""``dataset.json`` beside the clips of a data set says what they were converted with."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from dataset.sources.units import LEG_METRES
from utils.errors import InputError
from utils.files.json_files import read_json, write_json
from utils.motion.skeleton import Skeleton

METADATA_FILE = "dataset.json"


@dataclass(frozen=True)
class ConversionConfig:
    """What decides the values of every clip of a data set. A data set has one such configuration for all its clips.

    Attributes:
        dataname: skeleton name.
        fps: frame rate of the result.
        source: what the clips were made from and how, in words.
        target: where the skeleton came from (a clip id, a file, or "none" without retargeting).
        target_offsets: (J, 3) nested tuples, or None without retargeting.
    """

    dataname: str
    fps: float
    source: str
    target: str
    target_offsets: tuple[tuple[float, ...], ...] | None

    @property
    def offsets(self) -> np.ndarray | None:
        return None if self.target_offsets is None else np.array(self.target_offsets, dtype=np.float32)


def read_config(root: str | Path) -> ConversionConfig | None:
    """The configuration that a data set folder was begun with; None for a new one."""
    path = Path(root) / METADATA_FILE
    if not path.is_file():
        return None
    try:
        fields = read_json(path, "give another --out-dir")["conversion"]
        if fields["target_offsets"] is not None:
            fields["target_offsets"] = tuple(tuple(row) for row in fields["target_offsets"])
        return ConversionConfig(**fields)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: not the settings of a conversion ({error}); give another --out-dir") from None


def write_config(root: str | Path, config: ConversionConfig, captions: str) -> None:
    """Write ``dataset.json``; `captions` says in words where the tokens of the captions are from."""
    write_json(Path(root) / METADATA_FILE, {"conversion": asdict(config), "captions": captions})


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
