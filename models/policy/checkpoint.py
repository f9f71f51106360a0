"""The project's checkpoint: one file that says what it is and rebuilds the policy of each task.

A policy is a backbone and the parts of its task, applied in order: full weights that take the place of all before, or
a LoRA adapter that is merged. SFT adds a part, GRPO another. Two tasks may share parts (one model for both) or have
their own (adapters `t2m` and `m2t` on one backbone). The motion tokenizer rides along, so that evaluation needs no
shape flag.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from dataset.cot.sample import TASKS
from models.language.prompts import PLAIN, PROMPT_VERSION, PromptStyle
from models.tokenizer.motion_tokenizer import MotionTokenizer
from utils.errors import InputError
from utils.files.fingerprints import fingerprint_of
from utils.files.torch_files import (
    check_finite,
    from_values,
    read_torch_file,
    shown,
    what_it_holds,
    write_torch_file,
)

FORMAT = "morl-checkpoint"
FORMAT_VERSION = 2
_MOST_ROWS_ADDED = 4096  # more than any GPU likes: the number is damaged


@dataclass(frozen=True)
class PolicyConfig:
    """What a checkpoint's weights belong to.

    Attributes:
        backbone: hub id or folder of the language model.
        nb_code: size of the codebook its motion tokens speak of.
        text_vocabulary: tokens of the backbone's tokenizer before motion tokens were added.
        seed: drew the first rows of the motion tokens.
        style: what stands around a question.
        row_multiple: see `models.policy.token_rows.add_token_rows`.
    """

    backbone: str
    nb_code: int
    text_vocabulary: int
    seed: int = 0
    style: PromptStyle = PLAIN
    prompt_version: str = PROMPT_VERSION
    row_multiple: int = 1

    def as_dict(self) -> dict[str, Any]:
        """Its fields; what earlier versions did not know only where it differs from theirs, so names stay the same."""
        values = asdict(self)
        return values if self.row_multiple != 1 else {k: v for k, v in values.items() if k != "row_multiple"}


@dataclass(frozen=True)
class Part:
    """What one stage of training made.

    Attributes:
        tasks: whose policy it is a part of.
        stage: ``sft``, ``rlvr`` or ``imported``.
        weights: those of the adapter or, without `lora`, every weight of the model.
        lora: keyword arguments of `LoraConfig`; None: `weights` take the place of all parts before.
        use_reasoning: it was trained to reason before it answers.
        rewarded_by: fingerprint of the text-motion evaluator whose reward it was trained on, None without one.
        reply_tokens: longest reply that its training showed or allowed; None: not known.
    """

    tasks: tuple[str, ...]
    stage: str
    weights: dict[str, torch.Tensor] = field(repr=False)
    lora: dict[str, Any] | None = None
    use_reasoning: bool = True
    rewarded_by: str | None = None
    reply_tokens: int | None = None

    @property
    def finetune(self) -> str:
        return "full" if self.lora is None else "lora"


@dataclass(frozen=True)
class Checkpoint:
    """Everything in the file; without parts it is the plain backbone."""

    config: PolicyConfig
    parts: tuple[Part, ...] = ()
    motion_tokenizer: dict[str, Any] | None = None
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks that it was trained for."""
        return tuple(task for task in TASKS if any(task in part.tasks for part in self.parts))

    def parts_of(self, task: str) -> tuple[Part, ...]:
        """Parts of the policy of `task`, in order."""
        return tuple(part for part in self.parts if task in part.tasks)

    def shared_by(self, tasks: Sequence[str]) -> bool:
        """Whether one policy answers all `tasks`."""
        owned = [[id(part) for part in self.parts_of(task)] for task in tasks]
        return all(own == owned[0] for own in owned)

    def with_part(self, part: Part) -> "Checkpoint":
        """Plus what a further stage made; what full weights replace is left out, unless the other task needs it."""
        parts = self.parts
        if part.lora is None:
            kept = (replace(old, tasks=tuple(t for t in old.tasks if t not in part.tasks)) for old in parts)
            parts = tuple(old for old in kept if old.tasks)
        return replace(self, parts=(*parts, part))

    def rewarded_by(self, task: str) -> tuple[str, ...]:
        """Fingerprints of all evaluators whose reward the policy of `task` was trained on."""
        return tuple(dict.fromkeys(p.rewarded_by for p in self.parts_of(task) if p.rewarded_by is not None))

    def reply_tokens(self, task: str) -> int | None:
        """Longest reply of the last training of `task`; None: not known."""
        known = [part.reply_tokens for part in self.parts_of(task)]
        return known[-1] if known else None

    def fingerprint(self, task: str) -> str:
        """Names the weights of the policy of `task`, whatever else the file holds."""
        return fingerprint_of(self._names(task))

    def _names(self, task: str) -> Iterator[str | memoryview]:
        yield str(self.config.as_dict())
        for part in self.parts_of(task):
            yield from (part.stage, str(part.lora))
            for name in sorted(part.weights):
                yield name
                tensor = part.weights[name].detach().cpu().contiguous()
                yield memoryview(tensor.view(torch.uint8).numpy().reshape(-1))  # gigabytes, which are not copied

    def check_tasks(self, tasks: Sequence[str], source: str) -> None:
        """Raise InputError where it was not trained for one of `tasks`; `source` names the file."""
        missing = [task for task in tasks if task not in self.tasks]
        if missing or not self.tasks:
            known = ", ".join(self.tasks) or "no task"
            raise InputError(
                f"{source} was trained for {known}, not for {', '.join(missing or TASKS)}: give a checkpoint that was, "
                "or a task that this one knows (train_mllm.py --training-task both trains both)"
            )


