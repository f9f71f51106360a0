"""Parts that start commands: how soon each explains itself, and how soon training takes its first step."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks.measuring import Figure, Machine
from tests.gpu.shapes import SHAPES, write_backbone
from tests.places import ROOT

ENTRY_FILES = ("train_mllm.py", "eval_mllm.py", "demo.py")
TICKS = os.sysconf("SC_CLK_TCK")


def commands() -> list[str]:
    """Every command of the project, as words behind `python`."""
    made = sorted(file for file in (ROOT / "prepare").glob("*.py") if "__main__" in file.read_text(encoding="utf-8"))
    return [*ENTRY_FILES, *(f"-m prepare.{file.stem}" for file in made)]


def starts(machine: Machine) -> Iterator[Figure]:
    """``--help`` of each command; at tiny sizes of the three entry points alone."""
    tiny = machine.amounts.sft_shape == "tiny"
    for command in commands()[: 1 if tiny else None]:
        seconds = min(_cpu([*command.split(), "--help"]) for _ in range(1 if tiny else 3))
        yield Figure(f"{command} --help", seconds, "s", "CPU seconds of the process, imports included")


def first_step(machine: Machine) -> Iterator[Figure]:
    """From the command line to the first row of metrics of SFT, with a model of the sizes of the quickstart's."""
    import torch

    from dataset.toy.clips import toy_clips

    shape, folder = SHAPES[machine.amounts.sft_shape], machine.folder / "first"
    clips = list(toy_clips(60, seed=0))
    write_backbone(folder / "backbone", shape, clips, torch.device("cpu"), torch.float32)
    rows = [
        {"id": clip.id, "caption": caption.text, "motion_tokens": [1, 2, 3, 4, 5], "reasoning": clip.reasoning[0]}
        for clip in clips
        for caption in clip.captions
    ]
    (folder / "cot.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    words = [
        "train_mllm.py", "--cot-train-jsonl", folder / "cot.jsonl", "--llm-backbone", folder / "backbone", "--nb-code",
        "16", "--training-task", "t2m", "--use-reasoning", "--out-dir", folder, "--exp-name", "run", "--print-iter",
        "1", "--batch-size", "8", "--device", "cpu",
    ]  # fmt: skip
    started = time.perf_counter()
    process = _start([str(word) for word in words])
    try:
        metrics = folder / "run" / "metrics.jsonl"
        while process.poll() is None and not (metrics.is_file() and '"loss"' in metrics.read_text(encoding="utf-8")):
            time.sleep(0.01)
        wall, seconds = time.perf_counter() - started, _spent(process.pid)
    finally:
        process.kill()
        process.wait()
    yield Figure("first step of SFT, CPU seconds", seconds, "s", f"{len(rows)} lines, {shape.name} model")
    yield Figure("first step of SFT, on the wall", wall, "s", "the same; longer where others compute")


def _start(words: Sequence[str]) -> subprocess.Popen:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, *words], cwd=ROOT, env=environment, **silent)


def _cpu(words: Sequence[str]) -> float:
    """CPU seconds of a command to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    status = _start(words).wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if status:
        raise RuntimeError(f"python {' '.join(words)} ended with status {status}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _spent(pid: int) -> float:
    """CPU seconds of a running process."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
