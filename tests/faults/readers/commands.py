"""Commands that make data sets as readers: one damaged file among good ones, and what becomes of the others."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dataset.captions.lines import Caption
from dataset.cot.source import write_cot_source
from dataset.humanml.layout import write_mean_std, write_record, write_splits
from dataset.toy.clips import toy_clips
from tests.dataset.sources.bvh.synthetic_bvh import SHIPPED_METRES, body, bvh_text
from tests.faults.contents.damage_arrays import npy_bytes
from tests.faults.readers.cot import CODES, SOURCE, jsonl, objects_of
from tests.faults.readers.reader import Reader, command, lines_of
from tests.faults.readers.text import BVH_MADE, CAPTIONS
from tests.prepare.random_motions import random_tokenizer
from utils.errors import InputError
from utils.motion.features import features_from_joints
from utils.motion.skeleton import T2M

CLIPS = [clip for clip in toy_clips(40, seed=1) if len(clip.joints) > 44][:4]
IDS = ("a", "b", "c", "d")
DAMAGED = "c"  # the clip whose file is damaged
FARTHEST = 1e4


def prepare_joints(folder: Path) -> None:
    """Joints and captions of four clips."""
    for name in ("joints", "texts"):
        (folder / name).mkdir()
    for id, clip in zip(IDS, CLIPS, strict=True):
        np.save(folder / f"joints/{id}.npy", clip.joints.astype(np.float32))
        (folder / f"texts/{id}.txt").write_text(CAPTIONS, "utf-8")
    (folder / "splits").mkdir()
    for split, ids in {"train": "ab", "val": "c", "test": "d"}.items():
        (folder / f"splits/{split}.txt").write_text("".join(f"{id}\n" for id in ids))


def prepare_data(folder: Path) -> None:
    """A data set of four clips, a tokenizer, codes of it, word vectors, an evaluator."""
    root = folder / "data"
    for id, clip in zip(IDS, CLIPS, strict=True):
        features = features_from_joints(clip.joints, T2M)
        write_record(
            root, id, features, clip.joints[:-1], [Caption("a person walks.", ("a/DET", "person/NOUN", "walk/VERB"))]
        )
    write_splits(root, {"train": IDS, "val": IDS[:2], "test": IDS})
    write_mean_std(root, np.zeros(263), np.ones(263))
    random_tokenizer().save(folder / "t.pth")
    rows = [{"id": id, "split": "train", "codes": [1, 2, 3]} for id in IDS]
    (folder / "codes.jsonl").write_bytes(jsonl(rows))
    write_cot_source(folder / "codes.jsonl", SOURCE)


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder / "out", ignore_errors=True)
    return folder / "out"


def converted(folder: Path) -> dict[str, np.ndarray]:
    """The features that a conversion made, by id."""
    return {path.stem: np.load(path) for path in sorted((folder / "out/new_joint_vecs").glob("*.npy"))}


def conversion(*words: str) -> Callable[[Path], Any]:
    """Reads a folder by converting it; a refusal of all for one bad file is a value too, and never right."""
    module, *flags = words

    def read(folder: Path) -> Any:
        out = fresh(folder)
        given = [word.replace("FOLDER", str(folder)) for word in flags]
        try:
            command(module, *given, "--out-dir", out, "--seed", "1", "--no-retarget", "--skip-bad")
        except InputError as error:
            return str(error)
        return converted(folder)

    return read


def others_arrived(others: set[str]) -> Callable[[bytes, Any], str | None]:
    def wrong(content: bytes, made: Any) -> str | None:
        if isinstance(made, str):
            return f"one bad file ended the whole run with --skip-bad: {made[:80]}"
        if not others <= made.keys():
            return "a good clip is missing"
        for features in made.values():
            if not np.isfinite(features).all() or np.abs(features).max() > FARTHEST:
                return "features that no motion has"
        return None

    return wrong


def _prepare_bvh(folder: Path) -> None:
    (folder / "bvh").mkdir()
    for id in IDS:
        text = bvh_text(body("lafan1"), SHIPPED_METRES["lafan1"], frames=20, frame_time=0.033333, swing=20)
        (folder / f"bvh/{id}.bvh").write_text(text)


def _encoded(folder: Path) -> Any:
    shutil.rmtree(folder / "data/.cache", ignore_errors=True)
    fresh(folder)
    command("prepare.encode_motions", "--data-root", folder / "data", "--motion-tokenizer", folder / "t.pth",
            "--out", folder / "out/codes.jsonl", "--splits", "train", "--device", "cpu")  # fmt: skip
    return [json.loads(line) for line in (folder / "out/codes.jsonl").read_text("utf-8").split("\n") if line]


def _wrong_encoded(content: bytes, rows: Any) -> str | None:
    if not {"a", "b", "d"} <= {row["id"] for row in rows}:
        return "a good clip has no codes"
    return None if all(0 <= code < 16 for row in rows for code in row["codes"]) else "codes outside of the codebook"


def _written(folder: Path) -> Any:
    out = fresh(folder)
    command(
        "prepare.write_cot_jsonl", "--codes", folder / "codes.jsonl", "--data-root", folder / "data", "--out-dir", out
    )
    return [json.loads(line) for line in (out / "cot_train.jsonl").read_text("utf-8").split("\n") if line]


def _wrong_written(content: bytes, rows: Any) -> str | None:
    said = {row["id"]: row["codes"] for row in objects_of(content) or [] if isinstance(row.get("id"), str)}
    for row in rows:
        codes = row["motion_tokens"]
        if not codes or not all(type(code) is int and 0 <= code < 16 for code in codes):
            return f"a line with the codes {codes!r:.40}"
        if codes != said.get(row["id"]):
            return "codes of another clip"
    return None


def _statistics(folder: Path) -> Any:
    command("prepare.compute_motion_stats", "--data-root", folder / "data", "--skip-bad", "--replace")
    return np.load(folder / "data/Mean.npy"), np.load(folder / "data/Std.npy")


def _wrong_statistics(content: bytes, value: Any) -> str | None:
    good = all(np.isfinite(array).all() and np.abs(array).max() < FARTHEST for array in value) and (value[1] > 0).all()
    return None if good else "statistics that no motions have"


def _splits(folder: Path) -> dict[str, list[str]]:
    given = ["--joints-dir", folder / "joints", "--splits-dir", folder / "splits"]
    command("prepare.motions_from_joints", *given, "--out-dir", fresh(folder), "--skip-bad")
    return {path.stem: path.read_text("utf-8").split() for path in (folder / "out").glob("*.txt")}


def _wrong_splits(content: bytes, splits: dict[str, list[str]]) -> str | None:
    """That each clip is where the three files say, also where two of them say it of one (which is warned of)."""
    lines = lines_of(content)
    if lines is None:
        return "splits of what is no text"
    train = list(dict.fromkeys(line.strip() for line in lines))
    wanted = {"train": [id for id in train if id in IDS], "val": ["c"], "test": ["d"]}
    wrong = [name for name, ids in wanted.items() if splits.get(name) != ids]
    return f"{wrong[0]}.txt is {splits.get(wrong[0])}, not {wanted[wrong[0]]}" if wrong else None


_JOINTS = ("prepare.motions_from_joints", "--joints-dir", "FOLDER/joints", "--texts-dir", "FOLDER/texts")
_OTHERS = others_arrived(set(IDS) - {DAMAGED})
CLIP_FILES = {"1e300": npy_bytes(np.full((50, 22, 3), 1e300)), "NaN": npy_bytes(np.full((50, 22, 3), np.nan)),
               "features": npy_bytes(np.zeros((50, 263), np.float32)),
               "an object": npy_bytes(np.array([{}], dtype=object))}  # fmt: skip
_SPLITS_MADE = {
    "a held-out clip": b"a\nb\nc\n", "no clip": b"x\ny\n", "a clip twice": b"b\na\nb\n", "in one line": b"a b",
    "with .npy": b"a.npy\nb.npy\n", "UTF-16": "a\nb\n".encode("utf-16"),
}  # fmt: skip

READERS = [
    Reader(
        "motions_from_joints: joints",
        "joints/c.npy",
        "npy",
        prepare_joints,
        conversion(*_JOINTS),
        _OTHERS,
        CLIP_FILES,
        0.7,
    ),
    Reader(
        "motions_from_joints: captions",
        "texts/c.txt",
        "text",
        prepare_joints,
        conversion(*_JOINTS),
        _OTHERS,
        share=0.7,
    ),
    Reader(
        "motions_from_joints: split file",
        "splits/train.txt",
        "text",
        prepare_joints,
        _splits,
        _wrong_splits,
        _SPLITS_MADE,
        0.5,
    ),
    Reader(
        "motions_from_bvh",
        "bvh/c.bvh",
        "text",
        _prepare_bvh,
        conversion("prepare.motions_from_bvh", "--bvh-dir", "FOLDER/bvh"),
        _OTHERS,
        {name: text.encode() for name, text in BVH_MADE.items()},
        0.7,
    ),
    Reader(
        "encode_motions: features",
        "data/new_joint_vecs/c.npy",
        "npy",
        prepare_data,
        _encoded,
        _wrong_encoded,
        CLIP_FILES,
        0.5,
    ),
    Reader(
        "write_cot_jsonl: codes",
        "codes.jsonl",
        "jsonl",
        prepare_data,
        _written,
        _wrong_written,
        {
            "codes of a text": jsonl([{**CODES[0], "id": "a", "codes": "1 2"}]),
            "a code 1.5": jsonl([{**CODES[0], "id": "a", "codes": [1.5]}]),
            "a code beyond": jsonl([{**CODES[0], "id": "a", "codes": [16]}]),
            "no split": jsonl([{"id": "a", "codes": [1]}]),
        },
        0.4,
    ),
    Reader(
        "compute_motion_stats",
        "data/new_joint_vecs/c.npy",
        "npy",
        prepare_data,
        _statistics,
        _wrong_statistics,
        CLIP_FILES,
        0.5,
    ),
    Reader("encode_motions: texts", "data/texts/c.txt", "text", prepare_data, _encoded, _wrong_encoded, share=0.5),
]
