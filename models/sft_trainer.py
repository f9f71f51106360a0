"""trl's SFTTrainer with a loss weight per token."""

import torch
from datasets import Dataset
from torch.utils.data import DataLoader
from transformers import DataCollator
from trl import SFTTrainer

from models.sft_batch import IGNORED_LABEL


class WeightedSFTTrainer(SFTTrainer):
    """Cross-entropy weighted per token and divided by the total weight of the optimiser step.

    Dividing by the weight over all micro-batches and processes makes batch 8 x 1 equal 2 x 4.
    Expects batches of `models.sft_batch.SupervisionCollator`; validation rows index another file than training
    rows, so validation has a collator of its own.
    """

    eval_collator: DataCollator | None = None

    def get_eval_dataloader(self, eval_dataset: Dataset | str | None = None) -> DataLoader:
        training_collator = self.data_collator
        self.data_collator = self.eval_collator or training_collator
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.data_collator = training_collator

    def _get_num_items_in_batch(self, batch_samples: list, device: torch.device) -> torch.Tensor | None:
        if not batch_samples or "loss_weights" not in batch_samples[0]:
            return None
        total = torch.stack([batch["loss_weights"][:, 1:].sum() for batch in batch_samples]).sum().to(device)
        return self.accelerator.gather(total).sum()

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> torch.Tensor:
        if return_outputs:
            raise NotImplementedError("the fused head gives losses, not logits")
        weights = inputs.pop("loss_weights")[:, 1:]
        outputs = model(**inputs, use_cache=False, fused_lm_head=True)
        total = weights.sum() if num_items_in_batch is None else num_items_in_batch
        loss = -(outputs.log_probs * weights).sum() / total.clamp(min=1e-8)
        if num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes  # DDP averages gradients over processes
        self._record(inputs, outputs)
        return loss

    def _record(self, inputs: dict[str, torch.Tensor], outputs: object) -> None:
        mode = "train" if self.model.training else "eval"
        supervised = (inputs["labels"][:, 1:] != IGNORED_LABEL).sum()
        correct, supervised = self.accelerator.gather_for_metrics((outputs.is_top1.sum(), supervised))
        self._metrics[mode]["mean_token_accuracy"].append((correct.sum() / supervised.sum().clamp(min=1)).item())
        if mode == "train":
            tokens = self.accelerator.gather_for_metrics(inputs["attention_mask"].sum())
            self._total_train_tokens += tokens.sum().item()
        self._metrics[mode]["num_tokens"] = [self._total_train_tokens]
