"""A trained model is found by what people call it: a checkpoint of ours, a folder of `prepare.export_hf`, a hub id."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from transformers import AutoModelForCausalLM, AutoTokenizer

from models.language.motion_language import MotionLanguage
from models.language.prompts import PROMPT_VERSION, PromptStyle
from models.language.vocabulary import MotionVocabulary
from models.policy.backbone import placed_on
from models.policy.checkpoint import Checkpoint, load_checkpoint, motion_tokenizer_of
from models.policy.policy import build_policy
from models.tokenizer.motion_tokenizer import MotionTokenizer
from utils.errors import InputError
from utils.files.json_files import read_json, write_json
from utils.files.pretrained import load_part, load_weights
from utils.hub import hub_is_reachable
from utils.run.devices import local_device

# What an exported folder holds beside a transformers model.
TOKENIZER_FILE, ABOUT_FILE = "motion_tokenizer.pth", "morl.json"
Speaker = tuple[Any, MotionLanguage, tuple[str, ...], Callable[[], str]]


def load_speaker(source: str | Path, task: str | None, device: torch.device, dtype: torch.dtype) -> Speaker:
    """(model, how it is asked, tasks that it knows, which fingerprint a server of it has) of anything trained.

    Args:
        source: checkpoint file, exported folder, or hub id of one.
        task: whose policy, where a checkpoint has one of its own for each task; None: the only one.

    Raises:
        InputError: nothing of that name, another kind of file, or a task that it was not trained for.
    """
    path = Path(source)
    if path.is_file():
        return _of_checkpoint(load_checkpoint(path), str(source), task, device, dtype)
    folder = path if path.is_dir() else _from_hub(str(source))
    return _of_folder(folder, str(source), task, device, dtype)


def write_about(folder: Path, checkpoint: Checkpoint, tasks: tuple[str, ...], dtype: str) -> None:
    """Write what `load_speaker` must know of an exported folder, and what it is of."""
    write_json(folder / ABOUT_FILE, _about(checkpoint, tasks, dtype))


def is_about(folder: Path, checkpoint: Checkpoint, tasks: tuple[str, ...], dtype: str) -> bool:
    """Whether an exported folder is of this checkpoint, these tasks and numbers of this type."""
    file = folder / ABOUT_FILE
    try:
        return file.is_file() and read_json(file) == _about(checkpoint, tasks, dtype)
    except InputError:
        return False


def _about(checkpoint: Checkpoint, tasks: tuple[str, ...], dtype: str) -> dict[str, Any]:
    config = checkpoint.config
    asked = {"tasks": list(tasks), "nb_code": config.nb_code, "style": asdict(config.style)}
    known = {"prompt_version": config.prompt_version, "checkpoint": checkpoint.fingerprint(tasks[0]), "dtype": dtype}
    return {**asked, **known}


def _of_checkpoint(
    checkpoint: Checkpoint, source: str, task: str | None, device: torch.device, dtype: torch.dtype
) -> Speaker:
    tasks = checkpoint.tasks if task is None else (task,)
    checkpoint.check_tasks(tasks, source)
    if not tasks:
        raise InputError(f"{source} holds a backbone that was trained for nothing yet")
    if not checkpoint.shared_by(tasks):
        raise InputError(f"{source} has a policy of its own for each of {' and '.join(tasks)}: say which task")
    tokenizer = motion_tokenizer_of(checkpoint, None, source).to(device)
    backbone = _backbone_near(Path(source), checkpoint.config.backbone)
    place = {"device": local_device(device), "dtype": dtype}
    policy = build_policy(checkpoint, tasks[0], tokenizer, backbone, as_trained=True, **place)
    shared = tuple(one for one in checkpoint.tasks if checkpoint.shared_by((tasks[0], one)))
    return policy.model, policy.language, shared, partial(policy.start, tasks[0])


def _backbone_near(checkpoint: Path, backbone: str) -> str | None:
    """Where a backbone lies that was named by a path from the folder in which training was started; None: as named."""
    if Path(backbone).is_dir() or Path(backbone).is_absolute():
        return None
    places = (folder / backbone for folder in checkpoint.resolve().parents)
    return next((str(place) for place in places if place.is_dir()), None)


def _of_folder(folder: Path, source: str, task: str | None, device: torch.device, dtype: torch.dtype) -> Speaker:
    if not (folder / ABOUT_FILE).is_file() or not (folder / TOKENIZER_FILE).is_file():
        raise InputError(
            f"{source}: lacks {ABOUT_FILE} or {TOKENIZER_FILE}: expected a checkpoint of train_mllm.py, or a folder of "
            "python -m prepare.export_hf"
        )
    about = read_json(folder / ABOUT_FILE, "export the checkpoint again")
    try:
        tasks, style = tuple(about["tasks"]), PromptStyle(**about["style"])
        nb_code, version = int(about["nb_code"]), about["prompt_version"]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder / ABOUT_FILE}: not what prepare.export_hf writes ({error!r})") from None
    if version != PROMPT_VERSION:
        raise InputError(f"{source} was trained with prompts {version}; this code speaks {PROMPT_VERSION}")
    if task is not None and task not in tasks:
        raise InputError(f"{source} was trained for {', '.join(tasks)}, not for {task}: give a model that was")
    try:
        model = load_weights(AutoModelForCausalLM, str(folder), dtype=dtype, **placed_on(local_device(device)))
        tokenizer = load_part(AutoTokenizer, str(folder))
    except InputError as error:
        raise InputError(f"{source}: cannot be loaded ({error}): export it again") from None
    language = MotionLanguage(
        MotionVocabulary(tokenizer, nb_code), MotionTokenizer.load(folder / TOKENIZER_FILE, device), style
    )
    return model, language, tasks, lambda: str(about.get("checkpoint"))


def _is_whole(folder: Path) -> bool:
    """Whether a download of an exported folder was finished."""
    index = folder / "model.safetensors.index.json"
    weights = set(read_json(index)["weight_map"].values()) if index.is_file() else {"model.safetensors"}
    needed = {ABOUT_FILE, TOKENIZER_FILE, "config.json", "tokenizer_config.json", *weights}
    return all((folder / file).is_file() for file in needed)


def _from_hub(name: str) -> Path:
    """The folder of a model of the hub, downloaded where it is not here yet."""
    wrong = f"{name}: no such file or folder, and no model of the hub"
    try:
        folder = Path(snapshot_download(name, local_files_only=True))
        if _is_whole(folder) or not hub_is_reachable():
            return folder
    except HFValidationError:
        raise InputError(wrong) from None
    except OSError:
        if not hub_is_reachable():
            raise InputError(f"{wrong} that is on this machine (the hub cannot be reached)") from None
    try:
        return Path(snapshot_download(name))
    except (OSError, ValueError, HfHubHTTPError) as error:
        raise InputError(f"{wrong} that can be had ({str(error).strip().splitlines()[0]})") from None
