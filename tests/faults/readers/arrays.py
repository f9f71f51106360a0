"""Readers of arrays: motions, statistics, recordings of AMASS, body models, word vectors."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from dataset.captions.word_vectors import WordVectorizer, make_word_vectors
from dataset.humanml.clip_files import ClipFiles
from dataset.humanml.layout import read_mean_std, write_mean_std
from dataset.sources.amass.body_model import BodyModel
from dataset.sources.amass.clips import joints_of_clip, read_amass
from dataset.sources.amass.humanml_index import read_humanact12
from dataset.sources.joints import read_joints
from dataset.sources.posture import check_body
from dataset.toy.clips import toy_clips
from prepare.render_motion import read_clip
from tests.dataset.sources.amass.synthetic_body_model import VERTICES, walking, write_amass, write_body_model
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


def _finite(content: bytes, value: np.ndarray) -> str | None:
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
    return None if isinstance(array, np.ndarray) and array.dtype.kind in "fiuc" else f"an array of {array.dtype}"


def _prepare_statistics(folder: Path) -> None:
    write_mean_std(folder, np.zeros(263), np.ones(263))


def _wrong_statistics(content: bytes, value: Any) -> str | None:
    mean, std = value
    if mean.dtype != np.float32 or mean.shape != std.shape or mean.ndim != 1:
        return f"statistics of {mean.dtype} {mean.shape} and {std.shape}"
    return None if np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all() else "not finite, or no std"


def _prepare_amass(folder: Path) -> None:
    poses, trans = walking(40, 60.0)
    write_amass(folder / "a_poses.npz", poses, trans, fps=60.0)


_REST = np.zeros((T2M.num_joints, 3), np.float32)


def _small_body() -> BodyModel:
    """A body without vertices, so that only the reading of the recording takes time."""
    import torch

    from tests.dataset.sources.amass.synthetic_body_model import rest_joints

    joints = torch.tensor(rest_joints(), dtype=torch.float32)
    return BodyModel("smplh", joints, torch.zeros(T2M.num_joints, 3, 10))


def _amass(folder: Path) -> Any:
    clip = read_amass(folder / "a_poses.npz")
    body = _small_body()
    joints = joints_of_clip(clip, BodyModel(clip.family, body.rest_joints, body.shape_offsets))
    check_body(joints, T2M)
    return clip, joints


def _wrong_amass(content: bytes, value: Any) -> str | None:
    clip, joints = value
    if clip.gender not in ("male", "female", "neutral") or not 1 <= clip.fps <= 1000:
        return f"gender {clip.gender!r}, {clip.fps:g} frames a second"
    return _finite(content, joints)


def _prepare_body(folder: Path) -> None:
    """A body model of few vertices, in the form of the real ones."""
    write_body_model(folder / "whole.npz", "smplh", num_betas=10)
    with np.load(folder / "whole.npz") as archive:
        arrays = {name: archive[name] for name in ("v_template", "shapedirs", "J_regressor", "kintree_table")}
    few = 520
    regressor = np.zeros((52, few))
    regressor[np.arange(few) % 52, np.arange(few)] = 0.1
    arrays |= {
        "v_template": arrays["v_template"][:few],
        "shapedirs": arrays["shapedirs"][:few],
        "J_regressor": regressor,
    }
    assert few < VERTICES["smplh"]
    np.savez(folder / "model.npz", **arrays)
    (folder / "whole.npz").unlink()


def _wrong_body(content: bytes, model: BodyModel) -> str | None:
    finite = model.rest_joints.isfinite().all() and model.shape_offsets.isfinite().all()
    return (
        None if finite and model.rest_joints.abs().max() < FARTHEST else "joints that are not finite, or of no person"
    )


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


def _encrypted() -> bytes:
    """An .npz whose members claim to be encrypted."""
    content = bytearray(npz_bytes(poses=np.zeros((4, 156)), trans=np.zeros((4, 3))))
    start = 0
    while (start := content.find(b"PK\x01\x02", start)) >= 0:
        content[start + 8] |= 1
        start += 4
    start = 0
    while (start := content.find(b"PK\x03\x04", start)) >= 0:
        content[start + 6] |= 1
        start += 4
    return bytes(content)


def _bomb() -> bytes:
    """A small archive that says it holds 4 TB."""
    stream = io.BytesIO()
    header = npy_bytes(np.zeros((3, 3), np.float32)).replace(b"(3, 3), }", b"(1000000, 1000000), }"[:9])
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("poses.npy", header + bytes(50_000_000))
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
_POSES, _TRANS = walking(40, 60.0)
_GOOD = {
    "poses": _POSES,
    "trans": _TRANS,
    "betas": np.zeros(16),
    "gender": np.array("male"),
    "mocap_framerate": np.array(60.0),
}
_AMASS_MADE = {
    "gender as bytes": npz_bytes(**{**_GOOD, "gender": np.array(b"male")}),
    "gender written b'female'": npz_bytes(**{**_GOOD, "gender": np.array("b'female'")}),
    "frame rate NaN": npz_bytes(**{**_GOOD, "mocap_framerate": np.array(np.nan)}),
    "frame rate 1e-300": npz_bytes(**{**_GOOD, "mocap_framerate": np.array(1e-300)}),
    "frame rate 1e300": npz_bytes(**{**_GOOD, "mocap_framerate": np.array(1e300)}),
    "frame rate as an object": npz_bytes(**{**_GOOD, "mocap_framerate": np.array({"a": 1}, dtype=object)}),
    "poses of 1e300": npz_bytes(**{**_GOOD, "poses": _POSES + 1e300}),
    "translation of 1e300": npz_bytes(**{**_GOOD, "trans": _TRANS + 1e300}),
    "betas of 1e300": npz_bytes(**{**_GOOD, "betas": np.full(16, 1e300)}),
    "complex poses": npz_bytes(**{**_GOOD, "poses": _POSES.astype(complex)}),
    "an array of one number": npz_bytes(**{**_GOOD, "trans": np.array(1.0)}),
    "encrypted": _encrypted(), "a bomb": _bomb(), "a pickle": pickle.dumps(_GOOD), "an .npy": npy_bytes(_POSES),
    "macOS's ._ file": b"\x00\x05\x16\x07" + bytes(200),
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
        share=0.8,
    ),
    Reader("joints to features", "c.npy", "npy", _holds("c.npy", JOINTS), _features_of_joints, _finite, _MADE),
    Reader("features", "c.npy", "npy", _holds("c.npy", FEATURES), _features, _finite, _MADE),
    Reader(
        "joints of HumanAct12",
        "c.npy",
        "npy",
        _holds("c.npy", JOINTS.astype(np.float64)),
        _humanact12,
        _finite,
        _MADE,
    ),
    Reader(
        "motion to draw",
        "c.npy",
        "npy",
        _holds("c.npy", FEATURES),
        lambda folder: read_clip(folder / "c.npy", "x").joints,
        _finite,
        _MADE,
        0.7,
    ),
    Reader("Mean.npy", "Mean.npy", "npy", _prepare_statistics, read_mean_std, _wrong_statistics, _MADE),
    Reader("Std.npy", "Std.npy", "npy", _prepare_statistics, read_mean_std, _wrong_statistics, _MADE, 0.7),
    Reader("AMASS", "a_poses.npz", "npz", _prepare_amass, _amass, _wrong_amass, _AMASS_MADE, 1.5),
    Reader(
        "body model",
        "model.npz",
        "npz",
        _prepare_body,
        lambda folder: BodyModel.load(folder / "model.npz"),
        _wrong_body,
        {"a pickle": pickle.dumps({"v_template": 1}), "an .npy": npy_bytes(JOINTS)},
    ),
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
