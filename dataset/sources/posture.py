"""Converted motions are looked at before they are written: are these people, with their left on the left, who stand?

A wrong unit, axis, order of joints or joint table gives numbers that train without a word. What no person can do (bones
of 10 m, feet that point backwards) is the clip's own fault. Lying, crawling and handstands are not: such a clip among
others is only named, and a data set is refused where most of its clips do not stand.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dataset.sources.conversion import SourceClip, read_clip
from dataset.sources.units import AXES, axis_before_turning, check_legs, leg_chains
from utils.errors import InputError
from utils.motion.bones import bone_vectors
from utils.motion.skeleton import Skeleton
from utils.wording import listed

# Metres: no bone of a skeleton here is as long, and no one moves as far from one frame to the next (125 m/s at least).
_LONGEST_BONE, _LONGEST_STEP = 1.5, 10.0
# A joint at the origin whose bone is longer or shorter than mostly by this share is not there.
_OFF_ITS_BONE = 0.25
# A frame whose longest bone is below this share of that of other frames is no body.
_NO_BODY = 0.01
# Bones below this share of the longest one have no length: their joints are at one place.
_NO_LENGTH = 0.001
# The share of frames from which on something is so "in most frames", and "always" but for noise.
_MOST, _ALWAYS = 0.5, 0.9
# Up to 60 degrees between the vertical and the way from the feet to the head count as standing: who bows deeply, sits
# on a chair or on the floor has fewer, who lies or crawls more.
_STANDING_COSINE = 0.5
# A knee or an elbow may be on the other side of its partner, but not by this share of the width of hips or shoulders.
_CROSSED = 0.5
# Limbs by the joint that ends them, and how unequal and how elastic they may be: what is estimated from video is both.
_LIMBS = {"knee": "thigh", "ankle": "shin", "elbow": "upper arm", "wrist": "forearm"}
_MOST_UNEQUAL, _MOST_STRETCHED = 1.5, 2.0
# What speaks against left and right must be more than straight legs on tiptoe do; who walks has 2 to 7 the other way.
_CLEARLY = 0.5
# Clips that are looked at before a data set is begun, evenly among all.
_LOOKED_AT = 24
_NAMED = 5
_EXCHANGE = "exchange left and right where they are named (the joint table, the order of the joints)"
_ORDER = "is each joint in its place (the joint table, the order of the joints)?"
_AS_IT_IS = "--any-posture takes it as it is"


def check_body(joints: np.ndarray, skeleton: Skeleton) -> None:
    """Raise InputError where (T, J, 3) in the skeleton's unit cannot be a person: its numbers, bones, jumps, legs."""
    if len(joints) < 2:
        raise InputError(f"at least 2 frames are needed, got {len(joints)}")
    if not np.isfinite(joints).all():
        raise InputError("joints hold values that are not finite numbers (NaN)")
    with np.errstate(over="ignore", invalid="ignore"):  # 1e300 is refused here, and its square is infinite
        joints = skeleton.in_metres(joints.astype(np.float64))
        _check_bones(joints, skeleton)
    check_legs(joints, skeleton)


def check_limbs(joints: np.ndarray, skeleton: Skeleton) -> None:
    """Raise InputError where limbs of (T, J, 3) differ from left to right, or change their length, as in nobody.

    So they do where joints are in another order than they are taken for.
    """
    bones = bone_vectors(joints.astype(np.float64), skeleton)
    lengths = dict(zip(skeleton.joint_names, np.linalg.norm(bones, axis=-1).T, strict=True))
    for part, limb in _LIMBS.items():
        left, right = (float(np.median(lengths[f"{side}_{part}"])) for side in ("left", "right"))
        if max(left, right) > _MOST_UNEQUAL * min(left, right):
            longer = max(left, right) / max(min(left, right), 1e-9)
            raise InputError(f"one {limb} is {longer:.1f} times as long as the other: {_ORDER} {_AS_IT_IS}")
        for side in ("left", "right"):
            low, high = np.percentile(lengths[f"{side}_{part}"], (10, 90))
            if high > _MOST_STRETCHED * low:
                raise InputError(
                    f"the {side} {limb} becomes {high / max(low, 1e-9):.1f} times as long: {_ORDER} {_AS_IT_IS}"
                )


