"""--save-motions: every reply with a motion has its files, named by clip and draw, whatever was interrupted."""

import errno
import os

import numpy as np
import pytest

from dataset.sources.bvh.file import read_bvh
from dataset.sources.bvh.motion import positions
from models.evaluation.saved_motions import KINDS
from options.flags import evaluation
from tests.test_eval_mllm import CLIPS, generated, run, save_policy, world  # noqa: F401
from tests.utils.motion_files.motions import LARGEST, largest_error
from utils.errors import InputError
from utils.motion.features import joints_from_features
from utils.motion.skeleton import T2M
from utils.motion_files.rigs import rig

FEW = ["--samples", "2", "--mm-repeats", "0", "--limit", "6"]


def files(folder):
    return {path.name: path.stat().st_mtime_ns for path in (folder / "motions").iterdir()}


def expected(rows, kinds):
    return {f"{row['id']}_draw{row['draw']}.{kind}" for row in rows if row["problem"] is None for kind in kinds}


def playable(world, name):  # noqa: F811
    """A file of predictions with motions for 6 clips, of which one reply cannot be used."""
    lines, rng = [], np.random.default_rng(3)
    for number in range(6):
        for draw in range(2):
            codes = [] if (number, draw) == (2, 1) else rng.integers(0, 16, 12 + draw).tolist()
            lines.append(f'{{"id": "test{number}", "draw": {draw}, "codes": {codes}}}\n')
    (world / name).write_text("".join(lines))
    return ["--from-predictions", world / name, "--motion-tokenizer", world / "tokenizer.pth", "--limit", "6"]


@pytest.fixture
def given(world, motion_tokenizer):  # noqa: F811
    motion_tokenizer.save(world / "tokenizer.pth")
    return playable(world, "given.jsonl")


def test_every_reply_that_has_a_motion_has_a_file_of_each_kind(world, given, monkeypatch):  # noqa: F811
    _, rows = run(world, monkeypatch, "all", *given, "--save-motions", *KINDS)
    folder = world / "runs/all"
    assert len(rows) == 12 and set(files(folder)) == expected(rows, KINDS) and len(files(folder)) == 11 * 3
    joints = np.load(folder / "motions/test0_draw0.npy")
    assert joints.shape == (48, 22, 3) and joints.dtype == np.float32
    assert np.load(folder / "motions/test0_draw1.npy").shape == (52, 22, 3)
    motion = read_bvh(folder / "motions/test0_draw0.bvh")  # of no person, so its joints alone are looked at
    index = [motion.joint_names.index(name) for name in rig("mixamo", T2M).joint_names]
    assert motion.fps == 20 and largest_error(0.01 * positions(motion)[:, index], joints) < LARGEST


def test_the_files_hold_the_motions_of_the_codes(world, given, monkeypatch, motion_tokenizer):  # noqa: F811
    _, rows = run(world, monkeypatch, "codes", *given, "--save-motions", "npy")
    for row in (row for row in rows if row["problem"] is None):
        joints = joints_from_features(motion_tokenizer.decode(np.array(row["codes"])), T2M)
        found = np.load(world / f"runs/codes/motions/{row['id']}_draw{row['draw']}.npy")
        assert largest_error(found, joints) < 1e-5


def test_an_interruption_costs_no_file_and_writes_none_twice(world, given, monkeypatch):  # noqa: F811
    """The disk fills up in the middle; the command is run again."""
    place, left = os.replace, [9]

    def full(*paths, **more):
        if "motions" in str(paths[1]) and not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= "motions" in str(paths[1])
        return place(*paths, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space left"):
            run(world, patch, "broken", *given, "--save-motions", "npy", "bvh")
    folder = world / "runs/broken"
    before = files(folder)
    assert len(before) == 9 and not (folder / "finished.json").exists()
    _, rows = run(world, monkeypatch, "broken", *given, "--save-motions", "npy", "bvh")
    after = files(folder)
    assert set(after) == expected(rows, ["npy", "bvh"]) and before.items() <= after.items()


def test_motions_can_be_asked_for_after_the_end(world, given, monkeypatch):  # noqa: F811
    first, rows = run(world, monkeypatch, "later", *given)
    assert not (world / "runs/later/motions").exists()
    again, _ = run(world, monkeypatch, "later", *given, "--save-motions", "glb")
    assert again == first and set(files(world / "runs/later")) == expected(rows, ["glb"])


def test_replies_of_a_model_are_kept_alike(world, monkeypatch, tmp_path):  # noqa: F811
    """A random model hardly ever answers well: without a motion there is no file, and no folder is needed."""
    ask = [*generated(world), *FEW, "--save-motions", "npy"]
    _, rows = run(world, monkeypatch, "model", *ask)
    there = world / "runs/model/motions"
    assert ({path.name for path in there.iterdir()} if there.exists() else set()) == expected(rows, ["npy"])
    assert run(world, monkeypatch, "model", *ask)[1] == rows  # finished already, with the flag


def test_mistakes(world, given, monkeypatch, capsys):  # noqa: F811
    for flags, said in ((["fbx"], "expected some of npy, bvh, glb, got fbx"), (["npy"], "only t2m answers")):
        with pytest.raises((InputError, SystemExit)):
            run(world, monkeypatch, "m", *given, "--save-motions", *flags, task="m2t" if flags == ["npy"] else "t2m")
        assert said in capsys.readouterr().err
    assert evaluation._MOTION_KINDS == KINDS and CLIPS >= 6 and save_policy
