"""Readers of text that people write: captions, splits, tables, settings."""

import math
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from dataset.captions.files import read_caption_file
from dataset.captions.lines import parse_captions
from dataset.humanml.clip_files import ClipFiles
from dataset.humanml.layout import read_split_ids
from dataset.sources.amass.humanml_index import read_index
from dataset.sources.bvh.file import read_bvh
from dataset.sources.bvh.joint_mapping import load_mapping, shipped_mappings
from dataset.sources.bvh.motion import positions
from models.text_motion.published import read_opt
from rewards.mixture.loading import parse_reward_weights
from tests.dataset.sources.bvh.synthetic_bvh import SHIPPED_METRES, body, bvh_text
from tests.faults.readers.reader import Reader, lines_of
from tests.places import ROOT
from utils.errors import InputError

CAPTIONS = (
    "a person walks.#a/DET person/NOUN walk/VERB#0.0#0.0\n"
    "he turns to the left.#he/PRON turn/VERB to/ADP the/DET left/ADJ#1.5#4.0\n"
    "take #2: he waves.#take/VERB he/PRON wave/VERB#0.0#0.0\n"
)
SPLIT = "".join(f"{number:06d}\n" for number in range(12)) + "M000003\n"
INDEX = (
    "source_path,start_frame,end_frame,new_name\n"
    "./pose_data/KIT/3/kick left02_poses.npy,5,60,000000.npy\n"
    "./pose_data/humanact12/humanact12/P01.npy,0,-1,000002.npy\n"
    "./pose_data/CMU/80/80_63_poses.npy,516,716,000003.npy\n"
)
OPT = (
    "------------ Options -------------\ndataset_name: t2m\ndim_pose: 263\nbatch_size: 32\nlr: 1e-4\n"
    "is_train: True\n---------- End -----------\n"
)


def _written(name: str, text: str) -> Any:
    def prepare(folder: Path) -> None:
        (folder / name).write_bytes(text.encode("utf-8"))

    return prepare


def _wrong_captions(content: bytes, captions: Any) -> str | None:
    lines = lines_of(content)
    if lines is None:
        return "captions of what is no text"
    if len(captions) != len(lines):
        return f"{len(captions)} captions of {len(lines)} lines"
    for caption, line in zip(captions, lines, strict=True):
        if not caption.text.strip() or caption.text not in line:
            return "a caption that its line does not hold"
        if math.isnan(caption.start) or math.isnan(caption.end):
            return "a time that is NaN"
    return None


def _texts_of_a_clip(folder: Path) -> Any:
    return parse_captions(ClipFiles("c", folder / "c.npy", folder / "texts.txt").read_text())


def _wrong_texts(content: bytes, value: Any) -> str | None:
    captions, problems = value
    lines = lines_of(content)
    if lines is None:
        return None if problems or not captions else "captions of what is no text"
    if len(captions) + len(problems) != len(lines):
        return f"{len(captions)} captions and {len(problems)} problems of {len(lines)} lines"
    return None


def _wrong_split(content: bytes, ids: list[str]) -> str | None:
    lines = lines_of(content)
    if lines is None:
        return "ids of what is no text"
    wanted = list(dict.fromkeys(line.strip() for line in lines))
    return None if ids == wanted else "other ids than its lines"


def _wrong_index(content: bytes, entries: Any) -> str | None:
    lines = lines_of(content)
    if lines is None:
        return "entries of what is no text"
    if '"' not in "".join(lines) and len(entries) != len(lines) - 1:
        return f"{len(entries)} entries of {len(lines) - 1} lines"
    for entry in entries:
        if entry.id in ("", ".", "..") or "/" in entry.id or "\\" in entry.id or "\x00" in entry.id:
            return "an id that is no file name"
        if entry.id.strip() not in "".join(lines):
            return "an id that is not in the file"
        if ".." in PurePosixPath(entry.source).parts or entry.start < 0:
            return "a source outside, or a negative frame"
    return None


