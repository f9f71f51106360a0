"""trl's SFTTrainer with a loss weight per token."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Sampler
from transformers import DataCollator, PreTrainedModel
from transformers.trainer_utils import EvalLoopOutput
from trl import SFTTrainer

from models.policy.adapters import give_token_rows_a_rate
from models.policy.resumable import ResumableTrainer, settings_of_trl
from models.sft.batch import IGNORED_LABEL
from models.sft.length_groups import LengthGroups

# Metrics of the replies of a model in training, for example FID.
ReplyMetrics = Callable[[PreTrainedModel], dict[str, float]]


class WeightedSFTTrainer(ResumableTrainer, SFTTrainer):
    """Cross-entropy weighted per token and divided by the total weight of the optimiser step.

    Dividing by the weight over all micro-batches and processes makes batch 8 x 1 equal 2 x 4.
    Expects batches of `models.sft.batch.SupervisionCollator`; validation rows index another file than training
    rows, so validation has a collator of its own.

    Args:
        eval_collator: makes validation batches; None: as training ones.
        reply_metrics: measures replies of the model at every validation; its numbers join the validation's.
        token_learning_rate: peak learning rate of the rows of new tokens beside an adapter; None: that of the adapter.
        lengths: (N,) of the training rows, where those of a step shall be of about one length; None: by chance.
        named: arguments of trl's trainer.
    """

    def __init__(
        self,
        *,
        eval_collator: DataCollator | None = None,
        reply_metrics: ReplyMetrics | None = None,
        token_learning_rate: float | None = None,
        lengths: np.ndarray | None = None,
        **named: Any,
    ) -> None:
        self._token_rate = token_learning_rate
        self._lengths = lengths
        super().__init__(**named)
        self._eval_collator = eval_collator
        self._reply_metrics = reply_metrics
        self._speed_since: tuple[float, float] | None = None
        self._not_counted: list[Tensor] = []  # of each micro-batch since the last row of metrics, on the device
        self._validated: Tensor | None = None  # sums over the validation that is running

    def get_eval_dataloader(self, eval_dataset: Dataset | str | None = None) -> DataLoader:
        # The trainer knows one collator only, and one field that leaves a last small batch out: no validation does.
        training_collator, drop_last = self.data_collator, self.args.dataloader_drop_last
        self.data_collator, self.args.dataloader_drop_last = self._eval_collator or training_collator, False
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.data_collator, self.args.dataloader_drop_last = training_collator, drop_last

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler | None:
        if self._lengths is None:
            return super()._get_train_sampler(train_dataset)
        args = self.args
        return LengthGroups(
            self._lengths, args.train_batch_size * args.gradient_accumulation_steps * args.world_size, args.seed
        )

    def evaluation_loop(self, *args: object, **kwargs: object) -> EvalLoopOutput:
        self._validated = torch.zeros(4, dtype=torch.float64)
        # Some settings of the user's own are looked at by a validation only.
        with nullcontext() if self._settings_file is None else settings_of_trl(self._settings_file):
            output = super().evaluation_loop(*args, **kwargs)
        nll, weight, correct, supervised = self._validated.tolist()
        self._validated = None
        self.refuse_no_number("validation loss", nll)
        # Over all tokens of all processes, not the mean of the batches' means.
        # Where nothing has a weight there is no loss: 0 would be the best of all.
        output.metrics.pop("eval_loss", None)
        if weight > 0:
            output.metrics["eval_loss"] = nll / weight
        if supervised > 0:
            output.metrics["eval_token_accuracy"] = correct / supervised
        if self._reply_metrics is not None:
            model = self.accelerator.unwrap_model(self.model)
            output.metrics.update({f"eval_{name}": value for name, value in self._reply_metrics(model).items()})
            model.train()
        return output

    def create_optimizer(self, *given: Any, **named: Any) -> Optimizer:
        """The optimiser; the rows of new tokens, where they have a rate of their own, are its last group."""
        made = self.optimizer is None
        optimizer = super().create_optimizer(*given, **named)
        if made and self._token_rate not in (None, self.args.learning_rate):
            give_token_rows_a_rate(optimizer, self.model, self._token_rate)
        return optimizer

    def gathered_state(self) -> dict[str, Tensor]:
        """The whole model's state dict on the CPU, whatever shards the processes hold. Every process must call it."""
        return {name: value.cpu() for name, value in self.accelerator.get_state_dict(self.model_wrapped).items()}

    def since_log(self) -> dict[str, Any]:
        self._count()
        return super().since_log()

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        self._count()
        if "loss" in logs:
            now = (time.perf_counter(), self._total_train_tokens)
            if self._speed_since is not None and now[1] > self._speed_since[1]:
                logs["tokens_per_second"] = (now[1] - self._speed_since[1]) / (now[0] - self._speed_since[0])
            self._speed_since = now
            if self._token_rate is not None and "learning_rate" in logs:  # the schedule is one for all groups
                logs["token_learning_rate"] = logs["learning_rate"] * self._token_rate / self.args.learning_rate
        super().log(logs, start_time)

    def _get_num_items_in_batch(self, batch_samples: list, device: torch.device) -> Tensor | None:
        if not batch_samples or "loss_weights" not in batch_samples[0]:
            return None
        total = torch.stack([batch["loss_weights"][:, 1:].sum() for batch in batch_samples]).sum().to(device)
        return self.accelerator.gather(total).sum()

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | None = None,
    ) -> Tensor:
        if return_outputs:
            raise NotImplementedError("the fused head gives losses, not logits")
        weights, real = inputs.pop("loss_weights")[:, 1:], inputs.pop("attention_mask")
        # Padding stands on the right and has no label: no token that is learned sees it, with or without a mask. With
        # one transformers would wait for the device to look for padding, and attention would take its slower kernels.
        outputs = model(**inputs, use_cache=False, fused_lm_head=True)
        total = weights.sum() if num_items_in_batch is None else num_items_in_batch
        loss = -(outputs.log_probs * weights).sum() / total.clamp(min=1e-8)
        if num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes  # DDP averages gradients over processes
        supervised = inputs["labels"][:, 1:] != IGNORED_LABEL
        if self.model.training:
            self._record_step(real, outputs.is_top1, supervised)
        elif self._validated is not None:
            self._record_validation(outputs.log_probs * weights, weights, outputs.is_top1, supervised)
        return loss

    def _record_step(self, real: Tensor, correct: Tensor, supervised: Tensor) -> None:
        counts = torch.stack([correct.sum(), supervised.sum(), real.sum()])
        self._not_counted.append(self.accelerator.gather(counts[None]).sum(dim=0))

    def _count(self) -> None:
        """Take up what `_record_step` left on the device: once a row of metrics, since it waits for the device."""
        waiting, self._not_counted = self._not_counted, []
        for correct, supervised, tokens in torch.stack(waiting).tolist() if waiting else ():
            self._metrics["train"]["mean_token_accuracy"].append(correct / max(supervised, 1))
            self._total_train_tokens += tokens
            self._metrics["train"]["num_tokens"] = [self._total_train_tokens]

    def _record_validation(self, log_probs: Tensor, weights: Tensor, correct: Tensor, supervised: Tensor) -> None:
        sums = [column.sum(dim=1).float() for column in (-log_probs, weights, correct, supervised)]
        rows = self.accelerator.gather_for_metrics(torch.stack(sums, dim=1))  # (B, 4), without padding rows
        self._validated += rows.cpu().double().sum(dim=0)
