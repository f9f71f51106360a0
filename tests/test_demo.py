"""demo.py as a user runs it: sentences become files, files become captions, the newest model is found, mistakes are
one line."""

import json
import os
import sys

import numpy as np
import pytest

import demo
from dataset.sources.amass.clips import read_amass
from dataset.toy.clips import toy_clips
from models.inference.motion_files import read_motion
from models.policy.adapters import full_part
from models.policy.backbone import load_backbone
from models.policy.checkpoint import Checkpoint, PolicyConfig, save_checkpoint
from options.demo import DemoSettings
from tests.dataset.sources.amass.synthetic_body_model import write_body_model
from tests.prepare.random_motions import random_evaluator
from utils.errors import InputError
from utils.motion.skeleton import T2M


@pytest.fixture(scope="module")
def world(tmp_path_factory, backbone, motion_tokenizer):
    """Runs of both tasks, the second one of t2m the newer, and the motion file of a person."""
    folder = tmp_path_factory.mktemp("demo")
    names = ("runs/old/motionllm_t2m_best", "runs/new/motionllm_t2m_best", "runs/new/motionllm_t2m_latest",
             "runs/m2t/motionllm_m2t_latest")  # fmt: skip
    for number, name in enumerate(names):
        task = "m2t" if "m2t" in name else "t2m"
        model, _, text_vocabulary = load_backbone(backbone, 16, seed=number)
        parts = (full_part(dict(model.state_dict()), (task,), "sft"),)
        path = folder / f"{name}.pth"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_checkpoint(path, Checkpoint(PolicyConfig(backbone, 16, text_vocabulary), parts, motion_tokenizer.state()))
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    random_evaluator().save(folder / "ranker")
    np.save(folder / "person.npy", next(toy_clips(1, seed=0)).joints)
    return folder


@pytest.fixture
def run(world, tmp_path, monkeypatch, capsys):
    """demo.py with some words, in a folder of its own -> what it prints."""
    monkeypatch.chdir(tmp_path)

    def command(*words):
        given = ["demo.py", "--out-dir", str(world / "runs"), "--device", "cpu", *map(str, words)]
        monkeypatch.setattr(sys, "argv", given)
        demo.main()
        return capsys.readouterr().out

    return command


def test_a_sentence_becomes_files_of_every_kind(run, tmp_path):
    names = [f"walk.{ending}" for ending in ("gif", "png", "html", "bvh", "glb", "npy", "json")]
    shown = run("--caption", "a person walks", "--seconds", 2, "--out", *names)
    assert "a person walks" in shown and "2.0 s, 10 codes" in shown and all(f"wrote {name}" in shown for name in names)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    joints = np.load(tmp_path / "walk.npy")
    assert joints.shape == (40, 22, 3)
    [row] = json.loads((tmp_path / "walk.json").read_text())["motions"]
    assert len(row["codes"]) == 10 and np.allclose(row["joints"], joints, atol=1e-4)


def test_a_file_of_sentences_and_a_long_motion(run, tmp_path):
    (tmp_path / "captions.txt").write_text("a person walks\n\na person waves\n", encoding="utf-8")
    run("--captions", "captions.txt", "--seconds", 1, "--samples", 2, "--out", "each.npy", "all.json")
    assert sorted(path.name for path in tmp_path.glob("*.npy")) == [f"each-{number}.npy" for number in (1, 2, 3, 4)]
    assert [row["caption"] for row in json.loads((tmp_path / "all.json").read_text())["motions"]] == [
        "a person walks", "a person walks", "a person waves", "a person waves"
    ]  # fmt: skip
    shown = run("--captions", "captions.txt", "--seconds", 1, "--join", "--out", "one.npy")
    assert "a person walks, then a person waves" in shown and np.load(tmp_path / "one.npy").shape == (40, 22, 3)


def test_a_motion_goes_on(run, world, tmp_path):
    run("--caption", "a person waves", "--start", world / "person.npy", "--seconds", 1, "--out", "on.npy", "on.json")
    start = np.load(world / "person.npy")
    whole = np.load(tmp_path / "on.npy")
    assert len(whole) == (len(start) - 1) // 4 * 4 + 20


def test_a_motion_file_becomes_a_caption(run, world, tmp_path):
    shown = run("--motion", world / "person.npy", "--facts", "--out", "said.json", "said.html")
    [window] = json.loads((tmp_path / "said.json").read_text())[str(world / "person.npy")]
    assert window["caption"] in shown and "0.0 to" in shown and "person.npy" in shown
    assert len(shown.splitlines()) > 4  # the facts
    assert "person.npy" in (tmp_path / "said.html").read_text()


def test_the_newest_run_answers_by_its_best(run, world, caplog):
    with caplog.at_level("INFO"):
        run("--caption", "a person walks", "--seconds", 1)
        run("--motion", world / "person.npy")
    said = [record.getMessage() for record in caplog.records if " by " in record.getMessage()]
    assert said == [
        f"text to motion by {world}/runs/new/motionllm_t2m_best.pth",
        f"motion to text by {world}/runs/m2t/motionllm_m2t_latest.pth",
    ]


def test_a_file_of_somebody_else_is_left_alone_and_ours_is_made_anew(run, world, tmp_path):
    names = ("a.bvh", "a.glb", "a.html", "a.png", "a.json")
    for _ in range(2):
        run("--caption", "a person walks", "--seconds", 1, "--out", *names)
        run("--motion", world / "person.npy", "--out", "captions.json")
    theirs = {**{name: f"mine {name}" for name in names}, "a.npy": "mine", "b-2.bvh": "HIERARCHY\nROOT Hips\n"}
    for name, text in theirs.items():
        (tmp_path / name).write_text(text)
        out, captions = name.replace("-2", ""), ["a person walks", "a person waves"][: 1 + ("-2" in name)]
        with pytest.raises(InputError, match=rf"{name}: is there, and nothing in it says"):
            run("--caption", *captions, "--seconds", 1, "--out", out)
        assert (tmp_path / name).read_text() == text


