"""Readers of arrays: motions, statistics, word vectors."""

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dataset.captions.word_vectors import WordVectorizer, make_word_vectors
from dataset.humanml.clip_files import ClipFiles
from dataset.humanml.layout import read_mean_std, write_mean_std
from dataset.sources.amass.humanml_index import read_humanact12
from dataset.sources.joints import read_joints
from dataset.sources.posture import check_body
from dataset.toy.clips import toy_clips
from prepare.render_motion import read_clip
from tests.faults.contents.damage_arrays import npy_bytes
from tests.faults.readers.reader import Reader
from utils.files.arrays import read_npy, read_npz
from utils.motion.features import features_from_joints
from utils.motion.skeleton import T2M

FARTHEST = 1e4  # metres or radians that no motion reaches
JOINTS = next(iter(toy_clips(1, seed=0))).joints[:24].astype(np.float32)
FEATURES = features_from_joints(JOINTS, T2M).astype(np.float32)


def npz_bytes(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _holds(name: str, array: np.ndarray) -> Any:
    def prepare(folder: Path) -> None:
        (folder / name).write_bytes(npy_bytes(array))

    return prepare


def finite(content: bytes, value: np.ndarray) -> str | None:
    if not np.isfinite(value).all():
        return "values that are not finite"
    return "values that no motion has" if value.size and np.abs(value).max() > FARTHEST else None


def _features_of_joints(folder: Path) -> np.ndarray:
    joints = read_joints(folder / "c.npy", T2M, T2M.fps)
    check_body(joints, T2M)
    return features_from_joints(joints, T2M)


def _humanact12(folder: Path) -> np.ndarray:
    joints = read_humanact12(folder / "c.npy")
    check_body(joints, T2M)
    return joints


def _features(folder: Path) -> np.ndarray:
    return ClipFiles("c", folder / "c.npy", folder / "c.txt").read_motion(T2M.feature_dim)


def _numbers(content: bytes, array: np.ndarray) -> str | None:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        return f"an array of {array.dtype}"
    return _differs(array, lambda: np.load(io.BytesIO(content), allow_pickle=False))


def _arrays(content: bytes, arrays: dict[str, np.ndarray]) -> str | None:
    """That an archive gives what numpy finds in it, and no array of it gets lost."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = {name.removesuffix(".npy"): name for name in archive.namelist()}
        members = {name: archive.read(names[name]) for name in ("a", "b") if name in names}
    if arrays.keys() != members.keys():
        return f"{sorted(arrays)} of {sorted(members)}"
    for name, array in arrays.items():
        if array.dtype.kind not in "fiuUS":
            return f"an array of {array.dtype}"
        if problem := _differs(array, lambda name=name: np.load(io.BytesIO(members[name]), allow_pickle=False)):
            return problem
    return None


def _differs(array: np.ndarray, load: Callable[[], np.ndarray]) -> str | None:
    """What is wrong with an array beside that of numpy's own reader; None: it is the same, or numpy has no opinion."""
    try:
        wanted = load()
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        return f"numbers of what numpy refuses ({error!r:.60})"
    same = array.shape == wanted.shape and array.dtype.kind == wanted.dtype.kind
    words = wanted.dtype.kind in "US"
    return None if same and np.array_equal(array, wanted, equal_nan=not words) else "other numbers than the file's"


def _wrong_drawing(content: bytes, joints: np.ndarray) -> str | None:
    """Of a file of joints these are drawn; of features it is known that they are somewhere."""
    said = np.load(io.BytesIO(content), allow_pickle=False)
    if said.ndim == 3 and not np.array_equal(joints, said.astype(np.float64)):
        return "other joints than the file's"
    if len(joints) != len(said):
        return f"{len(joints)} frames of {len(said)}"
    return finite(content, joints)


def _prepare_statistics(folder: Path) -> None:
    write_mean_std(folder, np.zeros(263), np.ones(263))


def _wrong_statistics(content: bytes, value: Any) -> str | None:
    mean, std = value
    if mean.dtype != np.float32 or mean.shape != std.shape or mean.ndim != 1:
        return f"statistics of {mean.dtype} {mean.shape} and {std.shape}"
    return None if np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all() else "not finite, or no std"


def _prepare_words(folder: Path) -> None:
    make_word_vectors(["a/DET", "person/NOUN", "walk/VERB", "é/NOUN"], dim=4).save(folder)


def _wrong_words(content: bytes, words: WordVectorizer) -> str | None:
    if not np.isfinite(words.vectors).all() or words.vectors.dtype != np.float32:
        return "vectors that are not finite float32"
    if not all(isinstance(word, str) for word in words.words):
        return "a word that is no text"
    if len(set(words.words)) != len(words.words):
        return "a word twice, so that one of its vectors is never used"
    encoded = words.encode(["a/DET", "person/NOUN", "unheard/VERB"])
    return None if encoded[0].shape[0] == 22 else "captions of another length"


def encrypted(**arrays: np.ndarray) -> bytes:
    """An .npz whose members claim to be encrypted."""
    content = bytearray(npz_bytes(**arrays))
    start = 0
    while (start := content.find(b"PK\x01\x02", start)) >= 0:
        content[start + 8] |= 1
        start += 4
    start = 0
    while (start := content.find(b"PK\x03\x04", start)) >= 0:
        content[start + 6] |= 1
        start += 4
    return bytes(content)


def bomb(name: str) -> bytes:
    """A small archive that says it holds 4 TB in the array `name`."""
    stream = io.BytesIO()
    header = npy_bytes(np.zeros((3, 3), np.float32)).replace(b"(3, 3), }", b"(1000000, 1000000), }"[:9])
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.npy", header + bytes(50_000_000))
    return stream.getvalue()


_MADE = {
    "a pickle": npy_bytes(np.array([{"a": 1}], dtype=object)),
    "1e300": npy_bytes(np.full(JOINTS.shape, 1e300)),
    "NaN": npy_bytes(np.full_like(JOINTS, np.nan)),
    "no frame": npy_bytes(JOINTS[:0]), "one frame": npy_bytes(JOINTS[:1]), "two frames": npy_bytes(JOINTS[:2]),
    "all zeros": npy_bytes(np.zeros_like(JOINTS)),
    "whole numbers": npy_bytes((JOINTS * 1000).astype(np.int16)),
    "complex": npy_bytes(JOINTS.astype(complex)),
    "an .npz": npz_bytes(a=JOINTS), "a text": b"hello\n", "empty": b"",
    "a header of 4 GB": b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b" " * 100,
    "terabytes": npy_bytes(JOINTS).replace(b"(24, 22, 3), }", b"(99999,99999)}"),
    "a negative shape": npy_bytes(JOINTS).replace(b"(24, 22, 3)", b"(-4, 22, 3)"),
    "half floats": npy_bytes(JOINTS.astype(np.float16)),
    "big endian": npy_bytes(JOINTS.astype(">f8")),
    "column by column": npy_bytes(np.asfortranarray(JOINTS)),
}  # fmt: skip
_NPZ_MADE = {
    "encrypted": encrypted(a=JOINTS), "a bomb": bomb("a"), "a pickle": pickle.dumps([1]), "an .npy": npy_bytes(JOINTS),
    "empty": b"", "no array": npz_bytes(), "a word": npz_bytes(a=np.array("male"), b=np.array(b"x")),
    "an object": npz_bytes(a=np.array([{}], dtype=object)),
    "terabytes": npz_bytes(a=JOINTS).replace(b"(24, 22, 3), }", b"(99999,99999)}"),
}  # fmt: skip

READERS = [
    Reader(
        "npy", "a.npy", "npy", _holds("a.npy", JOINTS), lambda folder: read_npy(folder / "a.npy"), _numbers, _MADE, 0.8
    ),
    Reader(
        "npz",
        "a.npz",
        "npz",
        lambda folder: _write(folder / "a.npz", npz_bytes(a=JOINTS, b=np.arange(3))),
        lambda folder: read_npz(folder / "a.npz", ("a", "b")),
        _arrays,
        _NPZ_MADE,
        0.8,
    ),
    Reader("joints to features", "c.npy", "npy", _holds("c.npy", JOINTS), _features_of_joints, finite, _MADE),
    Reader("features", "c.npy", "npy", _holds("c.npy", FEATURES), _features, finite, _MADE),
    Reader(
        "joints of HumanAct12",
        "c.npy",
        "npy",
        _holds("c.npy", JOINTS.astype(np.float64)),
        _humanact12,
        finite,
        _MADE,
    ),
    Reader(
        "motion to draw",
        "c.npy",
        "npy",
        _holds("c.npy", FEATURES),
        lambda folder: read_clip(folder / "c.npy", "x").joints,
        _wrong_drawing,
        _MADE,
        0.7,
    ),
    Reader("Mean.npy", "Mean.npy", "npy", _prepare_statistics, read_mean_std, _wrong_statistics, _MADE),
    Reader("Std.npy", "Std.npy", "npy", _prepare_statistics, read_mean_std, _wrong_statistics, _MADE, 0.7),
    Reader(
        "words of vectors",
        "our_vab_words.pkl",
        "pickle",
        _prepare_words,
        WordVectorizer.load,
        _wrong_words,
        {"empty": b"", "deep": b"(" * 100_000, "a long number": b"I" + b"9" * 5000 + b"\n."},
    ),
    Reader("rows of vectors", "our_vab_idx.pkl", "pickle", _prepare_words, WordVectorizer.load, _wrong_words),
    Reader("word vectors", "our_vab_data.npy", "npy", _prepare_words, WordVectorizer.load, _wrong_words, _MADE, 0.8),
]


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
