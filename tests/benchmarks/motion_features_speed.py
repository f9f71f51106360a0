"""Clips per second of feature extraction and joint recovery, one by one and batched, in one run.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.motion_features_speed [--device cuda]

The clips are the embedded toy people (22 joints, 20 fps), each repeated to a length drawn from 40 to 199 frames.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from dataset.toy.clips import toy_clips
from utils.motion.features import features_from_joints, joints_from_features
from utils.motion.skeleton import T2M


def clips_per_second(clips: int, work: Callable[[], object], device: str) -> float:
    """Best of three after one warm-up: the machine may be shared, and the fastest run is the least disturbed."""
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return clips / min(seconds[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=256)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    flags = parser.parse_args()
    rng = np.random.default_rng(0)
    joints = []
    for clip in toy_clips(flags.clips, seed=0):
        frames = int(rng.integers(40, 200))
        joints.append(np.resize(clip.joints, (frames, 22, 3)))
    features = [features_from_joints(clip, T2M) for clip in joints]

    def padded(arrays: list[np.ndarray], start: int) -> tuple[torch.Tensor, torch.Tensor]:
        part = [torch.from_numpy(array) for array in arrays[start : start + flags.batch]]
        return pad_sequence(part, batch_first=True).to(flags.device), torch.tensor([len(array) for array in part])

    joint_batches = [padded(joints, start) for start in range(0, flags.clips, flags.batch)]
    feature_batches = [padded(features, start)[0] for start in range(0, flags.clips, flags.batch)]
    lengths = [length.to(flags.device) for _, length in joint_batches]
    rows = {
        "extraction, numpy, one by one": lambda: [features_from_joints(clip, T2M) for clip in joints],
        f"extraction, torch, batches of {flags.batch}": lambda: [
            features_from_joints(batch, T2M, lengths=length)
            for (batch, _), length in zip(joint_batches, lengths, strict=True)
        ],
        "recovery, numpy, one by one": lambda: [joints_from_features(motion, T2M) for motion in features],
        f"recovery, torch, batches of {flags.batch}": lambda: [
            joints_from_features(batch, T2M) for batch in feature_batches
        ],
    }
    print(f"{flags.clips} clips, {sum(map(len, joints))} frames, {flags.device}, {torch.get_num_threads()} threads")
    for name, work in rows.items():
        print(f"{name:36s} {clips_per_second(flags.clips, work, flags.device):10.0f} clips/s")


if __name__ == "__main__":
    main()