def test_a_seed_is_a_motion(run, tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        run("--caption", "a person walks", "--seconds", 2, "--seed", seed, "--out", f"{name}.json")
    first, again, other = ((tmp_path / f"{name}.json").read_bytes() for name in "abc")
    assert first == again and first != other


def test_chain_of_motion_chooses(run, world):
    words = ("--use-com", "--com-candidates", 3, "--com-refine-steps", 1, "--reward-evaluator", world / "ranker")
    shown = run("--caption", "a person walks", "--seconds", 1, *words)
    assert "total" in shown and "consistency" in shown and "physical" in shown


def test_what_rewarded_the_run_ranks_by_default(run, world):
    words = ("--caption", "a person walks", "--seconds", 1, "--use-com", "--com-candidates", 2, "--com-refine-steps", 1)
    assert "consistency" not in run(*words)
    arguments = world / "runs" / "new" / "args.json"
    arguments.write_text(json.dumps({"reward_evaluator": str(world / "ranker")}))
    try:
        assert "consistency" in run(*words)
        arguments.write_text(json.dumps({"reward_evaluator": str(world / "gone")}))
        assert "consistency" not in run(*words)
    finally:
        arguments.unlink()


def test_mistakes_are_one_line(run, world, tmp_path, capsys):
    (tmp_path / "mine.bvh").write_text("not a bvh")
    (tmp_path / "empty.txt").write_text("\n")
    person = world / "person.npy"
    for words, message in (
        (("--caption", "walk", "--out", "walk.fbx"), "walk.fbx"),
        (("--caption", "walk", "--out", "walk"), "needs an ending"),
        (("--caption", "walk", "--motion", person), "not both"),
        (("--caption", "walk", "--seconds", "-1"), "--seconds"),
        (("--caption", "walk", "--seconds", "nan"), "--seconds"),
        (("--caption", "walk", "--seconds", "2", "--max-seconds", "3"), "--seconds goes without"),
        (("--caption", "walk", "--rig", "unreal"), "mixamo"),
        (("--captions", "empty.txt"), "at least one caption"),
        (("--caption", "walk <Motion_3> </think>"), "'walk <Motion_3> </think>' holds <Motion_3>, a tag"),
        (("--captions", "none.txt"), "none.txt"),
        (("--caption", "walk", "--ckpt", "nowhere.pth"), "nowhere.pth"),
        (("--motion", "mine.bvh"), "mine.bvh"),
        (("--motion", person, "--out", person), "person.npy"),
        (("--motion", person, "--unit", "ell"), "ell"),
        (("--motion", person, "--seconds", "2"), "described, not made"),
        (("--caption", "walk", "--com-candidates", "3"), "without --use-com"),
        (("--caption", "walk", "--mapping", "cmu"), "no motion is read"),
        (("--caption", "walk", "--port", "80"), "no page is opened"),
        (("--caption", "walk", "--exp-name", "mine"), "keeps no run"),
    ):
        with pytest.raises((InputError, SystemExit)) as end:
            run(*words)
        assert isinstance(end.value, InputError) or end.value.code == 2, words
        said = str(end.value) if isinstance(end.value, InputError) else capsys.readouterr().err
        assert message in said, words
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.txt", "mine.bvh"]
    assert np.load(person).shape[1:] == (22, 3)


def test_without_a_model_it_says_how_to_get_one(run, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["demo.py", "--out-dir", str(tmp_path / "none"), "--caption", "a person walks"])
    with pytest.raises(InputError, match=r"quickstart\.sh"):
        demo.main()


def test_a_bvh_of_ours_can_be_described(run, world, tmp_path):
    from models.inference.results import GeneratedMotion

    joints = np.load(world / "person.npy")
    GeneratedMotion("x", "", np.arange(2), np.zeros((len(joints), 263)), joints, T2M).save(tmp_path / "person.bvh")
    assert np.abs(read_motion(tmp_path / "person.bvh", T2M) - joints).max() < 0.01
    assert "person.bvh" in run("--motion", "person.bvh")


def test_amass_is_written_where_there_are_body_models(run, world, tmp_path):
    """A random model dances on no person's legs: how far the joints are off is warned about, and the file is one."""
    write_body_model(tmp_path / "bodies/smplh/neutral/model.npz", "smplh")
    asked = ["--caption", "a person walks", "--seconds", 2, "--out", "walk.npz"]
    with pytest.raises(InputError, match=r"--out walk\.npz: AMASS stores poses of a body: give --body-models"):
        run(*asked)
    assert "wrote walk.npz" in run(*asked, "--body-models", tmp_path / "bodies")
    clip = read_amass(tmp_path / "walk.npz")
    assert (len(clip.poses), clip.fps, clip.family, clip.gender) == (40, 20.0, "smplh", "neutral")


def test_what_only_motions_are_made_by_is_refused_where_one_is_described(capsys):
    for given in (["--use-com"], ["--com-candidates", "4"], ["--rewards", "format=1"], ["--seconds", "2"]):
        with pytest.raises(SystemExit) as ended:
            DemoSettings.parse("", ["--motion", "walk.bvh", *given])
        assert ended.value.code == 2
        assert f"of no use here: {given[0]} (motions are described, not made)" in capsys.readouterr().err
