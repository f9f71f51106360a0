"""A posed motion is written as GLB (binary glTF 2.0): an animated skeleton with a simple body, for any 3D viewer.

One node a joint, one skinned mesh of a tapered capsule a bone (left blue, right red), one animation of turns and, for
the root and for motions that stretch their bones, places. Metres, Y up, +Z to the front, as glTF has it.
Source: glTF 2.0 specification, Khronos Group.
"""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from utils.files.atomic import write_atomic
from utils.files.outputs import MARK
from utils.motion.body import bones, half_widths, side_of
from utils.motion.skeleton import Skeleton
from utils.motion_files.posing import PosedMotion, children_of, rest_joints

_FLOAT, _SHORT, _BYTE = 5126, 5123, 5121
_NUMPY_TYPES = {np.dtype(np.float32): _FLOAT, np.dtype(np.uint16): _SHORT, np.dtype(np.uint8): _BYTE}
_POINTS, _TRIANGLES = {"target": 34962}, {"target": 34963}
_SHAPES = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
_AROUND, _CAP = 12, 4  # points around a capsule, and rings of each of its caps
_COLOURS = {"left": (0.15, 0.40, 0.80), "right": (0.84, 0.25, 0.19), "centre": (0.35, 0.37, 0.44)}


def write_glb(path: str | Path, motion: PosedMotion, title: str = "") -> None:
    """Write one file that Blender, web viewers and game engines open.

    Args:
        title: of the animation.
    """
    content = glb_bytes(motion, title)
    write_atomic(path, lambda stream: stream.write(content))


def glb_bytes(motion: PosedMotion, title: str = "") -> bytes:
    skeleton, buffer = motion.rig.skeleton, _Buffer()
    rest = rest_joints(motion)
    # The nodes: the joints in the order of the skeleton, then the body.
    children = children_of(skeleton)
    nodes: list[dict[str, Any]] = []
    for joint, name in enumerate(motion.rig.joint_names):
        place = rest[0] if joint == 0 else motion.offsets[joint]
        node: dict[str, Any] = {"name": name, "translation": [float(value) for value in place]}
        nodes.append(node | ({"children": children[joint]} if children[joint] else {}))
    body = len(nodes)
    nodes.append({"name": "body", "mesh": 0, "skin": 0})
    # The skin takes points of the rest pose into the frame of their joint.
    binding = np.tile(np.eye(4, dtype=np.float32), (skeleton.num_joints, 1, 1))
    binding[:, 3, :3] = -rest  # glTF stores matrices by columns
    skin = {
        "joints": list(range(skeleton.num_joints)),
        "skeleton": 0,
        "inverseBindMatrices": buffer.add(binding),
    }
    document = {
        "asset": {"version": "2.0", "generator": MARK},
        "scene": 0,
        "scenes": [{"nodes": [0, body]}],
        "nodes": nodes,
        "meshes": [{"name": "body", "primitives": [_body(rest, skeleton, buffer)]}],
        "materials": [{"pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.8}}],
        "skins": [skin],
        "animations": [_animation(motion, title, buffer)],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.content)}],
    }
    return _container(document, bytes(buffer.content))


