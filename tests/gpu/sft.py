"""Parts of supervised fine-tuning: how the language model is loaded, and how fast it learns."""

import statistics
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from transformers import PrinterCallback, TrainerCallback

from models.policy.adapters import LoraSize
from models.policy.policy import Policy
from models.sft.trainer import WeightedSFTTrainer
from models.sft.training import _make_trainer
from options.sft import SftSettings
from tests.gpu.bench import Bench, Figure, host_peak_gb
from tests.gpu.motion_tokenizer import motion_tokenizer_of
from tests.gpu.policies import policy_of, settings_of
from tests.gpu.shapes import NB_CODE
from utils.run.folder import RunFolder


def load(bench: Bench) -> Iterator[Figure]:
    """From the folder of a backbone to a policy on its device."""
    size_on_disk = sum(file.stat().st_size for file in Path(bench.backbone).iterdir())  # written before the clock runs
    seconds, policy = bench.timed(lambda: policy_of(bench))
    model = policy.model
    size = sum(weight.numel() * weight.element_size() for weight in model.parameters()) / 1e9
    rows = model.get_input_embeddings().weight.shape[0]
    how = (
        f"{model.num_parameters():,} parameters, {size_on_disk / 1e9:.2f} GB of files, {size:.2f} GB on the device, "
        f"{rows:,} rows of tokens"
    )
    yield Figure("from its folder to the device", seconds, "s", how)
    yield Figure(
        "memory of the host, most so far", host_peak_gb(), "GB", "libraries and the writing of it included", alone=False
    )


class StepLog(TrainerCallback):
    """After every step: the time, and the tokens that were learned from so far (padding not counted)."""

    def __init__(self) -> None:
        self.steps: list[tuple[float, float]] = []

    def on_log(self, *_: Any, logs: dict[str, float], **__: Any) -> None:
        if "loss" in logs:  # a row of metrics waits for the device
            self.steps.append((time.perf_counter(), logs["num_tokens"]))


def sft(bench: Bench) -> Iterator[Figure]:
    """Steps of `WeightedSFTTrainer` as train_mllm.py sets it up, LoRA on both tasks."""
    for batch in bench.work.sft_batches:
        bench.forget()
        yield from _steps(bench, batch)


def sft_trainer(bench: Bench, batch: int, steps: int) -> tuple[WeightedSFTTrainer, Policy, LoraSize]:
    """The trainer of train_mllm.py with its default settings, LoRA on both tasks, and what it trains."""
    flags = ("--training-task", "both", "--finetune", "lora", "--use-reasoning", "--batch-size", str(batch))
    settings = settings_of(SftSettings, bench, "sft", *flags).settled(None)
    config = settings.trainer_config(RunFolder(bench.folder / "sft"))
    config.max_steps, config.save_strategy = steps, "no"
    data = settings.training_data(NB_CODE, None)
    policy, lora = settings.start(None, motion_tokenizer_of(bench), NB_CODE)
    plan, validation = settings.plan(config, lora), settings.validation(policy.language)
    trainer = _make_trainer(policy, data, settings.supervision(data), validation, plan)
    trainer.remove_callback(PrinterCallback)
    return trainer, policy, lora


def _steps(bench: Bench, batch: int) -> Iterator[Figure]:
    unmeasured, measured = bench.work.sft_steps
    trainer, policy, lora = sft_trainer(bench, batch, unmeasured + measured)
    weights = sum(weight.numel() for weight in policy.model.parameters() if not weight.requires_grad)
    trainer.add_callback(log := StepLog())
    trainer.train()
    times = log.steps[unmeasured - 1 :]
    rates = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(times)]
    again = trainer.model.is_gradient_checkpointing
    rate, each = statistics.median(rates), times[-1][1] / batch / len(log.steps)
    how = (
        f"LoRA {lora.r}, {batch} samples of {each:.0f} tokens on average, "
        f"{'with' if again else 'no'} checkpointing, median of {len(rates)} steps"
    )
    # Forward, once more where activations are not kept, and the gradients of activations; the weights are frozen.
    yield Figure(f"learning, batch {batch}", rate, "tokens/s", how, flops=2 * (3 if again else 2) * weights * rate)
