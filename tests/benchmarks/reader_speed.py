"""How fast a split of HumanML3D's size loads, and what it costs in memory, alone and in two forked workers.

    python -m tests.benchmarks.reader_speed --clips 6000

Makes clips of 40 to 199 frames with three captions each in a temporary folder (0.13 MB a clip there, as much again
for the pack) and deletes it. Motions are hard links to a few distinct files, so the first load reads them from the
page cache and is bound by writing. Memory is what the kernel counts: "private" is a process's own, "proportional"
divides what is shared among those who share it.
"""

import argparse
import logging
import multiprocessing
import os
import tempfile
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np

from dataset.humanml.layout import FEATURES_FOLDER, TEXTS_FOLDER, MotionRecord, read_split, write_splits
from utils.motion.skeleton import T2M

DISTINCT = 40
WORKERS = 2
LINE = "a person walks forward then turns to the left side and sits down.#"
TOKENS = (
    "a/DET person/NOUN walk/VERB forward/ADV then/ADV turn/VERB to/ADP the/DET left/ADJ side/NOUN and/CCONJ sit/VERB"
)
SMAPS = Path("/proc/self/smaps_rollup")


def make_clips(root: Path, count: int) -> int:
    """`count` clips in the layout -> bytes of their motions."""
    rng = np.random.default_rng(0)
    for name in (FEATURES_FOLDER, TEXTS_FOLDER, "distinct"):
        (root / name).mkdir()
    lengths = np.linspace(T2M.min_frames, T2M.max_frames - 1, DISTINCT).astype(int)
    for index, frames in enumerate(lengths):
        np.save(root / f"distinct/{index}.npy", rng.normal(size=(frames, T2M.feature_dim)).astype(np.float32))
    ids = [f"{index:06d}" for index in range(count)]
    for index, id in enumerate(ids):
        os.link(root / f"distinct/{index % DISTINCT}.npy", root / FEATURES_FOLDER / f"{id}.npy")
        (root / TEXTS_FOLDER / f"{id}.txt").write_text(f"{LINE}{TOKENS}#0.0#0.0\n" * 3, encoding="utf-8")
    write_splits(root, {"train": ids})
    return sum(int(lengths[index % DISTINCT]) for index in range(count)) * T2M.feature_dim * 4


def memory() -> str:
    """This process's memory in MB."""
    if not SMAPS.is_file():
        return "(this system has no smaps_rollup)"
    sizes: dict[str, float] = {}
    for line in SMAPS.read_text().splitlines()[1:]:
        name, size, _ = line.split()
        sizes[name.removesuffix(":")] = int(size) / 1e3
    private, shared = (sizes[f"{kind}_Clean"] + sizes[f"{kind}_Dirty"] for kind in ("Private", "Shared"))
    return (
        f"resident {sizes['Rss']:.0f} MB = private {private:.0f} + shared {shared:.0f}; "
        f"proportional {sizes['Pss']:.0f} MB"
    )


def touch(records: list[MotionRecord], number: int, together: Barrier) -> None:
    """Read every frame, as a worker does, and say what it costs while the others hold theirs."""
    total = sum(float(record.features.sum(dtype=np.float64)) for record in records)
    together.wait()
    print(f"worker {number}, all frames read (sum {total:.1f}): {memory()}", flush=True)
    together.wait()


def load(root: Path, name: str, workers: int) -> None:
    """One load in a fresh process, then forked workers that read everything."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    print(f"{name}, before: {memory()}")
    start = time.perf_counter()
    records = read_split(root, "train", T2M)
    print(f"{name}: {time.perf_counter() - start:.2f} s for {len(records)} records; {memory()}", flush=True)
    context = multiprocessing.get_context("fork")
    together = context.Barrier(max(workers, 1))
    started = [context.Process(target=touch, args=(records, number, together)) for number in range(workers)]
    for worker in started:
        worker.start()
    for worker in started:
        worker.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=29_000)
    parser.add_argument("--folder", type=Path, help="where to make the temporary folder; default: the system's")
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as root:
        size = make_clips(Path(root), arguments.clips)
        print(f"{arguments.clips} clips, {size / 1e6:.0f} MB of motion", flush=True)
        for name, workers in (("first load, packing", 0), ("second load", WORKERS)):
            process = context.Process(target=load, args=(Path(root), name, workers))
            process.start()
            process.join()


if __name__ == "__main__":
    main()
