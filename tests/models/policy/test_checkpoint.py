"""The checkpoint file: readable without pickle, refuses what does not belong to it."""

import pytest
import torch

from models.policy.adapters import full_part
from models.policy.backbone import load_backbone
from models.policy.checkpoint import Checkpoint, PolicyConfig, load_checkpoint, motion_tokenizer_of, save_checkpoint
from models.policy.policy import build_policy
from utils.errors import InputError


@pytest.fixture
def checkpoint(backbone, motion_tokenizer):
    model, _, text_vocabulary = load_backbone(backbone, 16, seed=0)
    part = full_part(dict(model.state_dict()), ("t2m",), "sft")
    return Checkpoint(PolicyConfig(backbone, 16, text_vocabulary), (part,), motion_tokenizer.state(), {"val_loss": 1.5})


def test_round_trip(tmp_path, checkpoint, motion_tokenizer):
    save_checkpoint(tmp_path / "c.pth", checkpoint)
    torch.load(tmp_path / "c.pth", weights_only=True)
    read = load_checkpoint(tmp_path / "c.pth")
    assert read.config == checkpoint.config and read.metrics == {"val_loss": 1.5}
    assert read.fingerprint("t2m") == checkpoint.fingerprint("t2m")
    assert motion_tokenizer_of(read, None, "c.pth").fingerprint == motion_tokenizer.fingerprint
    build_policy(read, "t2m")


def test_what_is_no_checkpoint_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(InputError, match="not a readable checkpoint"):
        load_checkpoint(tmp_path / "text.pth")
    torch.save({"net": {}}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="not a checkpoint of this project"):
        load_checkpoint(tmp_path / "other.pth")


def test_tokenizer_of_another_codebook_is_refused(tmp_path, checkpoint, motion_tokenizer):
    from models.tokenizer.motion_tokenizer import MotionTokenizer
    from models.tokenizer.network import MotionVQ, NetworkConfig

    sizes = {"feature_dim": 263, "code_dim": 16, "width": 16, "depth": 1, "output_emb_width": 16}
    for nb_code, words in ((8, "has 8 codes"), (16, "is not the one")):
        torch.manual_seed(9)
        other = MotionTokenizer(
            MotionVQ(NetworkConfig(nb_code=nb_code, **sizes)),
            motion_tokenizer.mean, motion_tokenizer.std, motion_tokenizer.skeleton,
        )  # fmt: skip
        other.save(tmp_path / "other.pth")
        with pytest.raises(InputError, match=words):
            motion_tokenizer_of(checkpoint, str(tmp_path / "other.pth"), "c.pth")


def test_backbone_of_another_vocabulary_is_refused(checkpoint):
    from dataclasses import replace

    wrong = replace(checkpoint, config=replace(checkpoint.config, text_vocabulary=7))
    with pytest.raises(InputError, match="7"):
        build_policy(wrong, "t2m")
    with pytest.raises(InputError, match="cannot be loaded"):
        load_backbone("no/such-model", 16, seed=0)
