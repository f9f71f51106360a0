"""Body models with the real dimensions of SMPL, SMPL-H and SMPL-X but made-up numbers, and AMASS clips for them.

The body is a person in a T-pose, Y up, facing +Z, left side at +X. Shape 0 makes it 5 % larger per unit.
"""

from pathlib import Path

import numpy as np

from utils.motion.skeleton import T2M

VERTICES = {"smpl": 6890, "smplh": 6890, "smplx": 10475}
FACES = {"smpl": 13776, "smplh": 13776, "smplx": 20908}
LEG = 0.40 + 0.42  # metres from hip to ankle
_MIDDLE = {
    "pelvis": (0, -0.22, 0.03),
    "spine1": (0, -0.11, 0.00),
    "spine2": (0, 0.03, 0.01),
    "spine3": (0, 0.08, 0.03),
    "neck": (0, 0.29, -0.01),
    "head": (0, 0.37, 0.04),
}
_LEFT = {
    "hip": (0.07, -0.31, 0.02),
    "knee": (0.07, -0.71, 0.02),
    "ankle": (0.07, -1.13, 0.02),
    "foot": (0.11, -1.19, 0.14),
    "collar": (0.08, 0.20, 0.00),
    "shoulder": (0.18, 0.23, -0.02),
    "elbow": (0.44, 0.23, -0.02),
    "wrist": (0.70, 0.23, -0.02),
}


def rest_joints() -> np.ndarray:
    """(22, 3) joints of the average shape."""
    places = dict(_MIDDLE)
    for name, (x, y, z) in _LEFT.items():
        places[f"left_{name}"], places[f"right_{name}"] = (x, y, z), (-x, y, z)
    return np.array([places[name] for name in T2M.joint_names], dtype=np.float64)


def _tree(family: str) -> tuple[list[int], np.ndarray]:
    """Parents and rest places of all joints of the family: behind the 22 hang hands (and jaw and eyes)."""
    parents, places = list(T2M.parents), list(rest_joints())

    def add(parent: int, offset: tuple[float, float, float]) -> int:
        parents.append(parent)
        places.append(places[parent] + offset)
        return len(parents) - 1

    if family == "smplx":
        for x in (0.0, 0.03, -0.03):
            add(T2M.joint("head"), (x, 0.02, 0.08))
    for wrist, side in ((T2M.joint("left_wrist"), 1), (T2M.joint("right_wrist"), -1)):
        if family == "smpl":
            add(wrist, (side * 0.08, 0.0, 0.0))
            continue
        for finger in range(5):
            knuckle = wrist
            for _ in range(3):
                knuckle = add(knuckle, (side * 0.04, 0.0, 0.02 * (2 - finger) if knuckle == wrist else 0.0))
    return parents, np.array(places)


def write_body_model(path: Path, family: str, num_betas: int = 16, **replaced: np.ndarray) -> Path:
    """An .npz as the model's site gives it (`replaced`: arrays to put in place of ours); returns `path`."""
    parents, places = _tree(family)
    joints, vertices = len(parents), VERTICES[family]
    rng = np.random.default_rng(7)
    owner = np.arange(vertices) % joints
    # Vertices 2k and 2k + 1 of a joint lie opposite each other, so the mean of its first 8 is the joint.
    nth = np.arange(vertices) // joints
    around = rng.normal(scale=0.03, size=(joints, nth.max() // 2 + 1, 3))[owner, nth // 2]
    template = places[owner] + around * np.where(nth % 2 == 0, 1, -1)[:, None]
    regressor = np.where((owner == np.arange(joints)[:, None]) & (nth < 8), 0.125, 0.0)
    columns = num_betas + 10 if family == "smplx" else num_betas  # SMPL-X has expressions behind
    shapes = rng.normal(scale=0.004, size=(vertices, 3, columns))
    shapes[..., 0] = 0.05 * template
    arrays = {
        "v_template": template,
        "shapedirs": shapes,
        "J_regressor": regressor,
        "posedirs": np.zeros((vertices, 3, 9 * (joints - 1)), dtype=np.float16),
        "weights": np.eye(joints)[owner],
        "kintree_table": np.array([[2**32 - 1, *parents[1:]], range(joints)], dtype=np.uint32),
        "f": (np.arange(3 * FACES[family]) % vertices).reshape(-1, 3).astype(np.uint32),
    }
    if family != "smpl":
        for side in "lr":
            arrays |= {f"hands_components{side}": np.eye(45), f"hands_mean{side}": np.full(45, 0.1)}
    if family == "smplx":
        arrays |= {"lmk_faces_idx": np.arange(51), "lmk_bary_coords": np.full((51, 3), 1 / 3)}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **(arrays | replaced))
    return path


def upright(frames: int, values: int = 156) -> np.ndarray:
    """(T, values) poses of a person who stands in T-pose in AMASS's world: Z up, facing -Y, left at +X."""
    poses = np.zeros((frames, values))
    poses[:, 0] = np.pi / 2
    return poses


def turn_joint(poses: np.ndarray, joint: str, rotation: np.ndarray) -> None:
    """Set the axis-angle (T, 3) of a named body joint, in place."""
    start = 3 * T2M.joint(joint)
    poses[:, start : start + 3] = rotation


def walking(frames: int, fps: float, values: int = 156) -> tuple[np.ndarray, np.ndarray]:
    """Poses (T, values) and translation (T, 3): 1 m/s ahead (-Y), legs swinging, left arm rising, right arm hanging."""
    time = np.arange(frames) / fps
    poses = upright(frames, values)
    swing = 0.5 * np.sin(2 * np.pi * time)
    along_x, along_z = np.array([1.0, 0, 0]), np.array([0, 0, 1.0])
    turn_joint(poses, "left_hip", swing[:, None] * along_x)
    turn_joint(poses, "right_hip", -swing[:, None] * along_x)
    turn_joint(poses, "left_knee", (0.4 + 0.4 * np.cos(2 * np.pi * time))[:, None] * along_x)
    turn_joint(poses, "right_knee", (0.4 - 0.4 * np.cos(2 * np.pi * time))[:, None] * along_x)
    turn_joint(poses, "left_shoulder", (1.2 * time / max(time[-1], 1e-9))[:, None] * along_z)
    turn_joint(poses, "right_shoulder", np.tile(1.3 * along_z, (frames, 1)))
    trans = np.stack([np.zeros(frames), -time, np.full(frames, 1.2)], axis=-1)
    return poses, trans


def write_amass(path: Path, poses: np.ndarray, trans: np.ndarray, /, fps: float = 120.0, **replaced: object) -> Path:
    """A clip as ``*_poses.npz`` of AMASS; `replaced` adds arrays or, given as None, leaves them out."""
    arrays = {
        "poses": poses,
        "trans": trans,
        "betas": np.zeros(16),
        "gender": np.array("male"),
        "mocap_framerate": np.array(fps),
        "dmpls": np.zeros((len(poses), 8)),
    }
    arrays |= replaced
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path
