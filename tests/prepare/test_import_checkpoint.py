"""The published flat checkpoint, written as its code writes it, becomes ours and computes what it computed."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from models.policy.adapters import LORA_TARGETS
from models.policy.checkpoint import load_checkpoint
from models.policy.policy import build_policy
from prepare import import_checkpoint
from utils.errors import InputError

NB_CODE = 16
RANKS = {"t2m": (8, 16), "m2t": (4, 4)}  # rank, alpha


@pytest.fixture
def published(tmp_path, backbone):
    """(file, model, its tokenizer): two adapters on one backbone, random weights everywhere."""
    tokenizer = AutoTokenizer.from_pretrained(backbone)
    base = AutoModelForCausalLM.from_pretrained(backbone)
    text_tokens = len(tokenizer)
    tokenizer.add_tokens(["<Motion>", "</Motion>"])
    tokenizer.add_tokens([f"<Motion_{code}>" for code in range(NB_CODE)])
    torch.manual_seed(3)
    configs = {
        task: LoraConfig(r=r, lora_alpha=alpha, target_modules=list(LORA_TARGETS), task_type="CAUSAL_LM")
        for task, (r, alpha) in RANKS.items()
    }
    model = get_peft_model(base, configs["t2m"], adapter_name="t2m")
    model.add_adapter("m2t", configs["m2t"])
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora" in name:
                weight.normal_(std=0.1)
        model.get_input_embeddings().weight[text_tokens:].normal_()
    state = {name: weight for name, weight in model.named_parameters() if "lora" in name}
    state["embeddings"] = model.get_input_embeddings().weight[text_tokens:]
    state["lm_head"] = model.get_output_embeddings().weight[text_tokens:]
    torch.save(state, tmp_path / "published.pth")
    return tmp_path / "published.pth", model.eval(), tokenizer


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["import_checkpoint", *map(str, arguments)])
    import_checkpoint.main()


def flags(file, backbone, out):
    return ("--published", file, "--llm-backbone", backbone, "--out", out, "--lora-alpha-t2m", 16,
            "--lora-alpha-m2t", 4)  # fmt: skip


def test_both_adapters_give_the_published_logits(published, backbone, tmp_path, monkeypatch, capsys, motion_tokenizer):
    file, model, tokenizer = published
    motion_tokenizer.save(tmp_path / "tokenizer.pth")
    out = tmp_path / "ours.pth"
    run(monkeypatch, *flags(file, backbone, out), "--motion-tokenizer", tmp_path / "tokenizer.pth")
    shown = capsys.readouterr().out
    assert "t2m         28 LoRA tensors matched, rank 8, scale 16" in shown and "16 codes matched" in shown
    assert "not used    nothing" in shown and "--init-ckpt" in shown
    checkpoint = load_checkpoint(out)
    assert checkpoint.tasks == ("t2m", "m2t") and not checkpoint.shared_by(checkpoint.tasks)
    assert checkpoint.motion_tokenizer is not None
    text = "a person walks<Motion><Motion_3><Motion_15></Motion>"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    answers = {}
    for task in RANKS:
        model.set_adapter(task)
        policy = build_policy(checkpoint, task)
        ours, vocabulary = policy.model, policy.language.vocabulary
        own = vocabulary.encode(text)
        with torch.no_grad():
            expected = model(torch.tensor([ids])).logits[0]
            found = ours.eval()(torch.tensor([own])).logits[0]
        theirs = tokenizer.convert_tokens_to_ids(["<Motion>", "</Motion>", "<Motion_3>", "<Motion_15>"])
        mine = vocabulary.tokenizer.convert_tokens_to_ids(["<Motion>", "</Motion>", "<Motion_3>", "<Motion_15>"])
        words = slice(0, 300)
        torch.testing.assert_close(found[:, words], expected[:, words], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(found[:, mine], expected[:, theirs], atol=1e-4, rtol=1e-4)
        answers[task] = found
    assert (answers["t2m"] - answers["m2t"]).abs().max() > 0.1


def test_what_does_not_fit_is_named(published, backbone, tmp_path, monkeypatch, capsys):
    file, _, _ = published
    state = torch.load(file, weights_only=True)
    name = "base_model.model.model.layers.1.mlp.up_proj.lora_A.t2m.weight"

    def changed(**changes):
        value = {key: tensor for key, tensor in {**state, **changes}.items() if tensor is not None}
        torch.save(value, tmp_path / "changed.pth")
        return flags(tmp_path / "changed.pth", backbone, tmp_path / "out.pth")

    def mistake(words, **changes):
        with pytest.raises(InputError, match=words):
            run(monkeypatch, *changed(**changes))
        assert not (tmp_path / "out.pth").exists()

    mistake("no lm_head", lm_head=None)
    mistake("expected twice", lm_head=state["lm_head"][1:])
    mistake("has no place for .*layers.9", **{name.replace("layers.1", "layers.9"): state[name]})
    mistake(r"up_proj.lora_A.weight is \(8, 3\)", **{name: torch.zeros(8, 3)})
    mistake(f"tensor {name} holds .* not finite", **{name: torch.full_like(state[name], torch.nan)})
    mistake(f"{name} is no tensor", **{name: 3})
    mistake("lm_head is no tensor", lm_head=[1])
    mistake("adapters none", **{key: None for key in state if "lora" in key})
    run(
        monkeypatch,
        *changed(extra=torch.zeros(2), epoch=3, **{key: None for key in state if "layers.1.mlp.up_proj" in key}),
    )
    shown = capsys.readouterr().out
    assert "not used    epoch, extra" in shown and "left as in the backbone: 1 up_proj" in shown
    with pytest.raises(InputError, match="exists"):
        run(monkeypatch, *flags(file, backbone, tmp_path / "out.pth"))
