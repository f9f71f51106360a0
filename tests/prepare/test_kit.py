"""KIT-ML's 21 joints, 12.5 fps, unit and sides from end to end: joints -> features -> tokenizer -> codes."""

import json

import numpy as np
import pytest

from dataset.cot.samples import read_cot_jsonl
from dataset.humanml.layout import read_mean_std, read_split, read_split_ids
from dataset.toy.clips import toy_clips
from models.tokenizer.motion_tokenizer import MotionTokenizer
from prepare import compute_motion_stats, encode_motions, motions_from_joints, train_motion_tokenizer, write_cot_jsonl
from tests.kit_body import kit_joints
from utils.errors import InputError
from utils.motion.bones import bone_vectors
from utils.motion.features import joints_from_features, joints_in_metres
from utils.motion.skeleton import KIT

FLAGS = "--dataname kit --width 16 --code-dim 8 --nb-code 16 --depth 1 --batch-size 4 --window-size 32 --warm-up-iter 2"


def run(module, monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", [module.__name__, *map(str, arguments)])
    module.main()


@pytest.fixture(scope="module")
def joints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kit")
    for name in ("joints", "texts", "splits"):
        (folder / name).mkdir()
    ids = {}
    for clip in toy_clips(24, seed=3):
        np.save(folder / f"joints/{clip.id}.npy", kit_joints(clip.joints).astype(np.float32))
        lines = [f"{caption.text}#{' '.join(caption.tokens)}#0.0#0.0\n" for caption in clip.captions]
        lines.append(f"{clip.captions[0].text}#{' '.join(clip.captions[0].tokens)}#0.0#1.3\n")
        (folder / f"texts/{clip.id}.txt").write_text("".join(lines), encoding="utf-8")
        ids.setdefault(clip.split, []).append(clip.id)
    for split, members in ids.items():
        (folder / f"splits/{split}.txt").write_text("\n".join(members))
    return folder


def test_kit_from_joints_to_codes(joints, tmp_path, monkeypatch, capsys):
    data, runs = tmp_path / "data", tmp_path / "runs"
    given = ["--joints-dir", joints / "joints", "--texts-dir", joints / "texts", "--splits-dir", joints / "splits"]
    run(motions_from_joints, monkeypatch, *given, "--out-dir", data, "--dataname", "kit", "--fps", "20", "--mirror")
    assert "48 clips converted" in capsys.readouterr().out

    id = read_split_ids(data, "train")[0]
    features, source = np.load(data / f"new_joint_vecs/{id}.npy"), np.load(joints / f"joints/{id}.npy")
    assert features.shape == (int((len(source) - 1) * 12.5 / 20 + 1e-6), 251)  # frames at 12.5 fps, less one
    made = joints_from_features(features, KIT)
    np.testing.assert_allclose(made, np.load(data / f"new_joints/{id}.npy"), atol=0.1)
    heights = joints_in_metres(features, KIT)[:, KIT.joint("head"), 1]
    assert 1.3 < heights[0] < 1.8
    # Retargeted to the first training clip: every clip has its bones.
    lengths = [np.linalg.norm(bone_vectors(np.load(path)[0], KIT), axis=-1) for path in (data / "new_joints").iterdir()]
    np.testing.assert_allclose(lengths, np.tile(lengths[0], (48, 1)), atol=0.1)
    assert np.load(data / f"new_joint_vecs/M{id}.npy")[:, 0] == pytest.approx(-features[:, 0], abs=1e-4)

    # 20 frames a second also for KIT's segments, as published: 1.3 s are 26 rows.
    records = read_split(data, "train", KIT)
    assert {record.num_frames for record in records if "_" in record.id} == {26}
    before = read_mean_std(data)
    run(compute_motion_stats, monkeypatch, "--data-root", data, "--dataname", "kit")
    np.testing.assert_allclose(read_mean_std(data), before)

    train = ["--data-root", data, "--out-dir", runs, "--exp-name", "kit", "--device", "cpu", *FLAGS.split()]
    run(train_motion_tokenizer, monkeypatch, *train, "--total-iter", "6", "--eval-iter", "3")
    tokenizer = MotionTokenizer.load(runs / "kit/motion_tokenizer.pth")
    assert tokenizer.skeleton is KIT
    error = json.loads((runs / "kit/results.json").read_text())["rows"]["reconstructed"]["MPJPE mm"]["mean"]
    assert 1 < error < 1000  # millimetres of a body that is 1.6 m tall, not metres or micrometres
    codes = ["--data-root", data, "--dataname", "kit", "--motion-tokenizer", runs / "kit/motion_tokenizer.pth"]
    run(encode_motions, monkeypatch, *codes, "--out", tmp_path / "codes.jsonl", "--device", "cpu")
    assert len((tmp_path / "codes.jsonl").read_text().splitlines()) >= 48
    run(
        write_cot_jsonl, monkeypatch, "--codes", tmp_path / "codes.jsonl", "--data-root", data, "--dataname", "kit",
        "--out-dir", tmp_path / "cot",
    )  # fmt: skip
    samples = read_cot_jsonl(tmp_path / "cot/cot_train.jsonl", tokenizer.nb_code)
    assert len(samples) > 0


def test_metres_are_refused_for_kit(joints, tmp_path, monkeypatch):
    (tmp_path / "joints").mkdir()
    for path in (joints / "joints").iterdir():
        np.save(tmp_path / "joints" / path.name, np.load(path) / 640)
    with pytest.raises(InputError, match=r"legs are 0\.00\d+ m long with metres_per_unit 0\.0015625.*--unit m"):
        run(
            motions_from_joints, monkeypatch, "--joints-dir", tmp_path / "joints", "--out-dir", tmp_path / "out",
            "--dataname", "kit",
        )  # fmt: skip


def test_kits_own_joints_are_not_taken_for_millimetres_without_a_word(joints, tmp_path, capsys):
    own = sorted((joints / "joints").glob("*.npy"))
    motions_from_joints.doubt_unit(own, KIT, "mm")
    printed = capsys.readouterr().out
    assert printed.startswith("warning: --unit mm makes legs of 0.") and "in kit's own unit" in printed
    motions_from_joints.doubt_unit(own, KIT, str(KIT.metres_per_unit))
    for path in own[:3]:
        np.save(tmp_path / path.name, KIT.in_metres(np.load(path)) * 1000)
    motions_from_joints.doubt_unit(sorted(tmp_path.glob("*.npy")), KIT, "mm")
    assert capsys.readouterr().out == ""
