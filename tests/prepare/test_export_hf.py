"""Export: plain transformers loads the folder and computes what the checkpoint's policy computes."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from models.language.prompts import PromptStyle
from models.language.vocabulary import MotionVocabulary
from models.policy.adapters import full_part, lora_part
from models.policy.backbone import load_backbone
from models.policy.checkpoint import Checkpoint, PolicyConfig, load_checkpoint, save_checkpoint
from models.policy.policy import build_policy
from models.tokenizer.motion_tokenizer import MotionTokenizer
from prepare import export_hf
from utils.errors import InputError


@pytest.fixture
def checkpoint(tmp_path, backbone, motion_tokenizer):
    model, _, text_vocabulary = load_backbone(backbone, 16, seed=3)
    config = PolicyConfig(backbone, 16, text_vocabulary)
    path = tmp_path / "c.pth"
    parts = (full_part(dict(model.state_dict()), ("t2m", "m2t"), "sft"),)
    save_checkpoint(path, Checkpoint(config, parts, motion_tokenizer.state(), {"val_loss": 1.5}))
    return path


def export(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["export_hf", *map(str, arguments)])
    export_hf.main()


def test_plain_transformers_gives_the_same_logits(checkpoint, tmp_path, monkeypatch, capsys, motion_tokenizer):
    folder = tmp_path / "export"
    export(monkeypatch, "--ckpt", checkpoint, "--out-dir", folder)
    assert "logits as those of the checkpoint" in capsys.readouterr().out
    policy = build_policy(load_checkpoint(checkpoint), "t2m")
    model, vocabulary = policy.model, policy.language.vocabulary
    text = "Text: someone walks\n<think>r</think><answer><Motion><Motion_3><Motion_15></Motion></answer>"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert ids == vocabulary.encode(text) and vocabulary.code_ids[3] in ids
    plain = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        difference = (plain(torch.tensor([ids])).logits - model(torch.tensor([ids])).logits).abs().max()
    assert difference < 1e-4
    assert MotionVocabulary(tokenizer, 16).new_ids == []  # it can be trained further as a backbone
    assert MotionTokenizer.load(folder / "motion_tokenizer.pth").fingerprint == motion_tokenizer.fingerprint
    card = (folder / "README.md").read_text()
    assert load_checkpoint(checkpoint).fingerprint("t2m") in card and "val_loss 1.5" in card and "<think>" in card


def test_half_precision_and_mistakes(checkpoint, tmp_path, monkeypatch, capsys):
    export(monkeypatch, "--ckpt", checkpoint, "--out-dir", tmp_path / "half", "--dtype", "bfloat16")
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "half", dtype="auto").dtype == torch.bfloat16
    with pytest.raises(InputError, match="is not empty: holds an export of another checkpoint, task or --dtype"):
        export(monkeypatch, "--ckpt", checkpoint, "--out-dir", tmp_path / "half")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "half").iterdir()}
    capsys.readouterr()
    export(monkeypatch, "--ckpt", checkpoint, "--out-dir", tmp_path / "half", "--dtype", "bfloat16")
    assert "exported already" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "half").iterdir()} == before
    (tmp_path / "half/.half.new.tmp").mkdir()  # a kill while the files were moved in
    (tmp_path / "half/model.safetensors").unlink()
    export(monkeypatch, "--ckpt", checkpoint, "--out-dir", tmp_path / "half", "--dtype", "bfloat16")
    assert {path.name for path in (tmp_path / "half").iterdir()} == {path.name for path in before}
    with pytest.raises(InputError, match="no such checkpoint"):
        export(monkeypatch, "--ckpt", tmp_path / "none.pth", "--out-dir", tmp_path / "new")


@pytest.mark.parametrize(("size", "words"), [(3e-2, "did"), (1e-4, "did: much of it is lost, --dtype float32 keeps")])
def test_in_half_precision_parts_are_rounded_once_and_what_that_costs_is_said(
    checkpoint, tmp_path, monkeypatch, capsys, size, words
):
    """GRPO on SFT: the sum of both in float32, then on the grid; the cost is that of the weights which were trained."""
    start = build_policy(load_checkpoint(checkpoint), "t2m")
    torch.manual_seed(0)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "up_proj"], task_type="CAUSAL_LM")
    adapted = get_peft_model(start.model, config)
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn_like(weight) * size
    both = tmp_path / "rlvr.pth"
    save_checkpoint(both, start.checkpoint.with_part(lora_part(adapted, ("t2m",), "rlvr")))
    for dtype in ("float32", "bfloat16"):
        export(monkeypatch, "--ckpt", both, "--task", "t2m", "--out-dir", tmp_path / dtype, "--dtype", dtype)
    before = build_policy(load_checkpoint(checkpoint), "t2m").model.state_dict()
    exact, half = (
        AutoModelForCausalLM.from_pretrained(tmp_path / name, dtype="auto").state_dict()
        for name in ("float32", "bfloat16")
    )
    assert all(torch.equal(value, exact[name].bfloat16()) for name, value in half.items())
    trained = [name for name in exact if "q_proj.weight" in name or "up_proj.weight" in name]
    rounding, update = (
        sum(float((one[name].double() - exact[name].double()).square().sum()) for name in trained) ** 0.5
        for one in (half, before)
    )
    told = f"rounding moves the weights {rounding / update:.2g} times as far as the last training (rlvr) {words}"
    assert told in capsys.readouterr().out


def test_each_task_of_a_checkpoint_has_its_own_folder(tmp_path, backbone, monkeypatch):
    model, _, text_vocabulary = load_backbone(backbone, 16, seed=3)
    parts = []
    for task in ("t2m", "m2t"):
        weights = {name: value.clone() for name, value in model.state_dict().items()}
        for name in weights:
            weights[name] += 0.1 * (task == "m2t")
        parts.append(full_part(weights, (task,), "sft"))
    style = PromptStyle("chat", "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n")
    config = PolicyConfig(backbone, 16, text_vocabulary, style=style)
    save_checkpoint(tmp_path / "two.pth", Checkpoint(config, tuple(parts)))
    with pytest.raises(InputError, match="give --task"):
        export(monkeypatch, "--ckpt", tmp_path / "two.pth", "--out-dir", tmp_path / "one")
    folders = {}
    for task in ("t2m", "m2t"):
        folders[task] = tmp_path / task
        export(monkeypatch, "--ckpt", tmp_path / "two.pth", "--out-dir", folders[task], "--task", task)
        card = (folders[task] / "README.md").read_text()
        assert ("motion to text" in card) == (task == "m2t") and "<|im_start|>user" in card and "chat prompts" in card
    rows = [AutoModelForCausalLM.from_pretrained(folder).get_input_embeddings().weight for folder in folders.values()]
    assert (rows[1] - rows[0]).mean().item() == pytest.approx(0.1, abs=1e-4)
