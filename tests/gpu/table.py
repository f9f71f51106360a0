"""Rows of measurements become a table in Markdown and results.json."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.gpu.bench import FAILED, MISSING, PART_ENDED, PASSED, row
from utils.files.json_files import write_json

WITHOUT_MODEL = ("peak", "tokenizer")
HEAD = "| part | model | what | value | peak memory | how |\n| --- | --- | --- | --- | --- | --- |"


def with_shares(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows; after each that counts operations one with their share of the machine's peak."""
    peak = next((one["flops"] for one in rows if one["part"] == "peak" and one["flops"]), None)
    found = []
    for one in rows:
        found.append(one)
        if peak and one["flops"] and one["part"] != "peak":
            how = "forward, again where checkpointed, gradients of activations: 2 operations each a weight and token"
            value, what = 100 * one["flops"] / peak, f"{one['what']}: share of peak"
            found.append(row(one["part"], one["model"], what=what, value=value, unit="%", how=how))
    return found


def markdown(rows: Sequence[dict[str, Any]], about: dict[str, Any]) -> str:
    """A line about the machine and the command, then a row for each figure."""
    shown = [one for one in rows if one["what"] != PART_ENDED]
    lines = [
        " | ".join(map(_cell, (one["part"], _model(one), one["what"], _value(one), _memory(one), one["how"])))
        for one in shown
    ]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    head = f"{about['gpu']}, {about['dtype']}, {about['platform']}; {versions}; commit {about['commit']}"
    return "\n".join([f"`{about['command']}`", "", head, "", HEAD, *(f"| {line} |" for line in lines)]) + "\n"


def write(folder: Path, rows: Sequence[dict[str, Any]], about: dict[str, Any]) -> None:
    """table.md and results.json."""
    (folder / "table.md").write_text(markdown(rows, about), encoding="utf-8")
    write_json(folder / "results.json", {**about, "rows": list(rows)})


def line(one: dict[str, Any]) -> str:
    """A row on the terminal."""
    what = "" if one["what"] is None else f"{one['what']}: "
    memory = "" if one["peak_gb"] is None else f", {_memory(one)}"
    how = "" if one["how"] is None else f" ({one['how']})"
    return f"{one['part']} {_model(one)}: {what}{_value(one)}{memory}{how}"


def _value(one: dict[str, Any]) -> str:
    if one["value"] is None:
        return f"{one['status']}: {one['problem']}"
    value = one["value"]
    number = f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.3g}"
    verdict = f" {one['status']}" if one["status"] in (PASSED, FAILED, MISSING) else ""
    return f"{number} {one['unit']}{verdict}"


def _model(one: dict[str, Any]) -> str:
    return "" if one["part"] in WITHOUT_MODEL else one["model"]


def _memory(one: dict[str, Any]) -> str:
    return "" if one["peak_gb"] is None else f"{one['peak_gb']:.2f} GB"


def _cell(text: str | None) -> str:
    return "" if text is None else text.replace("|", "/").replace("\n", " ")
