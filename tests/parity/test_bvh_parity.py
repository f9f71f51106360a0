"""Raw BVH files against the joints that the test pack made of them (read from ../shared), to 0.1 mm."""

import json

import numpy as np
import pytest

from dataset.sources.bvh.file import read_bvh
from dataset.sources.bvh.joint_mapping import read_bvh_joints
from tests.places import SHARED
from utils.motion.skeleton import T2M

PACK = SHARED / "data" / "bnr"
pytestmark = pytest.mark.skipif(not PACK.is_dir(), reason="the shared data beside the repository is absent")


def test_real_files_give_the_joints_of_the_pack():
    rows = [json.loads(line) for line in (PACK / "meta.jsonl").read_text(encoding="utf-8").splitlines()]
    files = {path.name: path for path in sorted((PACK / "bvh").glob("*.bvh"))}
    clips = [row for row in rows if row["source_bvh"] in files]
    expected = _pack_joints({row["id"] for row in clips})
    joints = {name: read_bvh_joints(path, None, T2M) for name, path in files.items()}
    errors = []
    for row in clips:
        clip = joints[row["source_bvh"]][row["start_frame_20fps"] : row["end_frame_20fps"]]
        x, z = row["origin_xz_m"]
        angle = np.radians(row["yaw_deg"])
        turn = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
        errors.append(np.abs((clip - [x, 0, z]) @ np.transpose(turn) - expected[row["id"]]).max())
    assert len(files) == 40
    # The pack left out clips of fewer than 41 frames.
    short = {name for name, clip in joints.items() if len(clip) < 41}
    assert {row["source_bvh"] for row in clips} == set(files) - short and len(short) == 3
    assert max(errors) < 1e-4


@pytest.mark.parametrize("name", ["dataset-1_run_normal_001", "dataset-1_walk-back_normal_001"])
def test_travel_on_a_root_above_the_hips_reaches_the_joints(name):
    motion = read_bvh(PACK / "bvh" / f"{name}.bvh")
    travel = np.ptp(motion.translations, axis=0)[:2, 2] / 100  # joint_Root, Hips, along z
    assert motion.joint_names[:2] == ("joint_Root", "Hips") and travel[0] > 1 > 0.2 > travel[1]
    joints = read_bvh_joints(PACK / "bvh" / f"{name}.bvh", None, T2M)
    assert (np.ptp(joints, axis=0)[:, 2] > 0.7 * travel[0]).all()


def _pack_joints(ids):
    """Joints (T, 22, 3) in metres of these clips, by id."""
    found = {}
    for split in ("train", "val", "test"):
        with np.load(PACK / f"joints_{split}.npz") as pack:
            names, offsets, root, local = (pack[key] for key in ("names", "offsets", "root", "local"))
            scale = float(pack["local_scale"])
        for index in np.flatnonzero(np.isin(names, list(ids))):
            frames = slice(offsets[index], offsets[index + 1])
            relative = np.pad(local[frames] * scale, ((0, 0), (1, 0), (0, 0)))
            found[str(names[index])] = relative + root[frames, None]
    return found