def save_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write the file atomically; loadable with ``torch.load(weights_only=True)``.

    Raises:
        InputError: a weight is no number; what was there before is there still.
    """
    try:
        for part in checkpoint.parts:
            check_finite(part.weights.items())
    except InputError as error:
        raise InputError(f"{path}: not written: {error}") from None
    value = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "config": checkpoint.config.as_dict(),
        "parts": [_part_as_dict(part) for part in checkpoint.parts],
        "motion_tokenizer": checkpoint.motion_tokenizer,
        "metrics": checkpoint.metrics,
    }
    write_torch_file(path, value)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a file of `save_checkpoint`.

    Raises:
        InputError: no such file, not a checkpoint of this project, or of a newer version.
    """
    path = Path(path)
    value = _content(path)
    try:
        return _from_values(_from_version_1(value) if value["format_version"] == 1 else value)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: a damaged checkpoint ({type(error).__name__}: {shown(str(error))})") from None


def metrics_of(path: str | Path) -> dict[str, float]:
    """The metrics in a file of `save_checkpoint`; its weights, which may be gigabytes, are not read.

    Raises:
        InputError: as `load_checkpoint`.
    """
    metrics = _content(Path(path), mapped=True).get("metrics")
    if not isinstance(metrics, dict | None):
        raise InputError(f"{path}: damaged checkpoint: its metrics are no table of values")
    return metrics or {}


def _content(path: Path, mapped: bool = False) -> dict[str, Any]:
    """What a file of a version that can be read holds; `mapped`: see `read_torch_file`."""
    if not path.exists():
        raise InputError(f"no such checkpoint: {path}")
    value = read_torch_file(path, mapped)
    if value.get("format") != FORMAT:
        hint = "; it is made by train_mllm.py"
        if "embeddings" in value and "lm_head" in value:
            hint = "; a published checkpoint is made usable by python -m prepare.import_checkpoint"
        raise InputError(
            f"{path} is not a checkpoint of this project (no '{FORMAT}' format mark): {what_it_holds(value)}{hint}"
        )
    version = value.get("format_version")
    if version not in range(1, FORMAT_VERSION + 1):
        raise InputError(f"{path} has format version {shown(version)}; this code reads up to {FORMAT_VERSION}")
    return value


def _from_values(value: dict[str, Any]) -> Checkpoint:
    """The checkpoint of a file's content. Raises InputError where values are missing or of another type."""
    damaged = "damaged checkpoint: its"
    style = from_values(PromptStyle, value["config"]["style"], f"{damaged} style")
    config = from_values(PolicyConfig, {**value["config"], "style": style}, f"{damaged} config")
    if config.prompt_version != PROMPT_VERSION:
        raise InputError(f"it was trained with prompts {config.prompt_version}; this code speaks {PROMPT_VERSION}")
    if min(config.nb_code, config.text_vocabulary) < 1 or not 1 <= config.row_multiple <= _MOST_ROWS_ADDED:
        raise InputError(
            f"{damaged} config has {config.nb_code} codes, {config.text_vocabulary} text tokens, and rows in multiples "
            f"of {config.row_multiple}"
        )
    parts = []
    for number, item in enumerate(value["parts"]):
        part = from_values(Part, {**item, "tasks": tuple(item["tasks"])}, f"{damaged} part {number}")
        if not part.tasks or not set(part.tasks) <= set(TASKS):
            raise InputError(
                f"{damaged} part {number} is of the tasks {shown(part.tasks)}, expected {', '.join(TASKS)}"
            )
        if not all(isinstance(tensor, torch.Tensor) for tensor in part.weights.values()):
            raise InputError(f"{damaged} part {number} holds weights that are no tensors")
        check_finite(part.weights.items())
        parts.append(part)
    given, metrics = value["motion_tokenizer"], value["metrics"]
    if not isinstance(given, dict | None) or not isinstance(metrics, dict | None):
        raise InputError(f"{damaged} motion_tokenizer and metrics are no tables of values")
    return Checkpoint(config, tuple(parts), given, metrics or {})


def motion_tokenizer_of(checkpoint: Checkpoint, given: str | None, source: str) -> MotionTokenizer:
    """The checkpoint's motion tokenizer, or the one at `given`; both must speak the same codebook.

    Args:
        checkpoint: a policy.
        given: path of ``--motion-tokenizer``, or None.
        source: name of the checkpoint, for messages.
    """
    if given is not None:
        tokenizer = MotionTokenizer.load(given)
        check_motion_tokenizer(checkpoint, tokenizer, f"--motion-tokenizer {given}", source)
        return tokenizer
    if checkpoint.motion_tokenizer is None:
        raise InputError(f"{source} carries no motion tokenizer: give one with --motion-tokenizer")
    try:
        return MotionTokenizer.from_state(checkpoint.motion_tokenizer)
    except InputError as error:
        raise InputError(f"{source}: the motion tokenizer in it: {error}") from None


def check_motion_tokenizer(checkpoint: Checkpoint, tokenizer: MotionTokenizer, what: str, source: str) -> None:
    """Raise InputError where `tokenizer`, called `what` in messages, is not the one that `checkpoint` speaks."""
    if tokenizer.nb_code != checkpoint.config.nb_code:
        raise InputError(
            f"{what} has {tokenizer.nb_code} codes, but {source} was trained with {checkpoint.config.nb_code}"
        )
    if checkpoint.motion_tokenizer is not None:
        own = motion_tokenizer_of(checkpoint, None, source).fingerprint
        if own != tokenizer.fingerprint:
            raise InputError(f"{what} ({tokenizer.fingerprint}) is not the one {source} was trained with ({own})")


def _part_as_dict(part: Part) -> dict[str, Any]:
    weights = {name: tensor.detach().cpu() for name, tensor in part.weights.items()}
    return {**vars(part), "tasks": list(part.tasks), "weights": weights}


def _from_version_1(value: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had one chain of parts for all tasks and one style of prompts."""
    old = value["config"]
    rewarded = old.get("rewarded_by", ())
    common = {"tasks": old["tasks"], "use_reasoning": old["use_reasoning"]}
    parts = [
        {**common, "stage": "sft", "weights": item["weights"], "lora": item["config"]} for item in value["adapters"]
    ]
    if value["base_weights"] is not None:
        parts.insert(0, {**common, "stage": "sft", "weights": value["base_weights"]})
    if old["stage"] == "rlvr":
        parts[-1] |= {"stage": "rlvr", "rewarded_by": rewarded[-1] if rewarded else None}
    config = {name: old[name] for name in ("backbone", "nb_code", "text_vocabulary", "seed", "prompt_version")}
    return {**value, "config": {**config, "style": asdict(PLAIN)}, "parts": parts}
