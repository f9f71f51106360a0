"""Frechet distance (FID) against the formula with scipy's matrix square root, in one run: seconds, ratio, difference.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.frechet_distance

Both compute the covariances, which no square root can save: with thousands of samples they are half of our time.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from scipy.linalg import sqrtm

from utils.metrics.text_motion import frechet_distance


def scipy_distance(real: np.ndarray, generated: np.ndarray) -> float:
    """The formula as the field computes it, complex leftovers cut off."""
    first, second = np.cov(real, rowvar=False), np.cov(generated, rowvar=False)
    shift = real.mean(axis=0) - generated.mean(axis=0)
    return float(shift @ shift + np.trace(first) + np.trace(second) - 2 * np.trace(sqrtm(first @ second).real))


def seconds(work: Callable[[], float], runs: int) -> float:
    """Best of `runs`: the machine may be shared, and the fastest run is the least disturbed."""
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--samples", type=int, nargs="+", default=[128, 384, 1000, 2000, 4384])
    parser.add_argument("--runs", type=int, default=5)
    flags = parser.parse_args()
    rng = np.random.default_rng(0)
    print(f"{'samples':>8s} {'scipy s':>9s} {'ours s':>9s} {'ratio':>7s} {'difference':>11s}")
    for samples in flags.samples:
        real = rng.normal(size=(samples, flags.dimensions))
        generated = rng.normal(0.1, 1.1, size=(samples, flags.dimensions))
        difference = frechet_distance(real, generated) / scipy_distance(real, generated) - 1
        theirs = seconds(lambda a=real, b=generated: scipy_distance(a, b), flags.runs)
        ours = seconds(lambda a=real, b=generated: frechet_distance(a, b), flags.runs)
        print(f"{samples:8d} {theirs:9.3f} {ours:9.3f} {theirs / ours:6.1f}x {abs(difference):11.1e}")


if __name__ == "__main__":
    main()
