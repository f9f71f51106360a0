"""The motion tokenizer's trainer takes the training steps, and keeps what makes resumed runs equal straight ones."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dataset.humanml.windows import MotionWindows
from models.tokenizer.loss import TrainingConfig, reconstruction_loss
from models.tokenizer.network import MotionVQ
from utils.errors import InputError
from utils.motion.skeleton import Skeleton
from utils.run.processes import ALONE, Processes
from utils.run.schedule import linear_fall, milestone_drops, share_done, warm_up

# Under a time budget the learning rate falls linearly over this last share of it, down to this factor.
_DECAY_SHARE = 0.4
_DECAY_FLOOR = 0.02


@dataclass(frozen=True)
class StepMetrics:
    """Means over the steps since `TokenizerTrainer.clear_recent`."""

    loss: float
    reconstruction: float
    commit: float
    perplexity: float
    usage: float
    lr: float


def resolve_precision(precision: str, device: torch.device) -> str:
    """``auto`` -> ``bf16`` where the device has it in hardware, else ``fp32``."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if device.type != "cpu":
        return "fp32"
    return "bf16" if torch.cpu.get_capabilities().get("avx512_bf16", False) else "fp32"


class TokenizerTrainer:
    """Owns network, optimiser, step counter and the `seconds` spent so far (whoever runs the loop adds them).

    Several processes, each with a trainer of its own made of the same network, windows and seed, take the same steps
    as one alone: each computes the losses and gradients of its share of a step's windows, and these are added up.

    Args:
        network: is moved to the device of `processes` and trained in place.
        windows: source of the training windows.
        skeleton: of the features.
        seed: of the replacements for dead codes (weights and windows are seeded where they are made).
        processes: those that train together.

    Raises:
        InputError: several processes cannot share a batch so small, or train a network of that kind.
    """

    def __init__(
        self,
        network: MotionVQ,
        windows: MotionWindows,
        skeleton: Skeleton,
        config: TrainingConfig,
        seed: int,
        processes: Processes = ALONE,
    ) -> None:
        if processes.count > config.batch_size:
            raise InputError(
                f"--batch-size {config.batch_size} cannot be shared by {processes.count} processes: "
                "it is the number of windows of a step of all of them together"
            )
        if processes.count > 1 and network.config.vq_norm == "BN":
            raise InputError(
                f"--vq-norm BN takes its statistics from the windows of one process and cannot be trained by "
                f"{processes.count}: use GN or LN"
            )
        self.network = network.to(processes.device)
        self.config = config
        self.processes = processes
        self.step = 0
        self.seconds = 0.0
        self._windows = windows
        self._skeleton = skeleton
        self._device = processes.device
        self._bf16 = resolve_precision(config.precision, self._device) == "bf16"
        self._quantizer = network.vqvae["quantizer"]
        self._quantizer.seed(seed)
        self._quantizer.join(processes)
        self._trained = list(network.parameters())
        self._optimizer = torch.optim.AdamW(
            self._trained, lr=config.lr, betas=(0.9, 0.99), weight_decay=config.weight_decay
        )
        self.clear_recent()

    @property
    def progress(self) -> float:
        """Share of the run that is done, by steps or by time, whichever is ahead."""
        return share_done(self.step / self.config.total_iter, self.seconds, self.config.max_minutes)

    @property
    def finished(self) -> bool:
        return self.progress >= 1

    def learning_rate(self) -> float:
        """Warm-up, then a drop at each `lr_scheduler` step as published; under a time budget a fall at its end."""
        config = self.config
        factor = warm_up(self.step, config.warm_up_iter)
        factor *= milestone_drops(self.step, config.lr_scheduler, config.gamma)
        if config.max_minutes is not None:
            factor *= linear_fall(self.progress, _DECAY_SHARE, _DECAY_FLOOR)
        return config.lr * factor

    def train_step(self) -> None:
        """One optimiser step on the windows of the current step number."""
        self.network.train()
        for group in self._optimizer.param_groups:
            group["lr"] = self.learning_rate()
        batch = self._windows.batch(self.step, self.config.batch_size)
        own = self.processes.share(self.config.batch_size)
        target = torch.from_numpy(batch.normalized[own]).to(self._device)
        lengths = torch.from_numpy(batch.lengths[own]).to(self._device)
        all_full = bool((batch.lengths[own] == target.shape[1]).all())
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            predicted, quantized = self.network(target, None if all_full else lengths)
        reconstruction = reconstruction_loss(
            predicted, target, None if all_full else lengths, self._skeleton, self.config, int(batch.lengths.sum())
        )
        loss = reconstruction + self.config.commit * quantized.commit
        self._optimizer.zero_grad()
        loss.backward()
        losses = torch.stack([loss, reconstruction, quantized.commit]).detach()
        self.processes.add_up(losses, *(parameter.grad for parameter in self._trained if parameter.grad is not None))
        self._optimizer.step()
        self.step += 1
        self._sums += torch.cat([losses, quantized.perplexity.reshape(1)])
        self._counts += quantized.counts
        self._recent_steps += 1

    def recent(self) -> StepMetrics:
        """Means since `clear_recent`. Raises InputError when the loss is no longer a number."""
        loss, reconstruction, commit, step_perplexity = (self._sums / max(self._recent_steps, 1)).tolist()
        if not math.isfinite(loss):
            raise InputError(f"the loss is no longer a number at step {self.step}: use a smaller --lr")
        usage = float((self._counts > 0).float().mean())
        return StepMetrics(loss, reconstruction, commit, step_perplexity, usage, self.learning_rate())

    def refuse_divergence(self) -> None:
        """Raise InputError when loss or weights are no longer numbers: nothing of them may be kept."""
        self.recent()
        if not all(torch.isfinite(weight).all() for weight in self.network.state_dict().values()):
            raise InputError(f"the weights are no longer numbers at step {self.step}: use a smaller --lr")

    def clear_recent(self) -> None:
        """Start the means of `recent` anew."""
        self._sums = torch.zeros(4, device=self._device)
        self._counts = torch.zeros(self._quantizer.nb_code, device=self._device)
        self._recent_steps = 0

    def state(self) -> dict:
        """What a resumed run needs besides the network's state dict, loadable with ``weights_only=True``."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "quantizer": self._quantizer.training_state(),
            "optimizer": self._optimizer.state_dict(),
            "recent": {"sums": self._sums, "counts": self._counts, "steps": self._recent_steps},
        }

    def load_state(self, network: dict[str, Tensor], state: dict) -> None:
        """Continue from a network's state dict and what `state` returned with it."""
        self.network.load_state_dict(network)
        self._quantizer.load_training_state(state["quantizer"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        self.seconds = state["seconds"]
        self._sums = state["recent"]["sums"].to(self._device)
        self._counts = state["recent"]["counts"].to(self._device)
        self._recent_steps = state["recent"]["steps"]
