"""Small tables, shipped or a user's, say which joint of a BVH file is which of ours, its unit and its up axis.

A table is a YAML file (see ``dataset/sources/bvh/joint_mappings/``)::

    name: my_rig
    skeleton: t2m              # or kit
    metres_per_unit: 0.01      # the file is in centimetres
    up: y                      # x, y, z or -x, -y, -z
    joints:                    # every joint of the skeleton
      pelvis: Hips
      spine1: [Hips, Spine]    # the mean of several
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dataset.sources.bvh.file import read_bvh
from dataset.sources.bvh.joint_names import joints_named
from dataset.sources.bvh.motion import positions, resample, without_first
from dataset.sources.units import check_legs, check_unit, check_up, to_metres_y_up
from utils.errors import InputError
from utils.files.yaml_files import read_yaml
from utils.motion.skeleton import Skeleton, get_skeleton
from utils.wording import listed

_FOLDER = Path(__file__).parent / "joint_mappings"
# The axis that points up in every shipped table (a test holds it).
SHIPPED_UP = "y"
_LISTED, _SHOWN = 100, 40
_KEYS = ("name", "skeleton", "metres_per_unit", "up", "joints")


@dataclass(frozen=True)
class JointMapping:
    """A table from our joints to those of a BVH skeleton.

    Attributes:
        name: of the table, for messages.
        skeleton: whose joints it makes.
        metres_per_unit: metres that one unit of the file stands for.
        up: the file's axis that points up, a key of ``x y z -x -y -z``.
        sources: for each of our joints, in order, names of joints of the file; ours is the mean of these. What a file
            may put before them is told in `dataset.sources.bvh.joint_names`.
    """

    name: str
    skeleton: Skeleton
    metres_per_unit: float
    up: str
    sources: tuple[tuple[str, ...], ...]

    def source_names(self) -> set[str]:
        return {name for names in self.sources for name in names}

    def missing(self, joint_names: tuple[str, ...]) -> list[str]:
        """Names of the table that a file with these joints lacks, sorted."""
        return sorted(name for name, found in joints_named(self.source_names(), joint_names).items() if not found)

    def apply(
        self,
        motion_positions: np.ndarray,
        joint_names: tuple[str, ...],
        metres_per_unit: float | None = None,
        up: str | None = None,
    ) -> np.ndarray:
        """(T, Jb, 3) in the file's unit and axes -> (T, J, 3) metres, Y up, right-handed.

        `metres_per_unit` and `up` override the table's. Raises InputError for joints that are missing or ambiguous, and
        where the legs are not those of a person.
        """
        found = joints_named(self.source_names(), joint_names)
        if missing := sorted(name for name, indices in found.items() if not indices):
            raise InputError(
                f"joint mapping {self.name!r} needs joints that the file lacks: {', '.join(missing)}; "
                f"the file has {_listed(joint_names)}"
            )
        unit = self.metres_per_unit if metres_per_unit is None else metres_per_unit
        index = {name: _only(name, indices, joint_names) for name, indices in found.items()}
        joints = np.stack(
            [motion_positions[:, [index[name] for name in names]].mean(axis=1) for names in self.sources], axis=1
        )
        joints = to_metres_y_up(joints, unit, self.up if up is None else up)
        check_legs(joints, self.skeleton, unit)
        return joints


@dataclass(frozen=True)
class BvhOverrides:
    """What is known of BVH files better than they or their joint mapping say it; None leaves it to them.

    Attributes:
        metres_per_unit, up: in place of the mapping's.
        fps: in place of the file's frame time.
        skip_frames: frames of the file to leave out at the start (CMU's begin with a T-pose).
    """

    metres_per_unit: float | None = None
    up: str | None = None
    fps: float | None = None
    skip_frames: int = 0


NO_OVERRIDES = BvhOverrides()


def read_bvh_joints(
    path: str | Path, mapping: JointMapping | None, skeleton: Skeleton, overrides: BvhOverrides = NO_OVERRIDES
) -> np.ndarray:
    """One BVH file -> (T, J, 3) float64 in the skeleton's unit, Y up, at the skeleton's frame rate.

    Local rotations are resampled by slerp before forward kinematics. Without a `mapping` the shipped one that fits is
    taken. Raises InputError with the path.
    """
    motion = read_bvh(path, overrides.fps)
    try:
        if mapping is None:
            mapping = detect_mapping(motion.place_names, skeleton)
        if mapping.skeleton is not skeleton:
            raise InputError(f"joint mapping {mapping.name!r} makes {mapping.skeleton.name}, not {skeleton.name}")
        places = positions(resample(without_first(motion, overrides.skip_frames), skeleton.fps))
        joints = mapping.apply(places, motion.place_names, overrides.metres_per_unit, overrides.up)
        return skeleton.from_metres(joints)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def shipped_mappings() -> tuple[str, ...]:
    """Names of the tables that come with the project."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def detect_mapping(joint_names: tuple[str, ...], skeleton: Skeleton) -> JointMapping:
    """The shipped table whose joints the file all has; of several such tables the one with most joints."""
    shipped = [load_mapping(name) for name in shipped_mappings()]
    fitting = [mapping for mapping in shipped if mapping.skeleton is skeleton and not mapping.missing(joint_names)]
    if not fitting:
        names = ", ".join(mapping.name for mapping in shipped if mapping.skeleton is skeleton) or "none"
        raise InputError(
            f"no shipped joint mapping for {skeleton.name} ({names}) fits the joints of the file: "
            f"{_listed(joint_names)}. Write your own: copy a file of {_FOLDER}, put these names behind ours under "
            "'joints' (a list means the mean of several), set 'metres_per_unit' and 'up', and give its path"
        )
    return max(fitting, key=lambda mapping: len(mapping.source_names()))


def load_mapping(name_or_path: str | Path) -> JointMapping:
    """A shipped table by name, or a user's by the path of its .yaml file. Raises InputError with file and key."""
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        if str(name_or_path) not in shipped_mappings():
            raise InputError(
                f"unknown joint mapping {str(name_or_path)!r}: expected {', '.join(shipped_mappings())} "
                "or the path of a .yaml file"
            )
        path = _FOLDER / f"{name_or_path}.yaml"
    content = read_yaml(path)
    try:
        return _parse_mapping(content)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _parse_mapping(content: Any) -> JointMapping:
    if not isinstance(content, dict) or set(content) != set(_KEYS):
        got = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise InputError(f"expected the keys {', '.join(_KEYS)}, got {got}")
    skeleton = get_skeleton(str(content["skeleton"]))
    joints = content["joints"]
    if not isinstance(joints, dict):
        raise InputError(f"joints: expected 'our joint: BVH joint' pairs, got {joints!r}")
    if unknown := [str(name) for name in joints if name not in skeleton.joint_names]:
        raise InputError(
            f"joints: {skeleton.name} has no {', '.join(unknown)}; it has {', '.join(skeleton.joint_names)}"
        )
    if absent := [name for name in skeleton.joint_names if name not in joints]:
        raise InputError(f"joints: {', '.join(absent)} of {skeleton.name} missing")
    sources = tuple(_parse_sources(name, joints[name]) for name in skeleton.joint_names)
    unit, up = check_unit(content["metres_per_unit"]), check_up(content["up"])
    for name, same in ((name, sources.index(own)) for name, own in zip(skeleton.joint_names, sources, strict=True)):
        if skeleton.joint_names[same] != name:
            raise InputError(
                f"joints: {skeleton.joint_names[same]} and {name} are both {', '.join(sources[same])}, a bone of "
                "length 0: put one of them half-way to its neighbour, with a list of two"
            )
    return JointMapping(str(content["name"]), skeleton, unit, up, sources)


def _parse_sources(joint: str, value: Any) -> tuple[str, ...]:
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise InputError(f"joints: {joint}: expected the name of a BVH joint or a list of names, got {value!r}")
    return tuple(names)


def _listed(joint_names: Sequence[str]) -> str:
    """The joints of a file for a message, also of one whose names are as long as the file."""
    return listed([name[:_SHOWN] for name in joint_names], _LISTED)


def _only(name: str, indices: Sequence[int], joint_names: tuple[str, ...]) -> int:
    if len(indices) > 1:
        candidates = ", ".join(joint_names[index] for index in indices)
        raise InputError(f"joint {name!r} is ambiguous in the file (several bodies?): {candidates}")
    return indices[0]
