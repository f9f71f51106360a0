"""A small NLI model is trained here on entailment pairs, and then measured on pairs that it has not seen."""

import math
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional
from transformers import BertForSequenceClassification, PreTrainedTokenizerBase

from dataset.cot.entailment_pairs import CONTRADICTION, ENTAILMENT, LABELS, EntailmentPair, EntailmentPairs
from utils.errors import InputError
from utils.files.torch_files import state_of_a_run, write_torch_file
from utils.progress import Progress
from utils.run.folder import RunFolder
from utils.run.interrupt import InterruptFlag
from utils.run.schedule import cosine_fall, share_done, warm_up

STATE_FILE = "training_state.pt"
WARM_UP_STEPS, LAST_RATE = 50, 0.02
CLIP_NORM = 1.0
LOG_EVERY_STEPS, SAVE_EVERY_SECONDS = 50, 60.0
_MEASURED_BATCH = 64


@dataclass(frozen=True)
class NliTrainingConfig:
    """How long and how fast; `lines_per_batch` lines give three pairs each."""

    steps: int
    max_minutes: float | None
    lines_per_batch: int
    learning_rate: float
    weight_decay: float
    seed: int


class NliTraining:
    """Steps over freshly drawn pairs; what a step sees depends on the seed and its number only, so a run can go on."""

    def __init__(
        self,
        model: BertForSequenceClassification,
        tokenizer: PreTrainedTokenizerBase,
        pairs: EntailmentPairs,
        config: NliTrainingConfig,
        folder: RunFolder,
    ) -> None:
        self.model, self.tokenizer, self._pairs = model, tokenizer, pairs
        self.config, self._folder = config, folder
        matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
        vectors = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        self._optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98))
        self.step, self.seconds = 0, 0.0

    @property
    def progress(self) -> float:
        """Share of the steps or of the minutes that is used up, whichever is more; the schedule follows it."""
        return share_done(self.step / self.config.steps, self.seconds, self.config.max_minutes)

    def train(self, interrupt: InterruptFlag) -> None:
        """Run to the end; on an interrupt save what there is and return early."""
        losses: list[float] = []
        saved_at = time.perf_counter()
        self.model.train()
        with Progress(total=self.config.steps, initial=self.step, desc="NLI model", unit="step") as bar:
            while self.progress < 1 and not interrupt.raised:
                began = time.perf_counter()
                losses.append(self._take_step())
                self.seconds += time.perf_counter() - began
                self.step += 1
                bar.update()
                if self.step % LOG_EVERY_STEPS == 0 or self.progress >= 1:
                    row = {"step": self.step, "seconds": round(self.seconds, 1), "loss": sum(losses) / len(losses)}
                    self._folder.log(row)
                    bar.set_postfix(loss=f"{row['loss']:.3f}")
                    losses.clear()
                if time.perf_counter() - saved_at > SAVE_EVERY_SECONDS:
                    self.save_state()
                    saved_at = time.perf_counter()
        self.save_state()
        self.model.eval()

    def _take_step(self) -> float:
        rng = random.Random(f"{self.config.seed} {self.step}")
        count = min(self.config.lines_per_batch, len(self._pairs.lines))
        chosen = rng.sample(range(len(self._pairs.lines)), count)
        batch = [pair for index in chosen for pair in self._pairs.group(index, rng)]
        rate = warm_up(self.step, WARM_UP_STEPS) * cosine_fall(self.progress, LAST_RATE)
        for group in self._optimizer.param_groups:
            group["lr"] = self.config.learning_rate * rate
        targets = torch.tensor([LABELS.index(pair.label) for pair in batch], device=self.model.device)
        loss = functional.cross_entropy(_logits(self.model, self.tokenizer, batch), targets)
        self._optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP_NORM)
        for what, value in (("loss", loss.item()), ("norm of the gradient", norm.item())):
            if not math.isfinite(value):
                raise InputError(f"the {what} is {value} in step {self.step + 1}: give a smaller --learning-rate")
        self._optimizer.step()
        return loss.item()

    def save_state(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "counters": (self.step, self.seconds),
        }
        write_torch_file(self._state_path, state)

    def resume(self) -> bool:
        """Continue from the last saved state if there is one, and forget the rows that a killed run logged after it.

        Raises:
            InputError: the state is damaged, or another model's.
        """
        found = self._state_path.is_file()
        if found:
            with state_of_a_run(self._state_path) as state:
                self.model.load_state_dict(state["model"])
                self._optimizer.load_state_dict(state["optimizer"])
                self.step, self.seconds = state["counters"]
        self._folder.metrics.forget_after(self.step)
        return found

    @property
    def _state_path(self) -> Path:
        return self._folder.path / STATE_FILE


def forget_state(folder: RunFolder) -> None:
    """Remove what only an unfinished run needs."""
    (folder.path / STATE_FILE).unlink(missing_ok=True)


@dataclass(frozen=True)
class KindReport:
    """Pairs of one kind. `order`: share of the pairs whose premise's own caption is likelier entailed; None for own."""

    label: str
    pairs: int
    accuracy: float
    order: float | None


def measure(
    model: BertForSequenceClassification,
    tokenizer: PreTrainedTokenizerBase,
    groups: Sequence[Sequence[EntailmentPair]],
) -> dict[str, KindReport]:
    """What `model` makes of groups of pairs on one premise, each beginning with the entailed one; kind -> report.

    The entry "contradicted" takes all contradicted pairs together, "all" every pair that is not the own caption.
    """
    rows = iter(_probabilities(model, tokenizer, [pair for group in groups for pair in group]))
    labels: dict[str, str] = {}
    right: dict[str, list[bool]] = defaultdict(list)
    above: dict[str, list[bool]] = defaultdict(list)
    for group in groups:
        own = None
        for pair in group:
            row = next(rows)
            kinds = [pair.kind]
            if own is None:
                own = row[LABELS.index(ENTAILMENT)]
            else:
                kinds += ["contradicted", "all"] if pair.label == CONTRADICTION else ["all"]
            for kind in kinds:
                labels[kind] = pair.label if kind == pair.kind else ""
                right[kind].append(LABELS[int(row.argmax())] == pair.label)
                if pair is not group[0]:
                    above[kind].append(bool(own > row[LABELS.index(ENTAILMENT)]))
    order = {kind: sum(values) / len(values) for kind, values in above.items()}
    return {
        kind: KindReport(labels[kind], len(values), sum(values) / len(values), order.get(kind))
        for kind, values in sorted(right.items(), key=lambda entry: (labels[entry[0]] == "", -len(entry[1])))
    }


@torch.no_grad()
def _probabilities(
    model: BertForSequenceClassification, tokenizer: PreTrainedTokenizerBase, pairs: list[EntailmentPair]
) -> Iterator[torch.Tensor]:
    for start in range(0, len(pairs), _MEASURED_BATCH):
        logits = _logits(model, tokenizer, pairs[start : start + _MEASURED_BATCH])
        yield from logits.float().softmax(dim=-1).cpu()


def _logits(
    model: BertForSequenceClassification, tokenizer: PreTrainedTokenizerBase, pairs: list[EntailmentPair]
) -> torch.Tensor:
    encoded = tokenizer(
        [pair.premise for pair in pairs],
        [pair.hypothesis for pair in pairs],
        padding=True,
        truncation=True,
        max_length=tokenizer.model_max_length,
        return_tensors="pt",
    )
    return model(**encoded.to(model.device)).logits
