"""Policies of tasks: both adapters kept, parts replaced, joint runs, files of the first format."""

from dataclasses import asdict, replace

import pytest
import torch
from datasets import disable_progress_bars

from models.language.prompts import PromptStyle
from models.policy.adapters import LoraSize, full_part
from models.policy.backbone import load_backbone
from models.policy.checkpoint import Checkpoint, PolicyConfig, load_checkpoint, save_checkpoint
from models.policy.policy import build_policy, continue_policy
from tests.models.sft.sft_runs import run_supervise
from utils.errors import InputError

LORA = LoraSize(4, 8, 0.0)
TEXT = "a person walks<Motion_3><Motion_9></answer>"


@pytest.fixture(autouse=True)
def quiet():
    disable_progress_bars()


def logits(checkpoint, task):
    policy = build_policy(checkpoint, task)
    with torch.no_grad():
        return policy.model.eval()(torch.tensor([policy.language.vocabulary.encode(TEXT)])).logits


def trained(cot_jsonl, backbone, folder, lora, before=None, tasks=("t2m",)):
    """Checkpoint after SFT of `tasks`, from scratch or after `before`."""
    start = None if before is None else continue_policy(before, tasks, full=lora is None)
    run_supervise(cot_jsonl, backbone, folder, lora, epochs=1, start=start, tasks=tasks, learning_rate=1e-2)
    return load_checkpoint(folder / f"motionllm_{tasks[0] if len(tasks) == 1 else 'both'}_latest.pth")


@pytest.mark.parametrize("lora", [LORA, None])
def test_the_second_task_keeps_the_first(cot_jsonl, backbone, tmp_path, lora):
    first = trained(cot_jsonl, backbone, tmp_path / "t2m", lora)
    both = trained(cot_jsonl, backbone, tmp_path / "m2t", lora, first, ("m2t",))
    assert both.tasks == ("t2m", "m2t") and not both.shared_by(both.tasks)
    assert torch.equal(logits(both, "t2m"), logits(first, "t2m"))
    assert (logits(both, "m2t") - logits(both, "t2m")).abs().max() > 1e-2
    assert both.fingerprint("t2m") == first.fingerprint("t2m") != both.fingerprint("m2t")
    with pytest.raises(InputError, match="train one task at a time"):
        continue_policy(both, ("t2m", "m2t"), full=lora is None)


def test_a_new_adapter_starts_from_the_backbone_and_the_trained_rows(cot_jsonl, backbone, tmp_path):
    first = trained(cot_jsonl, backbone, tmp_path, LORA)
    start = continue_policy(first, ("m2t",), full=False)
    plain, _, _ = load_backbone(backbone, 16, seed=0)
    policy = build_policy(first, "t2m").model
    new = start.language.vocabulary.new_ids
    old = slice(0, new[0])
    rows, trained_rows = start.model.get_input_embeddings().weight, policy.get_input_embeddings().weight
    assert torch.equal(rows[new], trained_rows[new]) and torch.equal(
        rows[old], plain.get_input_embeddings().weight[old]
    )
    name = "model.layers.0.self_attn.q_proj.weight"
    assert torch.equal(start.model.state_dict()[name], plain.state_dict()[name])
    assert not torch.equal(policy.state_dict()[name], plain.state_dict()[name])


def test_the_same_task_goes_on_from_its_policy(cot_jsonl, backbone, tmp_path):
    first = trained(cot_jsonl, backbone, tmp_path / "a", LORA)
    start = continue_policy(first, ("t2m",), full=False)
    with torch.no_grad():
        ids = torch.tensor([start.language.vocabulary.encode(TEXT)])
        assert torch.equal(start.model.eval()(ids).logits, logits(first, "t2m"))
    second = trained(cot_jsonl, backbone, tmp_path / "b", LORA, first)
    assert [part.finetune for part in second.parts] == ["lora", "lora"]
    assert (logits(second, "t2m") - logits(first, "t2m")).abs().max() > 1e-3
    replaced = trained(cot_jsonl, backbone, tmp_path / "c", None, second)
    assert [part.finetune for part in replaced.parts] == ["full"]  # what it replaces is not carried along


