"""Readers of AMASS: recordings, body models, the index of HumanML3D; and the command that makes a data set of them."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from dataset.sources.amass.body_model import BodyModel
from dataset.sources.amass.clips import joints_of_clip, read_amass
from dataset.sources.posture import check_body
from tests.dataset.sources.amass.synthetic_body_model import VERTICES, walking, write_amass, write_body_model
from tests.faults.contents.damage_arrays import npy_bytes
from tests.faults.readers.arrays import FARTHEST, JOINTS, bomb, encrypted, finite, npz_bytes
from tests.faults.readers.commands import DAMAGED, IDS, conversion, converted, fresh, others_arrived
from tests.faults.readers.reader import Reader, command
from utils.motion.skeleton import T2M


def _prepare_amass(folder: Path) -> None:
    poses, trans = walking(40, 60.0)
    write_amass(folder / "a_poses.npz", poses, trans, fps=60.0)


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
    return finite(content, joints)


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


# --- the command ---


def _prepare_folder(folder: Path) -> None:
    poses, trans = walking(60, 60.0)
    for id in IDS:
        write_amass(folder / f"data/KIT/1/{id}_poses.npz", poses, trans, fps=60.0)
    write_body_model(folder / "models/smplh/male/model.npz", "smplh")
    (folder / "index.csv").write_text(
        "source_path,start_frame,end_frame,new_name\n"
        + "".join(f"./pose_data/KIT/1/{id}_poses.npy,0,200,00000{n}.npy\n" for n, id in enumerate(IDS))
    )


def _index(folder: Path) -> Any:
    out = fresh(folder)
    given = ["--amass-dir", folder / "data", "--body-models", folder / "models", "--index", folder / "index.csv"]
    command("prepare.motions_from_amass", *given, "--out-dir", out, "--no-retarget", "--device", "cpu", "--skip-bad")
    return converted(folder)


def _wrong_made(content: bytes, made: Any) -> str | None:
    return (
        None
        if made and all(np.isfinite(features).all() for features in made.values())
        else "no clip, or none that is finite"
    )


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
    "encrypted": encrypted(poses=_POSES, trans=_TRANS), "a bomb": bomb("poses"), "a pickle": pickle.dumps(_GOOD),
    "an .npy": npy_bytes(_POSES),
    "macOS's ._ file": b"\x00\x05\x16\x07" + bytes(200),
}  # fmt: skip

READERS = [
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
        "motions_from_amass",
        "data/KIT/1/c_poses.npz",
        "npz",
        _prepare_folder,
        conversion(
            "prepare.motions_from_amass",
            "--amass-dir",
            "FOLDER/data",
            "--body-models",
            "FOLDER/models",
            "--device",
            "cpu",
        ),
        others_arrived({f"KIT_1_{id}_poses" for id in IDS if id != DAMAGED}),
        share=0.5,
    ),
    Reader("motions_from_amass: index", "index.csv", "text", _prepare_folder, _index, _wrong_made, share=0.4),
]
