"""Everything that is timed, in one command: each figure beside what the machine allows, the plain way, the published.

    python -m tests.benchmarks                                    all parts, one thread
    python -m tests.benchmarks --only grpo com                    some
    python -m tests.benchmarks --compare experiments/benchmarks/earlier.json
    python -m tests.benchmarks --sizes tiny                       the same parts at the smallest sizes

OUT_DIR (default experiments/benchmarks) gets results.json and table.md. Figures are CPU seconds of one thread: where
others compute on the machine they change little, and where nobody does they are seconds. A part that fails has its
reason in the table, and the next one goes on; the exit status is 1 then.
"""

import argparse
import os
import shlex
import sys
import tempfile
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

# Where each part is; its function has its name.
PARTS = {
    "starts": "parts_of_commands",
    "first_step": "parts_of_commands",
    "sampling": "parts_of_models",
    "com": "parts_of_models",
    "grpo": "parts_of_models",
    "sft": "parts_of_models",
    "tokenizer": "parts_of_models",
    "features": "parts_of_data",
    "facts": "parts_of_data",
    "fid": "parts_of_data",
    "readers": "parts_of_data",
}
# The share of what the machine allows; how many times as fast as the plain way and as the published code.
HEAD = "| part | what | value | limit | plain | published | how |\n|" + 7 * " --- |"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write the table, and return the exit status."""
    from utils.files.json_files import read_json, write_json

    given = flags(argv)
    rows = measured(given)
    about = about_this(given)
    out = Path(given.out_dir)
    text = table(rows, about)
    if given.compare is not None:
        text += "\n" + compared(rows, read_json(Path(given.compare))["rows"], given.compare)
    write_json(out / "results.json", {**about, "rows": rows})
    (out / "table.md").write_text(text, encoding="utf-8")
    print(text)
    return int(any(row["problem"] for row in rows))


def flags(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=list(PARTS), choices=PARTS, help="parts; default: all")
    parser.add_argument("--sizes", default="baseline", choices=("baseline", "tiny"), help="of models and data")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--compare", help="results.json of another time or machine: prints how many times as fast")
    parser.add_argument("--out-dir", default="experiments/benchmarks", help="gets results.json and table.md")
    return parser.parse_args(argv)


def measured(given: argparse.Namespace) -> list[dict[str, Any]]:
    """Rows of results.json, one a figure; one with a `problem` for a part that failed."""
    import torch

    from tests.benchmarks.measuring import AMOUNTS, Machine
    from utils.errors import first_line
    from utils.run.command import quiet_libraries

    quiet_libraries()
    torch.set_num_threads(given.threads)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(AMOUNTS[given.sizes], Path(folder))
        for name in given.only:
            try:
                part = getattr(import_module(f"tests.benchmarks.{PARTS[name]}"), name)
                for figure in part(machine):
                    rows.append({"part": name, **vars(figure), "problem": None})
                    print(f"{name}: {figure.what} {number(figure.value)} {figure.unit}", file=sys.stderr, flush=True)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next part is measured
                traceback.print_exc()
                empty = dict.fromkeys(("what", "value", "unit", "how", "limit", "plain", "published"))
                rows.append({"part": name, **empty, "problem": f"{type(error).__name__}: {first_line(error)}"})
        rows.append(_of_machine("product of matrices", machine.peak / 1e9, "GFLOP/s"))
        rows.append(_of_machine("copied memory", machine.copied / 1e9, "GB/s"))
    return rows


def _of_machine(what: str, value: float, unit: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("limit", "plain", "published", "problem"))
    return {"part": "machine", "what": what, "value": value, "unit": unit, "how": "float32, best of several", **nothing}


def about_this(given: argparse.Namespace) -> dict[str, Any]:
    """Versions, commit, machine and command."""
    from utils.files.json_files import read_json
    from utils.run.folder import RunFolder

    out = Path(given.out_dir)
    out.mkdir(parents=True, exist_ok=True)
    RunFolder(out).record_environment(0)
    environment = read_json(out / "environment.json")
    command = "python -m tests.benchmarks " + shlex.join(sys.argv[1:])
    return {**environment, "command": command.strip(), "threads": given.threads, "cores": os.cpu_count(), "cpu": _cpu()}


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def table(rows: Sequence[dict[str, Any]], about: dict[str, Any]) -> str:
    """A line about machine and command, then a row a figure."""
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    head = f"{about['cpu']}, {about['cores']} cores, {about['threads']} thread(s), {about['platform']}; {versions}"
    lines = [f"`{about['command']}`", "", f"{head}; commit {about['commit']}", "", HEAD]
    return "\n".join([*lines, *(f"| {' | '.join(_cells(row))} |" for row in rows)]) + "\n"


def _cells(row: dict[str, Any]) -> list[str]:
    if row["problem"]:
        return [row["part"], "", f"failed: {row['problem']}".replace("|", "/"), "", "", "", ""]
    limit = "" if row["limit"] is None else f"{speed(row['limit'], row):.0%}"
    others = ["" if row[name] is None else f"{speed(row[name], row):.2f}x" for name in ("plain", "published")]
    return [row["part"], row["what"], f"{number(row['value'])} {row['unit']}".strip(), limit, *others, row["how"]]


def speed(other: float, row: dict[str, Any]) -> float:
    """How many times as fast as `other` the figure of a row is."""
    return row["value"] / other if row["unit"].endswith("/s") else other / row["value"]


def number(value: float) -> str:
    """Three digits."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def compared(rows: Sequence[dict[str, Any]], earlier: Sequence[dict[str, Any]], file: str) -> str:
    """How many times as fast each figure is as the same one of an earlier file."""
    before = {(row["part"], row["what"]): row["value"] for row in earlier if not row["problem"]}
    lines = [f"| part | what | times as fast as {Path(file).name} |", "| --- | --- | --- |"]
    for row in rows:
        value = before.get((row["part"], row["what"]))
        if value and row["value"]:
            lines.append(f"| {row['part']} | {row['what']} | {speed(value, row):.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    from utils.run.command import run_command

    run_command(lambda: sys.exit(main()))