def check_sides(joints: np.ndarray, skeleton: Skeleton) -> None:
    """Raise InputError where left and right of (T, J, 3) in the skeleton's unit are exchanged, in part or as a whole.

    However a body lies or turns, its toes are before its shins and its shins behind its thighs. Measured on 2,650
    clips of Bandai-Namco: so in at least 99 % of the frames of each.
    """
    joints = skeleton.in_metres(joints.astype(np.float64))
    places = {name: joints[:, index] for index, name in enumerate(skeleton.joint_names)}
    across = {part: places[f"left_{part}"] - places[f"right_{part}"] for part in ("hip", "shoulder", "knee", "elbow")}
    # Within the body.
    if _share(_dot(across["hip"], across["shoulder"]) < 0) > _ALWAYS:
        raise InputError(f"hips and shoulders disagree about left and right: {_EXCHANGE}. {_AS_IT_IS}")
    for part, carrier in (("knee", "hip"), ("elbow", "shoulder")):
        if _share(_dot(across[part], across[carrier]) < -_CROSSED * _dot(across[carrier], across[carrier])) > _ALWAYS:
            raise InputError(f"left_{part} is right of right_{part}: {_EXCHANGE}. {_AS_IT_IS}")
    # Against the direction that feet and knees point to.
    left = _unit(across["hip"]) + _unit(across["shoulder"])
    forward = np.zeros(len(joints))
    for leg in leg_chains(skeleton):
        hip, knee, ankle, toes = (joints[:, joint] for joint in leg)
        shin = _unit(ankle - knee)
        forward += _dot(np.cross(_unit(toes - ankle), shin) + np.cross(_unit(knee - hip), shin), left)
    backward = _share(forward < -_CLEARLY)
    if backward > _ALWAYS:
        raise InputError(
            f"left is not on the left, feet and knees point backwards in {backward:.0%} of the frames: {_EXCHANGE}; "
            f"or, where all is a mirror image, negate one axis. {_AS_IT_IS}"
        )


def standing_axis(joints: np.ndarray, skeleton: Skeleton) -> str | None:
    """The axis (``y``, else a key of `AXES`) that (T, J, 3) stands along in most frames; None: along none.

    Standing: the head is above the pelvis, and the way from the feet to it is steep.
    """
    joints = skeleton.in_metres(joints.astype(np.float64))
    feet = (joints[:, skeleton.left_foot[0]] + joints[:, skeleton.right_foot[0]]) / 2
    head = joints[:, skeleton.joint("head")]
    from_feet, from_pelvis = _unit(head - feet), head - joints[:, 0]
    for axis in ("y", *AXES):
        direction = np.array(AXES[axis], dtype=np.float64)
        if _share((from_feet @ direction > _STANDING_COSINE) & (from_pelvis @ direction > 0)) >= _MOST:
            return axis
    return None


class Postures:
    """Looks at every clip of a data set as it is read."""

    def __init__(self, skeleton: Skeleton, any_posture: bool) -> None:
        self.skeleton, self._any = skeleton, any_posture
        self._axes: dict[str, str | None] = {}

    def watched(self, clip: SourceClip) -> SourceClip:
        """The clip, whose `read` raises InputError for what is no person."""

        def read() -> np.ndarray:
            joints = clip.read()
            try:
                check_body(joints, self.skeleton)
                if not self._any:
                    check_limbs(joints, self.skeleton)
                    check_sides(joints, self.skeleton)
                    self._axes[clip.id] = _named_axis(standing_axis(joints, self.skeleton), clip.up)
            except InputError as error:
                raise InputError(f"{clip.paths[0]}: {error}") from None
            return joints

        return replace(clip, read=read)

    def check_set(self, clips: Sequence[SourceClip]) -> None:
        """Raise InputError where most of these watched clips do not stand; clips that cannot be read do not count."""
        if self._any:
            return
        read = []
        for index in np.unique(np.linspace(0, len(clips) - 1, min(_LOOKED_AT, len(clips))).astype(int)):
            try:
                read_clip(clips[index])
            except InputError:
                continue  # a bad clip, which the conversion will name
            if clips[index].id in self._axes:
                read.append(clips[index].id)
        lying = [id for id in read if self._axes[id] != _UP]
        if len(lying) > _MOST * len(read):
            raise InputError(
                f"{len(lying)} of {len(read)} clips looked at do not stand: {_named(lying)}. {self._way_out(lying)} "
                "If these people do lie, crawl or stand on their hands, say --any-posture"
            )

    def note(self) -> str | None:
        """What to say about the clips read so far that do not stand; None where all do."""
        lying = [id for id, axis in self._axes.items() if axis != _UP]
        if not lying:
            return None
        how = [f"{id} (would with {self._axes[id]})" if self._axes[id] else f"{id} (along no axis)" for id in lying]
        return (
            f"warning: {len(lying)} of {len(self._axes)} clips do not stand in most frames: {_named(how)}. Taken as "
            "they are, as people may lie, crawl or stand on their hands"
        )

    def _way_out(self, lying: Sequence[str]) -> str:
        axes = [self._axes[id] for id in lying]
        likely = max(sorted({axis for axis in axes if axis}), key=axes.count, default=None)
        if likely is None:
            return f"No other axis makes them stand: {_ORDER}"
        return f"{axes.count(likely)} of them would stand with {likely}."


