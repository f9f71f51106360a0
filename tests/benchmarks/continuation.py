"""How smooth motions go on: the speed of joints where a continuation begins, beside real motion and plain
concatenation.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.continuation --data-root experiments/quickstart/toy \
        --ckpt experiments/quickstart/rlvr_t2m/motionllm_rlvr_best.pth [--starts 100]

A held-out clip is the start and another clip's caption says how it goes on. Three ways are compared at the seam, by the
fastest joint between the two frames that meet there: ``--start`` (its last codes are given and all codes are decoded
together), both motions generated apart and joined at place and heading (plain concatenation), and real motion, whose
99th percentile over all frames is the bar. A continuation is smooth where it stays below.
"""

import argparse

import numpy as np
import torch

from dataset.humanml.layout import read_split
from models.inference.motion_llm import MotionLLM
from utils.motion.features import joints_from_features
from utils.motion.inverse_kinematics import facing_angle
from utils.motion.rotations import rotate_about_y
from utils.run.command import quiet_libraries

SECONDS, LONGEST_START = 2.0, 100  # frames of a start: five seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ckpt", required=True)
    parser.add_argument("--data-root", required=True)
    parser.add_argument("--starts", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    quiet_libraries()
    llm = MotionLLM.load(flags.ckpt, "t2m", "cpu")
    skeleton = llm.language.motion_tokenizer.skeleton
    records = read_split(flags.data_root, "test", skeleton)
    real = [skeleton.in_metres(joints_from_features(record.features, skeleton)) for record in records]
    bar = float(np.percentile(np.concatenate([speeds(joints, skeleton.fps) for joints in real]), 99))
    found = {"--start": [], "concatenated": []}
    for number in range(flags.starts):
        start = real[number % len(real)][:LONGEST_START]
        caption = records[(7 * number + 3) % len(records)].captions[0].text
        [motion] = llm.generate(caption, seconds=SECONDS, start=start, seed=flags.seed + number)
        added = round(SECONDS * skeleton.fps)
        seam = len(motion.joints) - added
        found["--start"].append(speeds(motion.joints, skeleton.fps)[seam - 1])
        [alone] = llm.generate(caption, seconds=SECONDS, seed=flags.seed + number)
        joined = np.concatenate([motion.joints[:seam], behind(motion.joints[:seam], alone.joints, skeleton)])
        found["concatenated"].append(speeds(joined, skeleton.fps)[seam - 1])
    print(f"real motion: the fastest joint of a frame moves {bar:.2f} m/s at the 99th percentile ({len(real)} clips)")
    for name, values in found.items():
        smooth = sum(value < bar for value in values)
        typical = f"median {np.median(values):.2f}, most {max(values):.2f} m/s"
        print(f"{name:13} {smooth} of {len(values)} seams below it; {typical}")


def speeds(joints: np.ndarray, fps: float) -> np.ndarray:
    """(T - 1,) m/s of the fastest joint between two frames."""
    return np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(axis=-1) * fps


def behind(first: np.ndarray, second: np.ndarray, skeleton: object) -> np.ndarray:
    """`second` (T, J, 3) put where `first` ends, facing as it does there."""
    angle = facing_angle(torch.from_numpy(first[-1].astype(np.float64)), skeleton)
    turned = rotate_about_y(torch.from_numpy(second.astype(np.float64)), angle).numpy()
    turned[..., [0, 2]] += first[-1, 0, [0, 2]] - turned[0, 0, [0, 2]]
    return turned.astype(np.float32)


if __name__ == "__main__":
    main()
