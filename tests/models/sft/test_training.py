"""Supervised fine-tuning: weighted loss, what moves, checkpoints, resume."""

import copy
import json
from dataclasses import replace

import pytest
import torch
from datasets import disable_progress_bars

from dataset.cot.samples import read_cot_jsonl
from dataset.cot.training_rows import task_rows
from models.policy.adapters import LoraSize, add_sft_adapter
from models.policy.backbone import load_backbone
from models.policy.checkpoint import load_checkpoint
from models.policy.policy import build_policy
from models.policy.states import newest_state
from models.sft.batch import SupervisionCollator
from models.sft.trainer import WeightedSFTTrainer
from models.sft.training import Validation
from options.trainer_file import CHECKPOINTING
from tests.models.languages import plain
from tests.models.sft.sft_runs import SUPERVISION, config, plain_policy, run_supervise
from utils.run.interrupt import InterruptFlag


@pytest.fixture(autouse=True)
def quiet():
    disable_progress_bars()


def train(cot_jsonl, model, vocabulary, trainer_config):
    samples = read_cot_jsonl(cot_jsonl, nb_code=16)
    trainer = WeightedSFTTrainer(
        model=model,
        args=trainer_config,
        train_dataset=task_rows(samples, ("t2m", "m2t")),
        data_collator=SupervisionCollator(samples, plain(vocabulary), SUPERVISION, 5),
        processing_class=vocabulary.tokenizer,
    )
    trainer.train()
    return trainer


def test_loss_is_the_weighted_mean_by_hand(cot_jsonl, backbone, tmp_path):
    model, vocabulary, _ = load_backbone(backbone, 16, seed=0)
    samples = read_cot_jsonl(cot_jsonl, nb_code=16)
    collator = SupervisionCollator(samples, plain(vocabulary), SUPERVISION, 5)
    batch = collator([{"row": i, "task": "m2t"} for i in range(4)])
    reference = copy.deepcopy(model)
    with torch.no_grad():
        log_probs = reference(batch["input_ids"], attention_mask=batch["attention_mask"]).logits.log_softmax(-1)
    expected, total = 0.0, 0.0
    for row in range(4):
        for position in range(1, batch["input_ids"].shape[1]):
            weight = batch["loss_weights"][row, position].item()
            if weight:
                expected -= weight * log_probs[row, position - 1, batch["labels"][row, position]].item()
                total += weight
    trainer = WeightedSFTTrainer(
        model=model,
        args=config(tmp_path),
        train_dataset=task_rows(samples, ("m2t",)),
        data_collator=collator,
        processing_class=vocabulary.tokenizer,
    )
    loss = trainer.compute_loss(trainer.model, dict(batch))
    assert loss.item() == pytest.approx(expected / total, rel=1e-5)


def test_accumulation_does_not_change_training(cot_jsonl, backbone, tmp_path):
    """Batch 8 x 1 equals 2 x 4: the loss is divided by the weight of the whole optimiser step."""
    weights = []
    for batch, accumulation in ((8, 1), (2, 4)):
        model, vocabulary, _ = load_backbone(backbone, 16, seed=0)
        fields = {"per_device_train_batch_size": batch, "gradient_accumulation_steps": accumulation}
        train(cot_jsonl, model, vocabulary, config(tmp_path, **fields, optim="sgd", learning_rate=0.5))
        weights.append(torch.cat([parameter.detach().flatten() for parameter in model.parameters()]))
    assert (weights[0] - weights[1]).abs().max() < 1e-5


def test_full_finetuning_moves_every_parameter(cot_jsonl, backbone, tmp_path):
    model, vocabulary, _ = load_backbone(backbone, 16, seed=0)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    train(cot_jsonl, model, vocabulary, config(tmp_path))
    assert [name for name, value in model.named_parameters() if torch.equal(value, before[name])] == []


def test_lora_moves_adapters_and_new_rows_only(cot_jsonl, backbone, tmp_path):
    model, vocabulary, _ = load_backbone(backbone, 16, seed=0)
    adapted = add_sft_adapter(model, vocabulary, LoraSize(4, 8, 0.0))
    before = {name: value.detach().clone() for name, value in adapted.named_parameters()}
    train(cot_jsonl, adapted, vocabulary, config(tmp_path))
    for name, value in adapted.named_parameters():
        moved = not torch.equal(value, before[name])
        assert moved == value.requires_grad, name
    trained = {name.split(".")[-2] for name, value in adapted.named_parameters() if value.requires_grad}
    assert any("trainable_tokens_delta" in name for name, value in adapted.named_parameters() if value.requires_grad)
    merged = adapted.merge_and_unload().get_input_embeddings().weight
    old_rows = before["base_model.model.model.embed_tokens.token_adapter.base_layer.weight"][: vocabulary.new_ids[0]]
    assert torch.equal(merged[: vocabulary.new_ids[0]], old_rows) and trained


