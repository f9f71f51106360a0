"""eval_mllm.py on mistakes: one line each. The evaluation itself runs in test_quickstart.py."""

import sys

import pytest
import torch

import eval_mllm
from models.checkpoints import Checkpoint, PolicyConfig, load_backbone, save_checkpoint
from models.motion_tokenizer import MotionTokenizer
from models.vq_network import MotionVQ, NetworkConfig
from utils.command import run_command


@pytest.fixture
def checkpoint(tmp_path, backbone, motion_tokenizer):
    model, _, text_vocabulary = load_backbone(backbone, 16, seed=0)
    config = PolicyConfig(backbone, 16, ("t2m",), "sft", "full", text_vocabulary)
    path = tmp_path / "motionllm_t2m_best.pth"
    save_checkpoint(path, Checkpoint(config, dict(model.state_dict()), (), motion_tokenizer.state()))
    return path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--eval-ckpt is needed"),
        (("--eval-ckpt", "nowhere.pth"), "no such checkpoint: nowhere.pth"),
        (("--eval-ckpt", "TEXT"), "cannot be read"),
        (("--eval-ckpt", "GOOD", "--eval-task", "m2t"), "was trained for t2m, not m2t"),
        (("--eval-ckpt", "GOOD", "--nb-code", "512"), "--nb-code 512 contradicts"),
        (("--eval-ckpt", "GOOD", "--motion-tokenizer", "OTHER"), "has 8 codes"),
        (("--eval-ckpt", "GOOD", "--data-root", "nowhere"), "nowhere: no such data set folder"),
        (("--eval-ckpt", "GOOD", "--com-candidates", "0"), "--com-candidates must be positive"),
        (("--eval-ckpt", "GOOD", "--device", "abacus"), "--device 'abacus'"),
    ],
)
def test_mistakes_get_one_line_and_a_status(
    tmp_path, checkpoint, motion_tokenizer, arguments, words, monkeypatch, capsys
):
    (tmp_path / "text.pth").write_text("hello")
    torch.manual_seed(1)
    sizes = {"feature_dim": 263, "code_dim": 16, "width": 16, "depth": 1, "output_emb_width": 16}
    other = MotionTokenizer(
        MotionVQ(NetworkConfig(nb_code=8, **sizes)),
        motion_tokenizer.mean,
        motion_tokenizer.std,
        motion_tokenizer.skeleton,
    )
    other.save(tmp_path / "other.pth")
    names = {"GOOD": checkpoint, "TEXT": tmp_path / "text.pth", "OTHER": tmp_path / "other.pth"}
    given = [str(names.get(argument, argument)) for argument in arguments]
    monkeypatch.setattr(sys, "argv", ["eval_mllm.py", "--out-dir", str(tmp_path), *given])
    with pytest.raises(SystemExit) as end:
        run_command(eval_mllm.main)
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert end.value.code == 2 and len(errors) == 1 and words in errors[0]
