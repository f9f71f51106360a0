"""Which files the flags of train_mllm.py and eval_mllm.py lead to: a run is known by what they hold.

A flag that a run does not read is no input of it and left out; None is a place that holds nothing, or a model of the
hub. Imports are late: a finished run is shown without waiting for torch.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from options.flags.common import DEFAULT_BACKBONE, DataFlags
from options.flags.rewards import RewardFlags
from utils.run.inputs import Input, Inputs

if TYPE_CHECKING:
    from models.policy.checkpoint import Checkpoint
    from options.evaluate import EvalSettings
    from options.train import TrainSettings

# Every flag that names a file, a folder or a model; a run reads some of them.
_NAMING = (
    "cot_train_jsonl", "cot_val_jsonl", "trainer_config", "motion_tokenizer", "llm_backbone", "init_ckpt", "data_root",
    "val_evaluator", "rl_reference_ckpt", "rl_prompts_file", "reward_evaluator", "semantic_model_name",
    "nli_model_name", "eval_ckpt", "from_predictions", "eval_evaluator", "bertscore_model",
)  # fmt: skip
# The scorer of Chain-of-Motion that compares captions, by the model behind `semantic` (com/scorers.py).
_AGREEMENT = "agreement"


def evaluation_inputs(settings: "EvalSettings") -> Inputs:
    """What eval_mllm.py reads."""
    data, flags = settings.data, settings.evaluation
    named = settings.com.com_scorers or settings.rewards.rewards
    evaluator, judge = settings.rewards.reward_evaluator or data.default_evaluator, settings.judging_evaluator
    ranking = _rewarding(settings.rewards, named, (flags.eval_task,), evaluator) if settings.com.use_com else {}
    read = (flags.eval_split,)
    if flags.baseline is not None:
        ranking, read = _copying(settings.rewards, flags.eval_task), (flags.eval_split, "train")
    return {
        "eval_ckpt": _at(flags.eval_ckpt),
        "from_predictions": predictions(flags.from_predictions, flags.eval_task),
        "data_root": data_set(data, read, (flags.eval_split, "train")),
        **({} if judge is None else {"eval_evaluator": _at(judge)}),
        "motion_tokenizer": _at(data.motion_tokenizer),
        "llm_backbone": model(settings.model.llm_backbone),
        **({"bertscore_model": model(flags.bertscore_model)} if flags.eval_task == "m2t" else {}),
        **ranking,
    }


def training_inputs(settings: "TrainSettings") -> Inputs:
    """What train_mllm.py reads in the stage that is asked for."""
    data, training = settings.data, settings.training
    common = {
        "cot_train_jsonl": _at(data.cot_train_jsonl),
        "cot_val_jsonl": _at(data.cot_val_jsonl),
        "trainer_config": _at(training.trainer_config),
    }
    if training.train_stage == "sft":
        sft = settings.sft
        # Without a flag the backbone is the default's, or that of the checkpoint (`backbone_of`).
        backbone = settings.model.llm_backbone or (DEFAULT_BACKBONE if sft.init_ckpt is None else None)
        judged = sft.best_by != "loss"
        evaluator = training.val_evaluator or data.default_evaluator
        judging = {"data_root": data_set(data, ("val",), ("val", "train")), "val_evaluator": _at(evaluator)}
        return {
            **common,
            "motion_tokenizer": _tokenizer(data),
            "llm_backbone": model(backbone),
            "init_ckpt": _at(sft.init_ckpt),
            **(judging if judged else {}),
        }
    judged = training.val_evaluator is not None
    rewarding = _rewarding(
        settings.rewards, settings.rewards.rewards, settings.tasks, settings.rewards.reward_evaluator
    )
    tagged = "reward_evaluator" in rewarding
    splits = ("val",) if judged else ()
    return {
        **common,
        "motion_tokenizer": _at(data.motion_tokenizer),
        "llm_backbone": model(settings.model.llm_backbone),
        "rl_reference_ckpt": _at(settings.rl.rl_reference_ckpt),
        "rl_prompts_file": _at(settings.rl.rl_prompts_file),
        **({"data_root": data_set(data, splits, (*splits, "train"))} if tagged or judged else {}),
        "val_evaluator": _at(training.val_evaluator),
        **rewarding,
    }


def not_read(inputs: Inputs) -> tuple[str, ...]:
    """The flags that name something which a run with these inputs does not read: there they may name anything."""
    return tuple(name for name in _NAMING if name not in inputs)


def backbone_of(checkpoint: "Checkpoint | None", named: str | None) -> Inputs:
    """The backbone that a checkpoint names, where no flag `named` another; it is known only when the file is read."""
    if checkpoint is None or named is not None:
        return {}
    return {"backbone of the checkpoint": model(checkpoint.config.backbone)}


def predictions(path: str | None, task: str) -> Input | None:
    """A folder of motions, or a predictions.jsonl with the motions that its rows name."""
    from utils.files.json_files import numbered_rows

    given = _at(path)
    if given is None or task != "t2m" or Path(given.path).is_dir():
        return given
    folder = Path(given.path).parent
    named = sorted({row["motion"] for _, row in numbered_rows(given.path) if isinstance(row.get("motion"), str)})
    return Input(given.path, (*given.files, *((name, folder / name) for name in named)))


def data_set(data: DataFlags, motions: Iterable[str], texts: Iterable[str]) -> Input | None:
    """What is read of the data set: features and captions, by split."""
    from dataset.humanml.contents import files_read

    root = data.data_root_or_default
    return Input.below(root, files_read(root, motions, texts))


def model(name: str | None) -> Input | None:
    """A model of transformers that is a folder or an installed package; None for one on the hub."""
    from utils.hub import local_model

    folder = None if name is None else local_model(name)
    return None if folder is None else Input.at(folder)


def _rewarding(flags: RewardFlags, named: str | None, tasks: tuple[str, ...], evaluator: str | None) -> Inputs:
    """What the rewards read that judge one of `tasks`; `named`: those of --rewards or --com-scorers."""
    names = [entry.rpartition("=")[0].strip() for entry in named.split(",")] if named else list(flags.weights())
    places = [name.rpartition(":")[0] for name in names]
    semantic = "m2t" in tasks and ("semantic" in names or _AGREEMENT in names)
    coherence = "m2t" in tasks and "coherence" in names
    own = [place for place in places if place.endswith(".py")]
    # Rewards of a user's file may read whatever the flags name.
    read = {
        "reward_evaluator": (_at, evaluator, "consistency" in names),
        "semantic_model_name": (model, flags.semantic_model_name, semantic),
        "nli_model_name": (model, flags.nli_model_name, coherence),
    }
    found = {name: find(place) if known else None for name, (find, place, known) in read.items() if known or own}
    return {**found, "files of rewards": Input.together(own)}


def _copying(flags: RewardFlags, task: str) -> Inputs:
    """What tells which training clip is the nearest (options.copies)."""
    if task == "t2m":
        return {"semantic_model_name": model(flags.semantic_model_name)}
    return {"reward_evaluator": _at(flags.reward_evaluator)}


def _tokenizer(data: DataFlags) -> Input | None:
    """The motion tokenizer that goes into a checkpoint: the one given, or the one named beside the jsonl."""
    from dataset.cot.source import read_cot_source

    if data.motion_tokenizer is not None or data.cot_train_jsonl is None:
        return _at(data.motion_tokenizer)
    source = read_cot_source(data.cot_train_jsonl)
    return None if source is None else _at(source.motion_tokenizer)


def _at(path: str | Path | None) -> Input | None:
    return None if path is None else Input.at(path)
