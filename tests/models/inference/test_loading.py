"""A model is loaded by what people call it, and speaks as it did where it was trained."""

import pytest

from models.inference.motion_llm import MotionLLM
from models.policy.adapters import full_part
from models.policy.backbone import load_backbone
from models.policy.checkpoint import Checkpoint, PolicyConfig, save_checkpoint
from prepare import export_hf
from utils.errors import InputError


def save(path, backbone, motion_tokenizer, *tasks_of_parts, with_tokenizer=True):
    """A checkpoint with a part of its own for each of `tasks_of_parts`."""
    parts = []
    for number, tasks in enumerate(tasks_of_parts):
        model, _, text_vocabulary = load_backbone(backbone, 16, seed=number)
        parts.append(full_part(dict(model.state_dict()), tasks, "sft"))
    state = motion_tokenizer.state() if with_tokenizer else None
    save_checkpoint(path, Checkpoint(PolicyConfig(backbone, 16, text_vocabulary), tuple(parts), state))
    return path


@pytest.fixture(scope="module")
def both(tmp_path_factory, backbone, motion_tokenizer):
    return save(tmp_path_factory.mktemp("both") / "both.pth", backbone, motion_tokenizer, ("t2m", "m2t"))


def answers(llm, walk):
    made = llm.generate("someone walks", seconds=2, samples=2)
    return [*(motion.codes.tolist() for motion in made), llm.caption(walk)[0][0].caption]


def test_a_checkpoint_and_its_export_answer_alike(both, tmp_path, walk, monkeypatch):
    monkeypatch.setattr("sys.argv", ["export_hf", "--ckpt", str(both), "--out-dir", str(tmp_path / "out")])
    export_hf.main()
    ours, theirs = MotionLLM.load(both, device="cpu"), MotionLLM.load(tmp_path / "out", device="cpu")
    assert ours.tasks == theirs.tasks == ("t2m", "m2t")
    assert answers(ours, walk) == answers(theirs, walk)
    (tmp_path / "out" / "morl.json").unlink()
    with pytest.raises(InputError, match="export"):
        MotionLLM.load(tmp_path / "out")


def test_a_checkpoint_with_two_policies_is_asked_which(tmp_path, backbone, motion_tokenizer, walk):
    path = save(tmp_path / "two.pth", backbone, motion_tokenizer, ("t2m",), ("m2t",))
    with pytest.raises(InputError, match="say which task"):
        MotionLLM.load(path)
    for task in ("t2m", "m2t"):
        assert MotionLLM.load(path, task, device="cpu").tasks == (task,)


def test_what_is_no_model_is_said(both, tmp_path, backbone, motion_tokenizer):
    one = save(tmp_path / "one.pth", backbone, motion_tokenizer, ("t2m",))
    (tmp_path / "text.pth").write_text("hello")
    (tmp_path / "empty").mkdir()
    for source, task, message in (
        (one, "m2t", "m2t"),
        (tmp_path / "text.pth", None, "text.pth"),
        (tmp_path / "empty", None, "expected a checkpoint"),
        (tmp_path / "nowhere.pth", None, "no such file"),
        ("nobody/no-such-model", None, "no such file or folder, and no model of the hub"),
        ("two words", None, "no such file or folder"),
    ):
        with pytest.raises(InputError, match=message):
            MotionLLM.load(source, task)


def test_a_checkpoint_finds_its_backbone_from_another_folder(tmp_path, backbone, motion_tokenizer, monkeypatch):
    """A path relative to where training was started is looked for above the checkpoint."""
    (tmp_path / "project" / "runs").mkdir(parents=True)
    (tmp_path / "project" / "llm").symlink_to(backbone)
    monkeypatch.chdir(tmp_path / "project")
    path = save(tmp_path / "project" / "runs" / "c.pth", "llm", motion_tokenizer, ("t2m",))
    monkeypatch.chdir(tmp_path)
    assert MotionLLM.load(path, device="cpu").tasks == ("t2m",)