@pytest.mark.parametrize("lora", [None, LoraSize(4, 8, 0.0)])
def test_checkpoint_rebuilds_the_policy(cot_jsonl, backbone, tmp_path, lora):
    model = run_supervise(cot_jsonl, backbone, tmp_path, lora, learning_rate=1e-2)
    policy = build_policy(load_checkpoint(tmp_path / "motionllm_t2m_latest.pth"), "t2m")
    rebuilt, vocabulary = policy.model, policy.language.vocabulary
    ids = torch.tensor([vocabulary.encode("a person walks<Motion_3><Motion_9></answer>")])
    with torch.no_grad():
        expected, found = model.eval()(ids).logits, rebuilt.eval()(ids).logits
    assert (expected - found).abs().max() < 1e-4
    untrained, _, _ = load_backbone(backbone, 16, seed=0)
    with torch.no_grad():
        assert (untrained.eval()(ids).logits - found).abs().max() > 1e-2
    best = load_checkpoint(tmp_path / "motionllm_t2m_best.pth")  # the published code never wrote it
    assert best.metrics["val_loss"] > 0


class InterruptAfter(InterruptFlag):
    """Raised once the trainer has looked at it `steps` times: before the first step, and after each."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    @property
    def raised(self):
        self.steps -= 1
        return self.steps < 0

    @raised.setter
    def raised(self, value):
        assert value is (vars(self).get("steps", 0) < 0)  # nobody presses Ctrl-C here


@pytest.mark.parametrize("lora", [None, LoraSize(4, 8, 0.1)])
def test_interrupted_and_resumed_equals_straight(cot_jsonl, backbone, tmp_path, lora):
    """Optimiser, schedule, order of the data and, with dropout, the random numbers go on where they were."""
    run_supervise(cot_jsonl, backbone, tmp_path / "straight", lora)
    run_supervise(cot_jsonl, backbone, tmp_path / "resumed", lora, interrupt=InterruptAfter(7))
    assert not (tmp_path / "resumed" / "finished.json").exists()
    assert load_checkpoint(tmp_path / "resumed" / "motionllm_t2m_latest.pth").metrics["step"] == 7
    run_supervise(cot_jsonl, backbone, tmp_path / "resumed", lora)
    files = [tmp_path / name / "motionllm_t2m_latest.pth" for name in ("straight", "resumed")]
    straight, resumed = (load_checkpoint(file).parts[0].weights for file in files)
    assert straight.keys() == resumed.keys()
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


def test_token_rows_learn_at_a_rate_of_their_own_and_a_resumed_run_goes_on(cot_jsonl, backbone, tmp_path):
    """Beside a rate of next to nothing for the adapter only the rows move; and the other way round."""
    size, few = LoraSize(4, 8, 0.0), 1e-12
    run_supervise(cot_jsonl, backbone, tmp_path / "rows", size, learning_rate=few, token_learning_rate=1e-2)
    run_supervise(cot_jsonl, backbone, tmp_path / "adapter", size, learning_rate=1e-2, token_learning_rate=few)
    run_supervise(cot_jsonl, backbone, tmp_path / "neither", size, learning_rate=few)
    start, rows, adapter = (weights_of(tmp_path / name) for name in ("neither", "rows", "adapter"))
    assert {name for name in start if moved(start[name], rows[name])} == {n for n in start if "token" in n} != set()
    assert {name for name in start if moved(start[name], adapter[name])} == {n for n in start if "lora" in n}
    # The schedule is one for both: the rate of the rows is logged beside that of the adapter.
    logged = [json.loads(line) for line in (tmp_path / "rows" / "metrics.jsonl").read_text().splitlines()]
    rates = [(row["learning_rate"], row["token_learning_rate"]) for row in logged if "loss" in row]
    assert len(rates) == 10 and all(token == pytest.approx(1e10 * rate) for rate, token in rates) and rates[1][1] > 0

    given = {"learning_rate": 1e-3, "token_learning_rate": 5e-3}
    run_supervise(cot_jsonl, backbone, tmp_path / "straight", size, **given)
    run_supervise(cot_jsonl, backbone, tmp_path / "resumed", size, interrupt=InterruptAfter(7), **given)
    run_supervise(cot_jsonl, backbone, tmp_path / "resumed", size, **given)
    straight, resumed = weights_of(tmp_path / "straight"), weights_of(tmp_path / "resumed")
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


def test_rows_without_a_rate_of_their_own_stay_in_the_groups_they_were_in(cot_jsonl, backbone, tmp_path):
    run_supervise(cot_jsonl, backbone, tmp_path / "plain", LoraSize(4, 8, 0.0))
    run_supervise(cot_jsonl, backbone, tmp_path / "same", LoraSize(4, 8, 0.0), token_learning_rate=3e-3)
    plain, same = weights_of(tmp_path / "plain"), weights_of(tmp_path / "same")
    assert all(torch.equal(plain[name], same[name]) for name in plain)
    states = [newest_state(tmp_path / name / "trainer_state") / "optimizer.pt" for name in ("plain", "same")]
    groups = [torch.load(state, weights_only=True)["param_groups"] for state in states]
    assert [len(found) for found in groups] == [2, 2]


def weights_of(folder):
    return load_checkpoint(folder / "motionllm_t2m_latest.pth").parts[0].weights


def moved(before, after):
    return (before - after).abs().max() > 1e-5


def test_training_stops_when_validation_no_longer_gains(cot_jsonl, backbone, tmp_path):
    # At so large a rate the loss soon goes up for once.
    run_supervise(cot_jsonl, backbone, tmp_path, None, epochs=40, validation=Validation(patience=1), learning_rate=5e-2)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    losses = [row["eval_loss"] for row in rows if "eval_loss" in row]
    assert len(losses) < 40
    assert losses.index(min(losses)) == len(losses) - 2  # one validation without a gain follows the best
    best = load_checkpoint(tmp_path / "motionllm_t2m_best.pth")
    assert best.metrics["val_loss"] == pytest.approx(min(losses))


def validations(folder):
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row for row in rows if "eval_runtime" in row]


def test_a_validation_sees_every_row_where_training_leaves_small_batches_out(cot_jsonl, backbone, tmp_path):
    """Its batch is larger than the held-out rows, so that leaving a small one out would leave nothing."""
    losses = []
    for drop_last in (False, True):
        fields = {"dataloader_drop_last": drop_last, "per_device_eval_batch_size": 64, "learning_rate": 1e-20}
        run_supervise(cot_jsonl, backbone, tmp_path / str(drop_last), None, epochs=1, **fields)
        losses += [row["eval_loss"] for row in validations(tmp_path / str(drop_last))]
    assert len(losses) == 2 and losses[0] == pytest.approx(losses[1]) and losses[0] > 1


def test_a_validation_of_no_weight_has_no_loss_and_chooses_nothing(cot_jsonl, backbone, tmp_path):
    """A loss of 0 would be the best of all."""
    weightless = replace(SUPERVISION, reasoning_weight=0.0, motion_weight=0.0)
    run_supervise(cot_jsonl, backbone, tmp_path, None, epochs=1, supervision=weightless)
    (row,) = validations(tmp_path)
    assert "eval_loss" not in row and row["eval_token_accuracy"] < 0.5
    assert (tmp_path / "motionllm_t2m_latest.pth").is_file() and not (tmp_path / "motionllm_t2m_best.pth").exists()


@pytest.mark.parametrize("lora", [LoraSize(4, 8, 0.0), None])
def test_activations_are_computed_again_where_the_flag_says_so(cot_jsonl, backbone, tmp_path, lora):
    steps = []
    for again in (False, True):
        start, calls = plain_policy(backbone), []
        start.model.model.layers[0].self_attn.register_forward_hook(
            lambda *_, calls=calls: calls.append(torch.is_grad_enabled())
        )
        fields = {CHECKPOINTING: again, "per_device_train_batch_size": 40}
        run_supervise(cot_jsonl, backbone, tmp_path / str(again), lora, start=start, epochs=1, **fields)
        first = json.loads((tmp_path / str(again) / "metrics.jsonl").read_text().splitlines()[0])
        steps.append((sum(calls), first["loss"], first["grad_norm"]))
    assert [count for count, *_ in steps] == [1, 2] and steps[0][1:] == steps[1][1:]
