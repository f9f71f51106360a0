"""Readers of lines of JSON: chains of thought, codes, where they are from."""

import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from dataset.cot.samples import read_cot_jsonl
from dataset.cot.source import CotSource, read_cot_source, write_cot_source
from prepare.cot.inputs import ClipReasoning, read_reasoning
from prepare.import_cot import read_codes
from tests.faults.contents.damage import DEEP
from tests.faults.readers.reader import Reader, lines_of

NB_CODE = 16
DRAFT = {"reasoning": "She waits.", "caption": "she stands.", "lacking": {"t2m": "a step", "m2t": ""}}
COT = [
    {
        "id": "000001",
        "caption": "a person walks.",
        "motion_tokens": [1, 2, 3],
        "reasoning": "One foot, then the other.",
    },
    {"id": "000001", "caption": "he strolls\u2028on.", "motion_tokens": [1, 2, 3], "task": "t2m", "sample_weight": 0.5},
    {"id": "M000002", "caption": "NA", "motion_tokens": "4 5 6", "reasoning": "", "task": "m2t", "draft": DRAFT},
    {"caption": "null", "motion_tokens": [15, 0], "reasoning": "No id here."},
]
CODES = [{"id": f"{n:06d}", "split": "train", "codes": [n, n + 1, n + 2]} for n in range(5)]
REASONING = [
    {"id": "000001", "reasoning": ["One.", "Two."]},
    {"id": "000002", "reasoning": "Three."},
    *({"id": "000003", "caption": f"he {verb}s.", "reasoning": f"A {verb}."} for verb in ("walk", "turn")),
]
SOURCE = CotSource("tokenizer.pth", "0123456789ab", NB_CODE, "data", "ba9876543210")


