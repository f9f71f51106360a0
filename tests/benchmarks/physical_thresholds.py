"""Where the thresholds of `rewards/physical_plausibility.py` come from: percentiles of real motion, frame by frame.

    python -m tests.benchmarks.physical_thresholds --joints ../shared/data/bnr/joints_train.npz

Prints, for every quantity, percentiles over all frames of all clips and the threshold in use, then the terms and
the penalty that these clips get. `--features FILE.npy ...` adds single clips of (T, D) denormalised features.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
import torch

from rewards import physical_plausibility as physical
from rewards import physical_quantities as quantities
from rewards.physical_quantities import Track
from utils.motion.features import canonical_joints, joints_from_features
from utils.motion.skeleton import T2M

PERCENTILES = (0.1, 1, 50, 99, 99.9, 100)
BATCH = 64


def read_pack(path: Path) -> list[np.ndarray]:
    """Clips of the pack as (T, 22, 3) metres, floor at the lowest point."""
    pack = np.load(path)
    root, local, offsets = pack["root"], pack["local"], pack["offsets"]
    rel = local.astype(np.float32) * pack["local_scale"]
    joints = np.concatenate([np.zeros((len(root), 1, 3), np.float32), rel], axis=1) + root[:, None]
    return [canonical_joints(joints[a:b], T2M).astype(np.float32) for a, b in itertools.pairwise(offsets)]


def batches(clips: list[np.ndarray]):
    clips = sorted(clips, key=len)
    for start in range(0, len(clips), BATCH):
        group = clips[start : start + BATCH]
        frames = max(len(clip) for clip in group)
        joints = np.stack([np.pad(clip, ((0, frames - len(clip)), (0, 0), (0, 0)), mode="edge") for clip in group])
        lengths = torch.tensor([len(clip) for clip in group])
        yield torch.from_numpy(joints), torch.arange(frames) < lengths[:, None]


def tracks(joints: torch.Tensor, valid: torch.Tensor) -> dict[str, Track]:
    fps = T2M.fps

    def each(angles: torch.Tensor) -> Track:
        return Track(angles.flatten(1), valid[..., None].expand_as(angles).flatten(1))

    return {
        "bone deviation": quantities.bone_deviation(joints, valid, T2M),
        "knee flexion deg": each(quantities.knee_flexion(joints, T2M)),
        "elbow bend deg": each(quantities.bend(joints, T2M, ("left_elbow", "right_elbow"))),
        "trunk bend deg": each(quantities.bend(joints, T2M, ("spine1", "spine2", "spine3", "neck"))),
        "joint speed m/s": quantities.joint_speed(joints, valid, fps),
        "acceleration m/s2": quantities.joint_acceleration(joints, valid, fps),
        "roughness": quantities.roughness(joints, valid, fps),
        "support speed m/s": quantities.support_speed(joints, valid, fps),
        "depth m": quantities.depth(joints, valid),
        "lift m": quantities.lift(joints, valid, fps),
    }


IN_USE = {
    "bone deviation": physical.BONE_TOLERANCE,
    "knee flexion deg": physical.KNEE_RANGE_DEG,
    "elbow bend deg": physical.ELBOW_BEND_DEG,
    "trunk bend deg": physical.TRUNK_BEND_DEG,
    "joint speed m/s": physical.SPEED_LIMIT_M_S,
    "acceleration m/s2": physical.ACCELERATION_LIMIT_M_S2,
    "roughness": physical.ROUGHNESS_LIMIT,
    "support speed m/s": physical.SUPPORT_SPEED_LIMIT_M_S,
    "depth m": physical.DEPTH_TOLERANCE_M,
    "lift m": physical.LIFT_LIMIT_M,
}


def _limit(value: float | tuple[float, float]) -> str:
    return " to ".join(f"{end:g}" for end in np.atleast_1d(value))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--joints", type=Path, nargs="*", default=[], help="npz files of the motion pack")
    parser.add_argument("--features", type=Path, nargs="*", default=[], help="npy files, (T, 263) denormalised")
    args = parser.parse_args()
    clips = [clip for path in args.joints for clip in read_pack(path)]
    clips += [joints_from_features(np.load(path), T2M) for path in args.features]
    if not clips:
        parser.error("give --joints or --features")

    measured: dict[str, list[np.ndarray]] = {}
    terms: dict[str, list[np.ndarray]] = {}
    for joints, valid in batches(clips):
        for name, track in tracks(joints, valid).items():
            measured.setdefault(name, []).append(track.values[track.valid].numpy())
        batch_terms = physical.physical_terms(joints, valid, T2M)
        batch_terms["penalty"] = physical.weighted_penalty(batch_terms)
        for name, values in batch_terms.items():
            terms.setdefault(name, []).append(values.numpy())

    print(f"{len(clips)} clips, {sum(map(len, clips))} frames\n")
    print(f"{'per frame':20s}" + "".join(f"{f'p{p:g}':>10s}" for p in PERCENTILES) + "  in use")
    for name, parts in measured.items():
        row = np.percentile(np.concatenate(parts), PERCENTILES)
        print(f"{name:20s}" + "".join(f"{value:10.4f}" for value in row) + f"  {_limit(IN_USE[name])}")
    print(f"\n{'per clip':20s}{'mean':>10s}{'p95':>10s}{'max':>10s}")
    for name, parts in terms.items():
        values = np.concatenate(parts)
        print(f"{name:20s}{values.mean():10.4f}{np.percentile(values, 95):10.4f}{values.max():10.4f}")


if __name__ == "__main__":
    main()