def _bvh(folder: Path) -> Any:
    motion = read_bvh(folder / "a.bvh")
    return motion, positions(motion)


def _wrong_bvh(content: bytes, value: Any) -> str | None:
    motion, places = value
    if not np.isfinite(places).all():
        return "places that are not finite"
    if not 1 <= motion.fps <= 1000:
        return f"{motion.fps:g} frames a second"
    if len(set(motion.joint_names)) != len(motion.joint_names):
        return "two joints of one name"
    return None


def _wrong_mapping(content: bytes, mapping: Any) -> str | None:
    if not (math.isfinite(mapping.metres_per_unit) and mapping.metres_per_unit > 0):
        return "a unit that is no length"
    if not all(isinstance(name, str) and name for name in mapping.source_names()):
        return "a joint without a name"
    return None


def _wrong_weights(content: bytes, weights: dict[str, float]) -> str | None:
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights.values()):
        return "a weight that is no finite number from 0"
    entries = [entry for entry in content.decode("utf-8", "replace").split(",") if entry.strip()]
    return None if len(entries) == len(weights) else "fewer weights than entries"


def _reward_weights(folder: Path) -> Any:
    try:
        text = (folder / "weights").read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("no words of a command line") from None
    return parse_reward_weights(text)


def _opt_is_plain(content: bytes, values: dict[str, Any]) -> str | None:
    bad = [value for value in values.values() if isinstance(value, float) and not math.isfinite(value)]
    return "a value that is not finite" if bad else None


_BVH = bvh_text(body("lafan1"), SHIPPED_METRES["lafan1"], frames=5, frame_time=0.033333, swing=20)
_BVH_HEAD, _BVH_FRAMES = _BVH.split("MOTION\n")
_MAPPING = (ROOT / "dataset/sources/bvh/joint_mappings" / f"{shipped_mappings()[-1]}.yaml").read_text("utf-8")

BVH_MADE = {
    "frame time in milliseconds": _BVH.replace("0.033333", "33.333"),
    "frame time 1e9": _BVH.replace("0.033333", "1e9"),
    "frame time 1e-5": _BVH.replace("0.033333", "0.00001"),
    "frame time of 5,000 digits": _BVH.replace("0.033333", "0." + "3" * 5000),
    "frame time 0": _BVH.replace("0.033333", "0"),
    "one frame more said": _BVH.replace("Frames: 5", "Frames: 6"),
    "one frame less said": _BVH.replace("Frames: 5", "Frames: 4"),
    "frames of 5,000 digits": _BVH.replace("Frames: 5", "Frames: " + "9" * 5000),
    "channels of 5,000 digits": _BVH.replace("CHANNELS 3", "CHANNELS " + "9" * 5000, 1),
    "a NUL at the end": _BVH + "\x00",
    "Ctrl-Z at the end": _BVH + "\x1a",
    "a semicolon at the end": _BVH + ";",
    "values of 1e300": _BVH_HEAD + "MOTION\n" + _BVH_FRAMES.replace("0.000000000", "1e300"),
    "a value of 5,000 digits": _BVH_HEAD + "MOTION\n" + _BVH_FRAMES.replace("0.000000000", "9" * 5000, 1),
    "an offset of 5,000 digits": _BVH.replace("OFFSET 0.000000000", "OFFSET " + "9" * 5000),
    "an offset of 1e300": _BVH.replace("OFFSET 0.000000000", "OFFSET 1e300"),
    "line ends of old Macs": _BVH.replace("\n", "\r"),
    "numbers with commas": _BVH.replace(".", ","),
    "braces in braces": "HIERARCHY\n" + "ROOT a\n{\nOFFSET 0 0 0\n" * 1 + "JOINT b{OFFSET 0 0 0 " * 20000,
}

