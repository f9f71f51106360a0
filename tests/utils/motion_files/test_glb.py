"""GLB files, taken apart by the specification and read by trimesh: names, times, joints, a whole skinned body."""

import json
import struct

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from tests.rewards.motion_pack import needs_pack
from tests.utils.motion_files.motions import LARGEST, kit, largest_error, real, stretched, toy
from utils.motion.skeleton import KIT, T2M
from utils.motion_files.glb import glb_bytes, write_glb
from utils.motion_files.posing import pose, rest_joints
from utils.motion_files.rigs import RIGS, rig

TYPES = {5126: np.float32, 5123: np.uint16, 5121: np.uint8, 5125: np.uint32}
WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}
FOLLOWED = "mixamorig:LeftHand"


class Document:
    """A GLB file as the specification lays it out: a header, a chunk of JSON, a chunk of numbers."""

    def __init__(self, content: bytes) -> None:
        magic, version, length = struct.unpack("<III", content[:12])
        assert (magic, version, length) == (0x46546C67, 2, len(content))
        size, kind = struct.unpack("<II", content[12:20])
        assert kind == 0x4E4F534A and size % 4 == 0
        self.json = json.loads(content[20 : 20 + size])
        rest = content[20 + size :]
        size, kind = struct.unpack("<II", rest[:8])
        assert kind == 0x004E4942 and size == len(rest) - 8 and size % 4 == 0
        self.binary = rest[8:]
        assert self.json["buffers"] == [{"byteLength": len(self.binary)}]

    def values(self, accessor: int) -> np.ndarray:
        entry = self.json["accessors"][accessor]
        view = self.json["bufferViews"][entry["bufferView"]]
        kind, width = np.dtype(TYPES[entry["componentType"]]), WIDTHS[entry["type"]]
        assert view["byteOffset"] % 4 == 0 and view["byteLength"] == entry["count"] * width * kind.itemsize
        found = np.frombuffer(self.binary, kind, entry["count"] * width, view["byteOffset"])
        found = found.reshape(entry["count"], width) if width > 1 else found
        if "min" in entry:
            assert np.array_equal(np.atleast_1d(found.min(axis=0)), np.float32(entry["min"]))
            assert np.array_equal(np.atleast_1d(found.max(axis=0)), np.float32(entry["max"]))
        return found

    def moved(self, frame: int) -> list[np.ndarray]:
        """(4, 4) of each node in its parent, in a frame of the animation."""
        found = []
        for node in self.json["nodes"]:
            matrix = np.eye(4)
            matrix[:3, 3] = node.get("translation", (0, 0, 0))
            found.append(matrix)
        animation = self.json["animations"][0]
        for channel in animation["channels"]:
            sampler = animation["samplers"][channel["sampler"]]
            value = self.values(sampler["output"])[frame]
            matrix = found[channel["target"]["node"]]
            if channel["target"]["path"] == "rotation":
                assert np.linalg.norm(value) == pytest.approx(1, abs=1e-5)
                matrix[:3, :3] = Rotation.from_quat(value).as_matrix()
            else:
                assert channel["target"]["path"] == "translation"
                matrix[:3, 3] = value
        return found

    def times(self) -> np.ndarray:
        [only] = {sampler["input"] for sampler in self.json["animations"][0]["samplers"]}
        return self.values(only)

    def joints(self, frame: int) -> np.ndarray:
        """(J, 3) metres: where the joints of the skin are."""
        local, world = self.moved(frame), {}

        def visit(node, before):
            world[node] = before @ local[node]
            for child in self.json["nodes"][node].get("children", ()):
                visit(child, world[node])

        for root in self.json["scenes"][0]["nodes"]:
            visit(root, np.eye(4))
        assert len(world) == len(self.json["nodes"])  # every node hangs in the scene, once
        return np.array([world[joint][:3, 3] for joint in self.json["skins"][0]["joints"]])


def by_trimesh(path, document, names, frames):
    """(F, J, 3) metres: the file's own nodes in the scene graph of trimesh, moved as its animation says."""
    scene = trimesh.load(path)
    nodes = document.json["nodes"]
    found = np.empty((len(frames), len(names), 3))
    for row, frame in enumerate(frames):
        for node, matrix in zip(nodes, document.moved(frame), strict=True):
            if "mesh" not in node:
                parent = scene.graph.transforms.parents[node["name"]]
                scene.graph.update(frame_to=node["name"], frame_from=parent, matrix=matrix)
        found[row] = [scene.graph.get(name)[0][:3, 3] for name in names]
    return found


