"""What train_mllm.py takes where a flag is not given: by task, by an earlier version's run, by the model and the data.

The first three are known from the command line and its folder, and args.json records them. What depends on the model
and the data is settled when the run has begun, and environment.json records it: the contents of both are compared when
a run is continued, so that it settles on the same.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from models.policy.rates import PUBLISHED_RL_RATE, TINY, learning_rate
from options.flags.recipes import MEASURED, OF_THIS_VERSION, PUBLISHED, RECIPE
from utils.errors import InputError

if TYPE_CHECKING:
    from models.policy.checkpoint import Checkpoint
    from options.train import TrainSettings

_CHANGED = ("learning_rate", "max_text_len", "max_motion_len", *RECIPE)


def by_command_line(settings: "TrainSettings", before: Mapping[str, Any]) -> "TrainSettings":
    """The settings with the recipe of their task.

    Args:
        before: what the run in the folder was asked, empty where there is none. One that an earlier version began goes
            on with the defaults of that version.

    Raises:
        InputError: flags that contradict each other.
    """
    older = before if before and OF_THIS_VERSION not in before else {}
    settings = _filled(settings, {name: older.get(name) for name in _CHANGED})
    return settings if settings.training.train_stage == "sft" else _with_recipe(settings, bool(older))


def _with_recipe(settings: "TrainSettings", older: bool) -> "TrainSettings":
    """The settings of GRPO; `older`: as an earlier version chose where nothing was said."""
    rl, training = settings.rl, settings.training
    if rl.rl_best_by == "judge" and training.val_evaluator is None:
        raise InputError("--rl-best-by judge needs --val-evaluator: it is the judge")
    recipe = dict(vars(PUBLISHED if rl.published_rl or older else MEASURED[training.training_task]))
    if older:
        del recipe["lr_schedule"]  # it left that open in args.json
    judged = training.val_evaluator is not None and not older
    recipe["rl_best_by"] = "judge" if judged else "reward"
    if rl.published_rl:
        recipe["learning_rate"] = PUBLISHED_RL_RATE
    filled = _filled(settings, recipe)
    if not filled.rl.disable_rl_component_norm:
        if rl.rl_scale_rewards not in (None, "group"):
            raise InputError(
                f"--rl-scale-rewards {rl.rl_scale_rewards} needs --disable-rl-component-norm: normalised components "
                "are not scaled again"
            )
        filled = replace(filled, rl=replace(filled.rl, rl_scale_rewards="group"))
    return filled


def by_model_and_data(
    settings: "TrainSettings", begun_with: "Checkpoint | None"
) -> "tuple[TrainSettings, dict[str, float]]":
    """(the settings with learning rates and lengths, those of them that no flag gave)

    Args:
        begun_with: the checkpoint that training starts from; None: the plain backbone.

    Raises:
        InputError: a data file or backbone that cannot be read, or a rate for what is not trained apart.
    """
    given = settings.as_dict()
    name = settings.model.llm_backbone or (settings.backbone if begun_with is None else begun_with.config.backbone)
    found: dict[str, float] = {}
    if given["learning_rate"] is None or given["token_learning_rate"] is not None:
        full, parameters = _trained(settings, name, begun_with)
        if full and given["token_learning_rate"] is not None:
            raise InputError(
                "--token-learning-rate goes with --finetune lora: full fine-tuning trains the rows of the motion "
                "tokens with the matrix that they are part of"
            )
        found["learning_rate"] = learning_rate(settings.training.train_stage, full, parameters)
    if None in (given["max_text_len"], given["max_motion_len"]):
        found |= _lengths(settings, name)
    chosen = {name: value for name, value in found.items() if given[name] is None}
    return _filled(settings, chosen), chosen


def _trained(settings: "TrainSettings", name: str, begun_with: "Checkpoint | None") -> tuple[bool, int]:
    """(whether every weight is trained, parameters of the language model)"""
    from models.policy.backbone import parameters_of

    model, parameters = settings.model, parameters_of(name)
    if settings.training.train_stage == "rlvr":
        return False, parameters
    full = model.finetune == "full"
    if model.finetune == "auto" and not model.load_in_4bit:
        full = parameters < TINY if begun_with is None else any(part.lora is None for part in begun_with.parts)
    return full, parameters


def _lengths(settings: "TrainSettings", name: str) -> dict[str, int]:
    """Budgets that hold what the jsonl files hold."""
    from dataset.cot.samples import read_cot_jsonl
    from models.policy.backbone import load_text_tokenizer
    from models.sft.lengths import lengths_of

    data = settings.data
    files = [file for file in (data.cot_train_jsonl, data.cot_val_jsonl) if file is not None]
    samples = [read_cot_jsonl(file, None, data.cot_task_filter, data.skip_bad_lines) for file in files]
    found = lengths_of(samples, load_text_tokenizer(name))
    answers = [found.codes, *([found.caption] if "m2t" in settings.tasks else [])]
    return {"max_text_len": found.reasoning, "max_motion_len": max(answers)}


def _filled(settings: "TrainSettings", values: Mapping[str, Any]) -> "TrainSettings":
    """The settings with `values` where a flag has none."""
    groups = {}
    for field in fields(settings):
        group = vars(settings)[field.name]
        missing = {key: values[key] for key, now in vars(group).items() if now is None and values.get(key) is not None}
        if missing:
            groups[field.name] = replace(group, **missing)
    return replace(settings, **groups)