READERS = [
    Reader(
        "captions",
        "texts.txt",
        "text",
        _written("texts.txt", CAPTIONS),
        lambda folder: read_caption_file(folder / "texts.txt"),
        _wrong_captions,
        {
            "carriage returns only": CAPTIONS.replace("\n", "\r").encode(),
            "UTF-16": CAPTIONS.encode("utf-16"),
            "Latin-1": CAPTIONS.replace("person", "pérson").encode("latin-1"),
            "U+2028 in a caption": CAPTIONS.replace("walks", "walks\u2028on").encode(),
            "null and NA": b"null\nNA\nnan\n",
            "numbers": b"1\n2\n000003\n",
            "a plain caption with #": b"take #2 he waves\n",
            "empty": b"",
            "blank": b"\n \n\t\n",
        },
    ),
    Reader("texts of a data set", "texts.txt", "text", _written("texts.txt", CAPTIONS), _texts_of_a_clip, _wrong_texts),
    Reader(
        "split file",
        "train.txt",
        "text",
        _written("train.txt", SPLIT),
        lambda folder: read_split_ids(folder, "train"),
        _wrong_split,
        {
            "one line with commas": SPLIT.replace("\n", ",").encode(),
            "a byte order mark": SPLIT.encode("utf-8-sig"),
            "UTF-16": SPLIT.encode("utf-16"),
            "out of the folder": b"../../etc/passwd\n000001\n",
            "absolute": b"/etc/passwd\n",
            "an id of 245 letters": b"x" * 245 + b"\n",
            "with .npy": SPLIT.replace("\n", ".npy\n").encode(),
            "U+2028 in an id": "a\u2028b\n".encode(),
            "binary": bytes(range(256)) * 4,
        },
    ),
    Reader(
        "index.csv of HumanML3D",
        "index.csv",
        "text",
        _written("index.csv", INDEX),
        lambda folder: read_index(folder / "index.csv"),
        _wrong_index,
        {
            "a name that leads out": INDEX.replace("000000.npy", "../../evil.npy").encode(),
            "a name ..": INDEX.replace("000000.npy", "..").encode(),
            "a name with a backslash": INDEX.replace("000000.npy", "..\\evil.npy").encode(),
            "a source that leads out": INDEX.replace("KIT/3", "../..").encode(),
            "frames of 5,000 digits": INDEX.replace(",5,", "," + "9" * 5000 + ",").encode(),
            "a quote that never ends": (INDEX + '"' + "x" * 200_000).encode(),
            "semicolons": INDEX.replace(",", ";").encode(),
            "a NUL": INDEX.replace("KIT", "K\x00T").encode(),
        },
    ),
    Reader(
        "BVH",
        "a.bvh",
        "text",
        _written("a.bvh", _BVH),
        _bvh,
        _wrong_bvh,
        {name: text.encode() for name, text in BVH_MADE.items()},
        1.5,
    ),
    Reader(
        "joint mapping",
        "m.yaml",
        "text",
        _written("m.yaml", _MAPPING),
        lambda folder: load_mapping(folder / "m.yaml"),
        _wrong_mapping,
        {
            "a Python object": b"!!python/object/apply:os.system ['true']\n",
            "anchors in anchors": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
            + b"".join(b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(8)),
            "deep": b"[" * 20_000,
            "a list": b"- a\n- b\n",
            "empty": b"",
            "a number": b"3\n",
            "a date": b"2024-01-01\n",
            "a key that is a list": b"? [a, b]\n: c\n",
        },
    ),
    Reader(
        "opt.txt",
        "opt.txt",
        "text",
        _written("opt.txt", OPT),
        lambda f: read_opt(f / "opt.txt"),
        _opt_is_plain,
        {"a number of 5,000 digits": b"dim_pose: " + b"9" * 5000 + b"\n", "1e999": b"lr: 1e999\n"},
        0.7,
    ),
    Reader(
        "reward weights",
        "weights",
        "text",
        _written("weights", "format=0.2,consistency=0.5,own.py:Mine=1"),
        _reward_weights,
        _wrong_weights,
        {"a weight of 5,000 digits": b"format=" + b"9" * 5000},
        0.7,
    ),
]