def test_a_joint_run_goes_on_from_the_one_policy_there_is(cot_jsonl, backbone, tmp_path):
    first = trained(cot_jsonl, backbone, tmp_path / "a", LORA)
    both = trained(cot_jsonl, backbone, tmp_path / "b", LORA, first, ("t2m", "m2t"))
    assert both.shared_by(("t2m", "m2t")) and len(both.parts_of("m2t")) == 2
    assert torch.equal(logits(both, "t2m"), logits(both, "m2t"))


def test_reward_and_reasoning_belong_to_a_task(backbone):
    _, _, text_vocabulary = load_backbone(backbone, 16, seed=0)
    checkpoint = Checkpoint(PolicyConfig(backbone, 16, text_vocabulary))
    for tasks, judge in ((("t2m", "m2t"), None), (("t2m",), "judge")):
        weights = {"x": torch.zeros(1)}
        part = full_part(weights, tasks, "rlvr" if judge else "sft", rewarded_by=judge)
        checkpoint = checkpoint.with_part(part)
    assert checkpoint.rewarded_by("t2m") == ("judge",) and checkpoint.rewarded_by("m2t") == ()
    assert [part.tasks for part in checkpoint.parts] == [("m2t",), ("t2m",)]
    with pytest.raises(InputError, match=r"x\.pth was trained for t2m, m2t, not for dance"):
        checkpoint.check_tasks(["dance"], "x.pth")


def test_a_checkpoint_keeps_its_style(tmp_path, backbone):
    _, _, text_vocabulary = load_backbone(backbone, 16, seed=0)
    config = PolicyConfig(backbone, 16, text_vocabulary, style=PromptStyle("chat", "<u>", "</u>"))
    save_checkpoint(tmp_path / "c.pth", Checkpoint(config))
    assert load_checkpoint(tmp_path / "c.pth").config.style == PromptStyle("chat", "<u>", "</u>")


def test_files_of_the_first_format_are_read(tmp_path, cot_jsonl, backbone):
    new = trained(cot_jsonl, backbone, tmp_path, LORA)
    base, _, _ = load_backbone(backbone, 16, seed=0)
    config = {key: value for key, value in asdict(new.config).items() if key != "style"}
    old = {
        "format": "morl-checkpoint", "format_version": 1, "base_weights": dict(base.state_dict()),
        "config": {**config, "tasks": ["t2m"], "stage": "rlvr", "finetune": "full", "use_reasoning": True,
                   "rewarded_by": ["judge"]},
        "adapters": [{"config": new.parts[0].lora, "weights": new.parts[0].weights}],
        "motion_tokenizer": None, "metrics": {},
    }  # fmt: skip
    torch.save(old, tmp_path / "old.pth")
    read = load_checkpoint(tmp_path / "old.pth")
    assert [(part.stage, part.finetune) for part in read.parts] == [("sft", "full"), ("rlvr", "lora")]
    assert read.rewarded_by("t2m") == ("judge",)
    torch.testing.assert_close(logits(read, "t2m"), logits(new, "t2m"), atol=1e-5, rtol=0)


def test_an_adapter_that_does_not_fit_is_refused_not_passed_over(tmp_path, cot_jsonl, backbone):
    """peft takes what it finds, draws the rest, and says nothing."""
    checkpoint = trained(cot_jsonl, backbone, tmp_path, LORA)
    part = checkpoint.parts[0]
    name = next(name for name in part.weights if "lora_B" in name)
    others = {key: value for key, value in part.weights.items() if key != name}
    for weights, lora, said in (
        (others, part.lora, f"tensor {name} is missing"),
        ({**others, name.replace("layers", "levels"): part.weights[name]}, part.lora, f"tensor {name} is missing"),
        ({**part.weights, "x": torch.zeros(1)}, part.lora, "tensor x is one too many"),
        ({**others, name: torch.zeros(3)}, part.lora, rf"tensor {name} is \(3,\)"),
        (part.weights, {**part.lora, "target_modules": ["nowhere"]}, "no LoRA adapter has the settings"),
        (part.weights, {**part.lora, "surprise": 1}, "no LoRA adapter has the settings"),
    ):
        wrong = Checkpoint(checkpoint.config, (replace(part, weights=weights, lora=lora),))
        with pytest.raises(InputError, match=f"does not fit backbone .*{said}") as caught:
            build_policy(wrong, "t2m")
        assert "\n" not in str(caught.value)
