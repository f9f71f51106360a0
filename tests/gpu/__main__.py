"""What the real machine does: speed, memory and exactness of every stage on one GPU, in a table.

    python -m tests.gpu [--shapes 0.6b 4b --minutes 8 --out-dir experiments/gpu]     on a GPU
    python -m tests.gpu --shapes tiny --device cpu                                   the same parts, tiny, on a CPU

Language models have random weights of Qwen3's published shapes, so nothing is downloaded. Each part is the project's
own code with a clock around it. A part that fails (out of memory, no vLLM) has its reason in the table, and the next
one goes on; the exit status is 1 then. Times are of one run: a second one says how far they can be trusted.
"""

import argparse
import json
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from tests.gpu.groups import PARTS, Group, budgets, groups_of, in_a_process, part_named
from utils.run.command import run_command


def main(argv: list[str] | None = None) -> int:
    """Measure, write the table, and return the exit status."""
    from utils.run.devices import resolve_device

    given = flags(argv)
    started = time.monotonic()
    deadline, out = started + 60 * given.minutes, Path(given.out_dir).resolve()
    resolve_device(given.device)  # refused at once where there is none
    if given.rows_to is not None:  # one group, for the process that waits for it
        (group,) = groups_of(given.shapes, given.parts)
        measure_here(group, given, out / "scratch", deadline, Rows(started, Path(given.rows_to)))
        return 0
    scratch = out / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    rows, own_process = Rows(started), given.device != "cpu"
    try:
        for group, end in budgets(groups_of(given.shapes, given.parts), deadline):
            if own_process:
                shared = ["--device", given.device, "--precision", given.precision, "--out-dir", str(out)]
                rows.rows += in_a_process(group, shared, scratch, end)
            else:
                measure_here(group, given, scratch, deadline, rows)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return report(rows.rows, given, out, time.monotonic() - started)


def flags(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=["0.6b", "4b"], choices=("tiny", "0.6b", "1.7b", "4b"))
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS, help="default: all")
    parser.add_argument("--minutes", type=float, default=8.0, help="that all of it may take")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"), help="the first GPU, or none")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"), help="of the language model")
    parser.add_argument("--out-dir", default="experiments/gpu", help="gets table.md and results.json")
    parser.add_argument("--rows-to", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


class Rows:
    """Rows as they are measured: on the terminal, in a list, and in a file where another process waits for them."""

    def __init__(self, started: float, file: Path | None = None) -> None:
        self.rows: list[dict[str, Any]] = []
        self._started, self._file = started, file

    def keep(self, row: dict[str, Any]) -> None:
        from tests.gpu.table import line

        self.rows.append(row)
        print(f"[{time.monotonic() - self._started:4.0f} s] {line(row)}", flush=True)
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")


def measure_here(group: Group, given: argparse.Namespace, scratch: Path, deadline: float, rows: Rows) -> None:
    """The parts of a group in this process."""
    from tests.gpu.bench import Bench, measure
    from tests.gpu.shapes import SHAPES
    from utils.run.command import quiet_libraries
    from utils.run.devices import resolve_device

    quiet_libraries()
    bench = Bench(SHAPES[group.shape], resolve_device(given.device), given.precision, scratch, deadline)
    measure(group.parts, part_named, bench, rows.keep)


def report(rows: list[dict[str, Any]], given: argparse.Namespace, out: Path, seconds: float) -> int:
    """Print and write the table; 1 where a part or a check has failed."""
    import torch

    from tests.gpu.bench import FAILED
    from tests.gpu.table import markdown, with_shares, write
    from utils.files.json_files import read_json
    from utils.run.devices import model_dtype, resolve_device
    from utils.run.folder import RunFolder

    device = resolve_device(given.device)
    RunFolder(out).record_environment(0, device=given.device)  # versions and commit
    about = {
        **read_json(out / "environment.json"),
        "command": "python -m tests.gpu " + shlex.join(sys.argv[1:]),
        "gpu": torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"CPU, {torch.get_num_threads()} threads",
        "cuda": torch.version.cuda,
        "dtype": str(model_dtype(given.precision, device)).removeprefix("torch."),
        "seconds": round(seconds, 1),
    }
    rows = with_shares(rows)
    write(out, rows, about)
    print(markdown(rows, about))
    return int(any(row["status"] == FAILED for row in rows))


if __name__ == "__main__":
    run_command(lambda: sys.exit(main()))