class _Buffer:
    """The binary part of the file, and what in it is where."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.views: list[dict[str, int]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, array: np.ndarray, use: dict[str, int] | None = None, with_bounds: bool = False) -> int:
        """Add (N,), (N, 3), (N, 4) or (N, 4, 4) numbers; the number of their accessor.

        Args:
            use: `_POINTS` or `_TRIANGLES` for what is drawn.
        """
        array = np.ascontiguousarray(array)
        place = {"buffer": 0, "byteOffset": len(self.content), "byteLength": array.nbytes}
        self.views.append(place | (use or {}))
        self.content += array.tobytes()
        self.content += b"\0" * (-len(self.content) % 4)
        accessor: dict[str, Any] = {
            "bufferView": len(self.views) - 1,
            "componentType": _NUMPY_TYPES[array.dtype],
            "count": len(array),
            "type": _SHAPES[array.shape[1:]],
        }
        if with_bounds:
            low, high = np.atleast_1d(array.min(axis=0)), np.atleast_1d(array.max(axis=0))
            accessor |= {"min": low.tolist(), "max": high.tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _animation(motion: PosedMotion, title: str, buffer: _Buffer) -> dict[str, Any]:
    frames, joints = motion.rotations.shape[:2]
    times = buffer.add((np.arange(frames) / motion.fps).astype(np.float32), with_bounds=True)
    turns = Rotation.from_matrix(motion.rotations.reshape(-1, 3, 3)).as_quat().reshape(frames, joints, 4)
    samplers, channels = [], []

    def animate(joint: int, path: str, values: np.ndarray) -> None:
        channels.append({"sampler": len(samplers), "target": {"node": joint, "path": path}})
        samplers.append({"input": times, "output": buffer.add(values.astype(np.float32)), "interpolation": "LINEAR"})

    for joint in range(joints):
        animate(joint, "rotation", _continuous(turns[:, joint]))
        if joint == 0:
            animate(joint, "translation", motion.root)
        elif motion.places is not None:
            animate(joint, "translation", motion.places[:, joint])
    return {"name": title or "motion", "samplers": samplers, "channels": channels}


def _continuous(quaternions: np.ndarray) -> np.ndarray:
    """(T, 4) -> the same turns; of a quaternion and its negative the one nearer to the frame before."""
    flips = np.cumprod(np.where((quaternions[1:] * quaternions[:-1]).sum(axis=-1) < 0, -1.0, 1.0))
    return quaternions * np.concatenate([[1.0], flips])[:, None]


def _body(rest: np.ndarray, skeleton: Skeleton, buffer: _Buffer) -> dict[str, Any]:
    """The primitive of all capsules in the rest pose. Those of a bone follow the joint that it leaves."""
    height = np.ptp(rest[:, 1])
    widths = half_widths(skeleton) * height
    points, normals, triangles, colours, owners = [], [], [], [], []
    for parent, joint in bones(skeleton):
        own, own_normals, own_triangles = _capsule(rest[parent], rest[joint], widths[parent], widths[joint])
        triangles.append(own_triangles + sum(map(len, points)))
        points.append(own)
        normals.append(own_normals)
        colours.append(np.tile(np.float32(_COLOURS[side_of(skeleton.joint_names[joint])]), (len(own), 1)))
        owners.append(np.full(len(own), parent))
    count = sum(map(len, points))
    joints, weights = np.zeros((count, 4), np.uint16), np.zeros((count, 4), np.float32)
    joints[:, 0], weights[:, 0] = np.concatenate(owners), 1.0
    return {
        "attributes": {
            "POSITION": buffer.add(np.concatenate(points).astype(np.float32), _POINTS, with_bounds=True),
            "NORMAL": buffer.add(np.concatenate(normals).astype(np.float32), _POINTS),
            "COLOR_0": buffer.add(np.concatenate(colours), _POINTS),
            "JOINTS_0": buffer.add(joints, _POINTS),
            "WEIGHTS_0": buffer.add(weights, _POINTS),
        },
        "indices": buffer.add(np.concatenate(triangles).astype(np.uint16).reshape(-1), _TRIANGLES),
        "material": 0,
    }


def _capsule(
    start: np.ndarray, end: np.ndarray, start_radius: float, end_radius: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (P, 3), normals (P, 3) and triangles (F, 3) of a capsule that narrows from one end to the other."""
    axis = (end - start) / max(np.linalg.norm(end - start), 1e-9)
    side = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    side /= np.linalg.norm(side)
    other = np.cross(axis, side)
    # Rings from the tip behind `start` to the tip beyond `end`, by the latitude on the sphere at their end.
    latitudes = np.linspace(-np.pi / 2, np.pi / 2, 2 * _CAP)
    angles = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)
    around = np.cos(angles)[:, None] * side + np.sin(angles)[:, None] * other
    points, normals = [], []
    for index, latitude in enumerate(latitudes):
        centre, radius = (start, start_radius) if index < _CAP else (end, end_radius)
        outwards = np.cos(latitude) * around + np.sin(latitude) * axis
        points.append(centre + radius * outwards)
        normals.append(outwards)
    first = np.arange(_AROUND)
    following = (first + 1) % _AROUND
    triangles = []
    for ring in range(len(latitudes) - 1):
        low, high = ring * _AROUND, (ring + 1) * _AROUND
        triangles.append(np.stack([low + first, low + following, high + following], axis=1))
        triangles.append(np.stack([low + first, high + following, high + first], axis=1))
    return np.concatenate(points), np.concatenate(normals), np.concatenate(triangles)


def _container(document: dict[str, Any], binary: bytes) -> bytes:
    """The two chunks of a GLB file behind its header."""
    text = json.dumps(document, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(binary), 0x004E4942) + binary
    return struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks
