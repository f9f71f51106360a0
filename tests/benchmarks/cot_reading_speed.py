"""How soon a CoT jsonl of the published size is ready to train on, and whether memory grows with its lines.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.cot_reading_speed --lines 140000

Makes a jsonl of about 0.8 kB a line (three lines a clip, 20 to 50 codes of 512, about 60 words of reasoning) and one of
a tenth of its lines in a temporary folder, and deletes it. Each is opened twice in a process of its own, first without
a cache and then with what the first left behind: read, lines above --max-motion-len out, validation split off, mean
weight, rows of both tasks, first batch of 8. Imports and the tokenizer are not counted, neither in seconds nor in
megabytes.

Memory in MB: "own" is the highest private memory (sampled every 2 ms), "resident" the highest of all that the kernel
counts, with pages of the mapped file, which it takes back when it needs them, and "kept" is what is still private when
the first batch is there. "disk" is what lies in all caches afterwards.
"""

import argparse
import json
import multiprocessing
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

NB_CODE = 512
MAX_CODES = 49
LINES_A_CLIP = 3
BATCH = 8
WORDS = (
    "the person starts upright with both feet on the floor then shifts weight to the left leg lifts the right knee and "
    "swings forward while the arms move in opposite direction so that balance holds before turning around slowly"
)
PHASES = ("read", "at most", "split", "weight", "rows", "batch")
STATUS = Path("/proc/self/status")


def write_lines(path: Path, lines: int) -> None:
    rng, words = random.Random(0), WORDS.split()
    with path.open("w", encoding="utf-8") as stream:
        for index in range(lines):
            row = {
                "id": f"{index // LINES_A_CLIP:06d}",
                "caption": f"a person {' '.join(rng.choices(words, k=rng.randint(6, 14)))}.",
                "motion_tokens": rng.choices(range(NB_CODE), k=rng.randint(20, 50)),
                "reasoning": " ".join(rng.choices(words, k=rng.randint(50, 70))),
                "sample_weight": round(rng.uniform(0.1, 2.0), 4),
            }
            stream.write(json.dumps(row) + "\n")


def make_tokenizer(jsonl: Path, folder: Path) -> None:
    """A small real tokenizer of the file's first words."""
    from prepare.make_tiny_llm import train_tokenizer

    with jsonl.open(encoding="utf-8") as stream:
        text = [json.loads(stream.readline())["reasoning"] for _ in range(200)]
    train_tokenizer(iter(text), vocab_size=400).save_pretrained(folder)


def megabytes(field: str) -> float:
    """A field of this process's status."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) / 1e3


class PrivatePeak:
    """Highest private memory while a `with` block runs, in MB; the kernel keeps no such number."""

    def __enter__(self) -> "PrivatePeak":
        self.highest = megabytes("RssAnon")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.002):
            self.highest = max(self.highest, megabytes("RssAnon"))


def size_of(*folders: Path) -> float:
    """MB of all files under the folders."""
    return sum(file.stat().st_size for folder in folders for file in folder.rglob("*") if file.is_file()) / 1e6


def open_file(jsonl: Path, tokenizer: Path, name: str) -> None:
    """One row of the table, in this process."""
    from transformers import AutoTokenizer

    from dataset.cot.sample import TASKS
    from dataset.cot.samples import read_cot_jsonl
    from dataset.cot.training_rows import task_rows
    from models.language.motion_language import MotionLanguage
    from models.language.prompts import PLAIN
    from models.language.vocabulary import MotionVocabulary
    from models.sft.batch import SupervisionCollator
    from models.sft.config import SupervisionConfig
    from utils.run.command import quiet_libraries

    quiet_libraries()
    vocabulary = MotionVocabulary(AutoTokenizer.from_pretrained(tokenizer), NB_CODE)
    language = MotionLanguage(vocabulary, None, PLAIN)
    seconds = []

    def timed(work: Callable[[], object]) -> object:
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
        return result

    Path("/proc/self/clear_refs").write_text("5")  # the kernel's own peak (VmHWM) starts anew
    private, resident = megabytes("RssAnon"), megabytes("VmRSS")
    with PrivatePeak() as peak:
        samples = timed(lambda: read_cot_jsonl(jsonl, NB_CODE))
        samples = timed(lambda: samples.at_most(MAX_CODES))
        train, validation = timed(lambda: samples.split(0.05, seed=0))
        weight = timed(train.mean_weight)
        rows, _ = timed(lambda: (task_rows(train, TASKS), task_rows(validation, TASKS)))
        supervision = SupervisionConfig(use_reasoning=True, reflection_share=0.0, weight_scale=1 / weight)
        collator = SupervisionCollator(train, language, supervision, seed=0)
        order = random.Random(0).sample(range(len(rows)), BATCH)
        timed(lambda: collator([rows[index] for index in order]))
    own, highest = peak.highest - private, megabytes("VmHWM") - resident
    kept = megabytes("RssAnon") - private
    disk = size_of(jsonl.parent) - jsonl.stat().st_size / 1e6
    times = " ".join(f"{value:7.2f}" for value in (*seconds, sum(seconds)))
    print(f"{name:16s} {times}   {own:7.1f} {highest:8.1f} {kept:7.1f} {disk:7.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=140_000)
    parser.add_argument("--folder", type=Path, help="where to make the temporary folder; default: the system's")
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as root:
        heads = " ".join(f"{name:>7s}" for name in (*PHASES, "total"))
        print(f"{'lines, cache':16s} {heads} s {'own':>7s} {'resident':>8s} {'kept':>7s} {'disk':>7s} MB", flush=True)
        for lines in (arguments.lines // 10, arguments.lines):
            folder = Path(root) / str(lines)
            folder.mkdir()
            write_lines(folder / "cot_train.jsonl", lines)
            make_tokenizer(folder / "cot_train.jsonl", Path(root) / "tokenizer")
            os.environ["HF_DATASETS_CACHE"] = str(folder / "datasets_cache")
            for cache in ("cold", "warm"):
                arguments_of_row = (folder / "cot_train.jsonl", Path(root) / "tokenizer", f"{lines:7d} {cache}")
                process = context.Process(target=open_file, args=arguments_of_row)
                process.start()
                process.join()
                if process.exitcode:
                    raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