@pytest.mark.parametrize("name", RIGS)
@pytest.mark.parametrize(
    "motions", [lambda: toy()[:2], lambda: (stretched(toy()[4]),), pytest.param(real, marks=needs_pack)]
)
def test_the_specification_and_trimesh_find_the_joints_again(tmp_path, name, motions):
    for number, joints in enumerate(motions()):
        motion = pose(joints, rig(name, T2M), 20.0)
        path = tmp_path / f"{number}.glb"
        write_glb(path, motion, "a title")
        document = Document(path.read_bytes())
        np.testing.assert_allclose(document.times(), np.arange(len(joints)) / 20, atol=1e-5)
        frames = np.linspace(0, len(joints) - 1, 7).astype(int)
        places = np.stack([document.joints(frame) for frame in frames])
        assert largest_error(places, motion.rig.place(joints)[frames]) < LARGEST
        other = by_trimesh(path, document, motion.rig.joint_names, frames)
        assert largest_error(other, motion.rig.place(joints)[frames]) < LARGEST


def test_nodes_have_the_names_of_the_rig_and_the_animation_its_title(tmp_path):
    motion = pose(toy()[0], rig("mixamo", T2M), 20.0)
    document = Document(glb_bytes(motion, "somebody walks"))
    assert [node["name"] for node in document.json["nodes"]] == [*motion.rig.joint_names, "body"]
    assert document.json["animations"][0]["name"] == "somebody walks"
    assert Document(glb_bytes(motion)).json["animations"][0]["name"] == "motion"
    children = {child for node in document.json["nodes"] for child in node.get("children", ())}
    assert children == set(range(1, T2M.num_joints))


def test_kit_has_its_21_joints_and_its_rate(tmp_path):
    joints = kit(toy()[2])
    motion = pose(joints, rig("smpl", KIT), KIT.fps)
    write_glb(tmp_path / "a.glb", motion)
    document = Document((tmp_path / "a.glb").read_bytes())
    assert document.times()[1] == pytest.approx(1 / 12.5) and len(document.json["skins"][0]["joints"]) == 21
    frames = [0, len(joints) - 1]
    assert largest_error([document.joints(frame) for frame in frames], joints[frames]) < LARGEST
    other = by_trimesh(tmp_path / "a.glb", document, motion.rig.joint_names, frames)
    assert largest_error(other, joints[frames]) < LARGEST


def test_the_body_is_whole_and_every_point_follows_one_joint():
    motion = pose(toy()[0], rig("mixamo", T2M), 20.0)
    document = Document(glb_bytes(motion))
    [primitive] = document.json["meshes"][0]["primitives"]
    parts = {name: document.values(accessor) for name, accessor in primitive["attributes"].items()}
    points, triangles = parts["POSITION"], document.values(primitive["indices"]).reshape(-1, 3)
    assert triangles.max() == len(points) - 1
    np.testing.assert_allclose(np.linalg.norm(parts["NORMAL"], axis=-1), 1, atol=1e-5)
    np.testing.assert_array_equal(parts["WEIGHTS_0"].sum(axis=-1), 1)
    assert parts["JOINTS_0"].max() < T2M.num_joints
    # Seen from outside the corners of a triangle go round counter-clockwise, or viewers would not draw it.
    corners = points[triangles].astype(float)
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outwards = (facing * parts["NORMAL"][triangles].mean(axis=1)).sum(axis=-1)
    assert (outwards[np.linalg.norm(facing, axis=-1) > 1e-7] > 0).all()
    # At rest the body stands on the floor, and its skin takes no point anywhere.
    rest = rest_joints(motion)
    assert rest[:, 1].min() == 0 and points[:, 1].min() > -0.1
    binding = document.values(document.json["skins"][0]["inverseBindMatrices"]).reshape(-1, 4, 4)
    np.testing.assert_allclose(-binding[:, 3, :3], rest, atol=1e-6)


def test_left_is_blue_and_at_plus_x():
    document = Document(glb_bytes(pose(toy()[0], rig("mixamo", T2M), 20.0)))
    attributes = document.json["meshes"][0]["primitives"][0]["attributes"]
    points, colours = (document.values(attributes[name]) for name in ("POSITION", "COLOR_0"))
    blue, red = colours[:, 2] > 0.7, colours[:, 0] > 0.7
    assert points[blue, 0].min() > 0 > points[red, 0].max()


def test_half_way_between_two_frames_no_bone_spins():
    """A quaternion and its negative are one turn, but between them viewers would go the long way round."""
    for joints in toy():
        document = Document(glb_bytes(pose(joints, rig("mixamo", T2M), 20.0)))
        animation = document.json["animations"][0]
        for channel in animation["channels"]:
            if channel["target"]["path"] == "rotation":
                values = document.values(animation["samplers"][channel["sampler"]]["output"])
                assert ((values[1:] * values[:-1]).sum(axis=-1) >= 0).all()


def test_a_title_in_any_script_is_kept():
    document = Document(glb_bytes(pose(toy()[0][:2], rig("mixamo", T2M), 20.0), "走る \U0001f600"))
    assert document.json["animations"][0]["name"] == "走る \U0001f600"