def jsonl(rows: list[dict]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def holds(name: str, content: bytes) -> Any:
    def prepare(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return prepare


def objects_of(content: bytes) -> list[dict] | None:
    """The objects of a .jsonl; None where a line is none, so that only an error would be right."""
    lines = lines_of(content)
    if lines is None:
        return None
    try:
        rows = [json.loads(line) for line in lines]
    except (ValueError, RecursionError):
        return None
    return rows if all(isinstance(row, dict) for row in rows) else None


def _wrong_cot(content: bytes, samples: Any) -> str | None:
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    rows = objects_of(content)
    if rows is None:
        return "samples of a file with a line that is no object"
    if len(samples) != len(rows):
        return f"{len(samples)} samples of {len(rows)} lines"
    for row, said in zip(samples.rows, rows, strict=True):
        if row["caption"] != _whole(said["caption"]).strip():
            return "another caption than the line's"
        if said.get("id") is not None and row["id"] != _whole(str(said["id"])):
            return f"the id {said['id']!r} became {row['id']!r}"
        if not all(0 <= code < NB_CODE for code in row["codes"]) or not row["codes"]:
            return "a code outside of the codebook"
        if not math.isfinite(row["sample_weight"]):
            return "a weight that is not finite"
    return None


def _whole(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").replace("\ufffd\ufffd\ufffd", "\ufffd")


def _wrong_codes(content: bytes, codes: dict[str, np.ndarray]) -> str | None:
    rows = objects_of(content)
    if rows is None or not all(isinstance(row.get("id"), str) for row in rows):
        return "codes of lines without ids"
    if not all(values.ndim == 1 and (values >= 0).all() for values in codes.values()):
        return "codes that are no row of numbers from 0"
    for row in rows:
        if codes[_whole(row["id"])].tolist() != row["codes"]:  # a clip may stand in several splits
            return "other codes than the line's"
        if not isinstance(row["codes"], list) or not all(type(code) is int for code in row["codes"]):
            return f"codes made of {row['codes']!r:.40}"
    return None


def _wrong_reasoning(content: bytes, found: dict[str, ClipReasoning]) -> str | None:
    rows = objects_of(content)
    if rows is None:
        return "reasoning of a file with a line that is no object"
    lines: dict[str, list[tuple[str | None, list[str]]]] = {}
    for row in rows:
        texts = row["reasoning"] if isinstance(row["reasoning"], list) else [row["reasoning"]]
        caption = None if row.get("caption") is None else _whole(row["caption"]).strip()
        lines.setdefault(_whole(row["id"]), []).append((caption, list(map(_whole, texts))))
    if found.keys() != lines.keys():
        return "other ids than its lines"
    for id, own in lines.items():
        for_any = [text for caption, texts in own if caption is None for text in texts]
        if for_any and len(own) > 1:
            return f"several lines of {id!r}, of which one does not say its caption"
        if found[id].for_any != for_any:
            return f"other texts of {id!r} than its line's"
        for caption, texts in own:
            if caption is not None and [found[id].by_caption.get(caption)] != texts:
                return f"another text of {id!r} for {caption!r:.40} than its line's, or one of two"
    return None


def _wrong_source(content: bytes, source: Any) -> str | None:
    kinds = {"motion_tokenizer": str, "fingerprint": str, "nb_code": int, "data_root": str}
    bad = [name for name, kind in kinds.items() if type(getattr(source, name)) is not kind]
    return f"{bad[0]} is {getattr(source, bad[0])!r:.40}" if bad else None


def _prepare_source(folder: Path) -> None:
    write_cot_source(folder / "codes.jsonl", SOURCE)


ODD_LINES = {
    "id 0": jsonl([{**COT[0], "id": 0}]),
    "id 000001 as a number": b'{"id": 1, "caption": "x", "motion_tokens": [1]}\n',
    "id false": jsonl([{**COT[0], "id": False}]),
    "a lone surrogate": b'{"id": "a", "caption": "a \\ud83d", "motion_tokens": [1]}\n',
    "50,000 brackets": b'{"id": ' + b"[" * DEEP + b"]" * DEEP + b"}\n",
    "a number of 400 digits": b'{"id": "a", "caption": "x", "motion_tokens": [' + b"9" * 400 + b"]}\n",
    "a number of 5,000 digits": b'{"id": "a", "caption": "x", "motion_tokens": [' + b"9" * 5000 + b"]}\n",
    "a weight of 1e400": b'{"caption": "x", "motion_tokens": [1], "sample_weight": 1e400}\n',
    "a code that is true": b'{"caption": "x", "motion_tokens": [true]}\n',
    "a code 1.0": b'{"caption": "x", "motion_tokens": [1.0]}\n',
    "carriage returns only": jsonl(COT).replace(b"\n", b"\r"),
    "UTF-16": jsonl(COT).decode().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + jsonl(COT),
    "Latin-1": jsonl(COT).replace(b"person", b"p\xe9rson"),
    "a NUL": jsonl(COT).replace(b"person", b"per\x00son"),
    "torn": jsonl(COT)[:-20],
    "an array": json.dumps(COT).encode(),
    "140 kB of <think>": jsonl([{**COT[0], "reasoning": "<think>" * 20_000}]),
    "empty": b"", "blank": b"\n\n \n",
}  # fmt: skip

READERS = [
    Reader(
        "CoT jsonl",
        "cot.jsonl",
        "jsonl",
        holds("cot.jsonl", jsonl(COT)),
        lambda folder: read_cot_jsonl(folder / "cot.jsonl", NB_CODE),
        _wrong_cot,
        ODD_LINES,
        1.5,
    ),
    Reader(
        "CoT jsonl.gz",
        "cot.jsonl.gz",
        "jsonl.gz",
        holds("cot.jsonl.gz", gzip.compress(jsonl(COT), mtime=0)),
        lambda folder: read_cot_jsonl(folder / "cot.jsonl.gz", NB_CODE),
        _wrong_cot,
        {name: gzip.compress(content, mtime=0) for name, content in ODD_LINES.items()} | {"plain inside": jsonl(COT)},
    ),
    Reader(
        "codes",
        "codes.jsonl",
        "jsonl",
        holds("codes.jsonl", jsonl(CODES)),
        lambda folder: read_codes(folder / "codes.jsonl"),
        _wrong_codes,
        {
            "other codes of one id": jsonl([*CODES, {**CODES[0], "codes": [9]}]),
            "no codes": jsonl([{"id": "a", "split": "train", "codes": []}]),
        },
    ),
    Reader(
        "reasoning",
        "reasoning.jsonl",
        "jsonl",
        holds("reasoning.jsonl", jsonl(REASONING)),
        lambda folder: read_reasoning(folder / "reasoning.jsonl"),
        _wrong_reasoning,
        {
            "an id twice": jsonl([*REASONING, {"id": "000001", "reasoning": "Other."}]),
            "a caption twice": jsonl([*REASONING, {**REASONING[3], "reasoning": "Other."}]),
            "a line without a caption among those with one": jsonl([*REASONING, {**REASONING[3], "caption": None}]),
            "two texts for one caption": jsonl([{**REASONING[3], "reasoning": ["One.", "Two."]}]),
            "a tag": jsonl([{**REASONING[3], "reasoning": "One.</think>"}]),
        },
    ),
    Reader(
        "codes.source.json",
        "codes.source.json",
        "json",
        _prepare_source,
        lambda folder: read_cot_source(folder / "codes.jsonl"),
        _wrong_source,
    ),
]