# What `_named_axis` says of a clip that stands.
_UP = "y"


def _named_axis(axis: str | None, up: str | None) -> str | None:
    """`_UP` for a clip that stands; else how it would: the flag, where one turns it, or the axis."""
    if axis is None or axis == "y":
        return axis
    return f"{axis} up" if up is None else f"--up {axis_before_turning(axis, up)}"


def _named(ids: Sequence[str]) -> str:
    return listed(ids, _NAMED)


def _check_bones(joints: np.ndarray, skeleton: Skeleton) -> None:
    """Raise InputError for bones (T, J, 3 in metres) that no person has, and for jumps between frames."""
    names, parents = skeleton.joint_names, skeleton.parents
    lengths = np.linalg.norm(bone_vectors(joints, skeleton), axis=-1)
    long = ~(lengths <= _LONGEST_BONE)
    if long.any():
        frame, joint = np.argwhere(long)[0]
        raise InputError(
            f"frame {frame}: {names[joint]} is {lengths[frame, joint]:.3g} m from {names[parents[joint]]}: "
            "no person (a damaged value, or a wrong unit?)"
        )
    steps = np.linalg.norm(np.diff(joints[:, 0], axis=0), axis=-1)
    if not (steps <= _LONGEST_STEP).all():
        frame = np.flatnonzero(~(steps <= _LONGEST_STEP))[0]
        raise InputError(f"the body moves {steps[frame]:.3g} m from frame {frame} to {frame + 1} (a damaged value?)")
    _check_recorded(joints, lengths, names)
    none = lengths <= _NO_LENGTH * lengths.max(axis=1, keepdims=True)
    together = [joint for joint in range(1, len(names)) if _share(none[:, joint]) > _MOST]
    if together:
        pairs = ", ".join(f"{names[joint]} and {names[parents[joint]]}" for joint in together)
        raise InputError(f"joints at one place, a bone of length 0: {pairs} (is one of them listed twice?)")


def _check_recorded(joints: np.ndarray, lengths: np.ndarray, names: Sequence[str]) -> None:
    """Raise InputError for frames of (T, J, 3) in which the body, or a joint, was not recorded.

    Args:
        lengths: (T, J) of the bones.
    """
    longest = lengths.max(axis=1)
    collapsed = longest < _NO_BODY * np.median(longest)
    if collapsed.any():
        raise InputError(
            f"frame {np.flatnonzero(collapsed)[0]}: all joints are at one place, so in {collapsed.sum()} of "
            f"{len(joints)} frames: nothing was recorded there; cut the clip or fill those frames"
        )
    # Whoever fills what was not recorded with zeros puts a joint at the origin, off its bone.
    off = np.abs(lengths - np.median(lengths, axis=0)) > _OFF_ITS_BONE * np.median(lengths, axis=0)
    lost = (joints == 0).all(axis=-1) & off & (np.arange(len(names)) > 0)
    if lost.any():
        frame, joint = np.argwhere(lost)[0]
        raise InputError(
            f"frame {frame}: {names[joint]} is at 0, 0, 0, so in {lost[:, joint].sum()} of {len(joints)} frames: "
            "nothing was recorded there; cut the clip or fill those frames"
        )


def _share(flags: np.ndarray) -> float:
    return float(flags.mean()) if flags.size else 0.0


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=-1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
