"""A posed motion is written as BVH: a hierarchy of joints in the unit of its rig, then a line of channels a frame.

The root has a place and a rotation. The other joints have a rotation, and a place where the motion stretches its bones
(`utils.motion_files.posing`). Rotations are Z, then X, then Y, in degrees, as motion capture writes them.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from utils.files.atomic import write_text
from utils.motion.skeleton import SKELETONS
from utils.motion_files.posing import PosedMotion, children_of
from utils.motion_files.rigs import RIGS, rig

_PLACE = "Xposition Yposition Zposition"
_TURN = "Zrotation Xrotation Yrotation"
_HEAD = 1 << 16  # bytes that a hierarchy of ours fits in
_END_SITE = 0.05  # metres; programs draw a bone to it


def write_bvh(path: str | Path, motion: PosedMotion) -> None:
    """Write one BVH file that Blender, MotionBuilder and our own reader open."""
    write_text(path, bvh_text(motion))


def bvh_text(motion: PosedMotion) -> str:
    skeleton = motion.rig.skeleton
    children, per_metre = children_of(skeleton), 1 / motion.rig.metres_per_unit
    lines, order = ["HIERARCHY"], []

    def declare(joint: int, depth: int) -> None:
        order.append(joint)
        indent, inner = "\t" * depth, "\t" * (depth + 1)
        is_root = joint == 0
        places = is_root or motion.places is not None
        channels = f"CHANNELS 6 {_PLACE} {_TURN}" if places else f"CHANNELS 3 {_TURN}"
        lines.append(f"{indent}{'ROOT' if is_root else 'JOINT'} {motion.rig.joint_names[joint]}")
        lines.extend([indent + "{", f"{inner}OFFSET {_numbers(per_metre * motion.offsets[joint])}", inner + channels])
        for child in children[joint]:
            declare(child, depth + 1)
        if not children[joint]:
            end = per_metre * _END_SITE * motion.rig.rest_directions[joint]
            lines.extend([f"{inner}End Site", inner + "{", f"{inner}\tOFFSET {_numbers(end)}", inner + "}"])
        lines.append(indent + "}")

    declare(0, 0)
    lines += ["MOTION", f"Frames: {len(motion.root)}", f"Frame Time: {1 / motion.fps:.8f}"]
    lines += [_numbers(row) for row in _channels(motion, order)]
    return "\n".join(lines) + "\n"


def is_ours(path: str | Path) -> bool:
    """Whether a file begins as `bvh_text` does, with all joints of one of our rigs and no others; BVH has no place for
    a mark."""
    words = Path(path).read_bytes()[:_HEAD].split(b"MOTION")[0].decode("utf-8", "replace").split()
    named = [name for word, name in pairwise(words) if word in ("ROOT", "JOINT")]
    rigs = (rig(name, skeleton) for name in RIGS for skeleton in SKELETONS.values())
    return any(sorted(named) == sorted(known.joint_names) for known in rigs)


def _channels(motion: PosedMotion, order: list[int]) -> np.ndarray:
    """(T, C) in the order in which the joints are declared."""
    frames = len(motion.root)
    turns = motion.rotations[:, order].reshape(-1, 3, 3)
    # Upper case: turns about the axes that have turned already, R = Rz Rx Ry.
    degrees = Rotation.from_matrix(turns).as_euler("ZXY", degrees=True).reshape(frames, len(order), 3)
    degrees = _continuous(degrees)
    blocks, per_metre = [], 1 / motion.rig.metres_per_unit
    for column, joint in enumerate(order):
        if joint == 0:
            blocks.append(per_metre * motion.root)
        elif motion.places is not None:
            blocks.append(per_metre * motion.places[:, joint])
        blocks.append(degrees[:, column])
    return np.concatenate(blocks, axis=1)


def _continuous(degrees: np.ndarray) -> np.ndarray:
    """(T, J, 3) angles -> the same turns; of all ways to write one, the way that is nearest to the frame before.

    A turn has two triples of angles, and each angle any number of whole turns more. Programs draw straight lines
    between frames: jumps from one triple to the other would spin the bone.
    """
    chosen = degrees.copy()
    for frame in range(1, len(degrees)):
        before, first = chosen[frame - 1], degrees[frame]
        second = np.array([180.0, 180.0, 180.0]) + first * [1.0, -1.0, 1.0]
        ways = np.stack([first, second])
        ways += 360.0 * np.round((before - ways) / 360.0)
        nearer = np.abs(ways - before).sum(axis=-1).argmin(axis=0)
        chosen[frame] = ways[nearer, np.arange(degrees.shape[1])]
    return chosen


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.5f}" for value in values)
