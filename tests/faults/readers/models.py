"""Readers of weights: motion tokenizers, checkpoints, text-motion evaluators in all their layouts, backbones."""

import io
import json
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dataset.humanml.layout import write_mean_std
from models.policy.checkpoint import (
    Checkpoint,
    Part,
    PolicyConfig,
    load_checkpoint,
    motion_tokenizer_of,
    save_checkpoint,
)
from models.policy.published import codes_of, tasks_of
from models.text_motion.evaluator import TextMotionEvaluator
from models.tokenizer.loading import load_any_tokenizer
from models.tokenizer.motion_tokenizer import MotionTokenizer
from tests.faults.contents.damage_arrays import npy_bytes
from tests.faults.readers.reader import Reader
from tests.prepare.hub_layout import write_hub_evaluator
from tests.prepare.random_motions import random_evaluator, random_tokenizer
from utils.files.torch_files import read_torch_file

CPU = torch.device("cpu")
ZEROS = np.zeros((16, 263), np.float32)


def torch_bytes(value: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def _finite(state: Any) -> bool:
    return all(bool(value.isfinite().all()) for value in state.values() if isinstance(value, torch.Tensor))


def _wrong_tokenizer(content: bytes, tokenizer: MotionTokenizer) -> str | None:
    if not _finite(tokenizer.network.state_dict()):
        return "weights that are not finite"
    codes = tokenizer.encode(ZEROS)
    if not (len(codes) and codes.min() >= 0 and codes.max() < tokenizer.nb_code):
        return "codes outside of the codebook"
    return None if np.isfinite(tokenizer.decode(codes)).all() else "it decodes to what is not finite"


def _prepare_tokenizer(folder: Path) -> None:
    random_tokenizer().save(folder / "t.pth")


def _prepare_published(folder: Path) -> None:
    tokenizer = random_tokenizer()
    write_mean_std(folder, tokenizer.mean, tokenizer.std)
    (folder / "vqvae.pth").write_bytes(torch_bytes({"net": tokenizer.network.state_dict()}))


def checkpoint() -> Checkpoint:
    """A checkpoint of a model of two tensors, with its motion tokenizer."""
    torch.manual_seed(0)
    weights = {"model.layers.0.weight": torch.randn(4, 4), "lm_head.weight": torch.randn(8, 4)}
    lora = {"r": 2, "lora_alpha": 4, "lora_dropout": 0.0, "target_modules": ["q_proj"]}
    parts = (Part(("t2m",), "sft", weights), Part(("t2m",), "rlvr", {"x.lora_A.weight": torch.randn(2, 4)}, lora))
    return Checkpoint(PolicyConfig("llm", 16, 100), parts, random_tokenizer().state(), {"val_loss": 1.5})


def _read_checkpoint(folder: Path) -> Checkpoint:
    found = load_checkpoint(folder / "c.pth")
    found.check_tasks(["t2m"], "c.pth")
    found.fingerprint("t2m")
    motion_tokenizer_of(found, None, "c.pth")
    return found


def _wrong_checkpoint(content: bytes, found: Checkpoint) -> str | None:
    if not all(_finite(part.weights) for part in found.parts):
        return "weights that are not finite"
    config = found.config
    if (
        not isinstance(config.backbone, str)
        or type(config.nb_code) is not int
        or type(config.text_vocabulary) is not int
    ):
        return "a configuration of other kinds"
    return None if found.tasks == ("t2m",) else f"tasks {found.tasks}"


def _prepare_flat(folder: Path) -> None:
    layer = "base_model.model.model.layers.0.self_attn.q_proj"
    names = [f"{layer}.lora_{side}.{task}.weight" for side in "AB" for task in ("t2m", "m2t")]
    flat = {
        "embeddings": torch.randn(18, 4),
        "lm_head": torch.randn(18, 4),
        **{name: torch.randn(2, 4) for name in names},
    }
    (folder / "flat.pth").write_bytes(torch_bytes(flat))


def _read_flat(folder: Path) -> Any:
    state = read_torch_file(folder / "flat.pth")
    return codes_of(state, "flat.pth"), tasks_of(state, "flat.pth")


def _prepare_evaluator(folder: Path) -> None:
    random_evaluator().save(folder)


def _prepare_transformer(folder: Path) -> None:
    random_evaluator(family="tmr").save(folder)


def _prepare_hub(folder: Path) -> None:
    write_hub_evaluator(random_evaluator(), folder)
    (folder / "artifact_manifest.json").unlink()


def _prepare_hub_listed(folder: Path) -> None:
    write_hub_evaluator(random_evaluator(), folder)


def _wrong_evaluator(content: bytes, evaluator: TextMotionEvaluator) -> str | None:
    if not all(_finite(part) for part in evaluator.state().values()):
        return "weights that are not finite"
    if not (np.isfinite(evaluator.mean).all() and np.isfinite(evaluator.std).all() and (evaluator.std > 0).all()):
        return "statistics that cannot normalise"
    embedded = evaluator.embed_features([ZEROS]), evaluator.embed_captions([["a/DET"]])
    return (
        None
        if all(bool(torch.as_tensor(rows).isfinite().all()) for rows in embedded)
        else "embeddings that are not finite"
    )


def _changed(state: dict[str, Any], **changes: Any) -> bytes:
    return torch_bytes({**state, **changes})


_STATE = random_tokenizer().state()
_BAD_STD = torch.from_numpy(np.full(263, np.inf, np.float32))
_CODEBOOK = "vqvae.quantizer.codebook"
_TOKENIZERS = {
    "empty": b"", "a text": b"hello\n", "a dictionary of nothing": torch_bytes({}), "a list": torch_bytes([1]),
    "a tensor": torch_bytes(torch.zeros(3)), "an old pickle": pickle.dumps({"format": "motion-tokenizer"}),
    "a whole module": torch_bytes(torch.nn.Linear(2, 2).state_dict()),
    "NaN in the codebook": _changed(_STATE, network={**_STATE["network"], _CODEBOOK: torch.full((16, 16), math.nan)}),
    "std infinite": _changed(_STATE, std=_BAD_STD), "std zero": _changed(_STATE, std=torch.zeros(263)),
    "another skeleton": _changed(_STATE, skeleton="kit"), "no skeleton": _changed(_STATE, skeleton=None),
    "a later version": _changed(_STATE, version=99), "version as a text": _changed(_STATE, version="1"),
    "a million codes": _changed(_STATE, config={**_STATE["config"], "nb_code": 10**6}),
    "10^12 codes": _changed(_STATE, config={**_STATE["config"], "nb_code": 10**12}),
    "an unknown setting": _changed(_STATE, config={**_STATE["config"], "x": 1}),
    "half precision": _changed(_STATE, network={name: value.half() for name, value in _STATE["network"].items()}),
}  # fmt: skip
_CHECKPOINTS = {
    "empty": b"", "a text": b"hello\n",
    "a later version": torch_bytes({"format": "morl-checkpoint", "format_version": 99}),
    "nothing but the mark": torch_bytes({"format": "morl-checkpoint", "format_version": 2}),
    "version as a text": torch_bytes({"format": "morl-checkpoint", "format_version": "2"}),
    "of version 1, torn": torch_bytes({"format": "morl-checkpoint", "format_version": 1}),
    "a published one": torch_bytes({"embeddings": torch.zeros(3, 3), "lm_head": torch.zeros(3, 3)}),
    "a motion tokenizer": torch_bytes(_STATE),
}  # fmt: skip
_ABOUT = {
    "empty": b"",
    "an array": b"[]",
    "words said, none there": json.dumps({"format_version": 1}).encode(),
    "another family": json.dumps({"format_version": 1, "family": "clip"}).encode(),
}
_STATS = {
    "an object": npy_bytes(np.array([{}], dtype=object)),
    "zeros": npy_bytes(np.zeros(263)),
    "short": npy_bytes(ZEROS[0, :9]),
}


def _evaluator(
    name: str, file: str, form: str, prepare: Any, share: float, made: dict[str, bytes] | None = None
) -> Reader:
    return Reader(name, file, form, prepare, TextMotionEvaluator.load, _wrong_evaluator, made or {}, share)


READERS = [
    Reader(
        "motion tokenizer",
        "t.pth",
        "torch",
        _prepare_tokenizer,
        lambda folder: MotionTokenizer.load(folder / "t.pth"),
        _wrong_tokenizer,
        _TOKENIZERS,
        1.2,
    ),
    Reader(
        "published tokenizer",
        "vqvae.pth",
        "torch",
        _prepare_published,
        lambda folder: load_any_tokenizer(str(folder / "vqvae.pth"), str(folder), None, CPU),
        _wrong_tokenizer,
        {name: content for name, content in _TOKENIZERS.items() if "codebook" not in name},
    ),
    Reader(
        "checkpoint",
        "c.pth",
        "torch",
        lambda folder: save_checkpoint(folder / "c.pth", checkpoint()),
        _read_checkpoint,
        _wrong_checkpoint,
        _CHECKPOINTS,
        1.2,
    ),
    Reader("published checkpoint", "flat.pth", "torch", _prepare_flat, _read_flat, share=0.8),
    _evaluator("weights of an evaluator", "finest.tar", "torch", _prepare_evaluator, 1.0, _TOKENIZERS),
    _evaluator("weights of an evaluator of family tmr", "finest.tar", "torch", _prepare_transformer, 1.0, _TOKENIZERS),
    _evaluator("evaluator.json", "evaluator.json", "json", _prepare_evaluator, 0.8, _ABOUT),
    _evaluator("evaluator.json of family tmr", "evaluator.json", "json", _prepare_transformer, 0.8, _ABOUT),
    _evaluator("mean of an evaluator", "mean.npy", "npy", _prepare_evaluator, 0.5, _STATS),
    _evaluator("words of an evaluator", "our_vab_words.pkl", "pickle", _prepare_evaluator, 0.5),
    _evaluator("weights of a hub evaluator", "model.safetensors", "bytes", _prepare_hub, 0.8),
    _evaluator("config.json of a hub evaluator", "config.json", "json", _prepare_hub, 0.8),
    _evaluator("preprocessor of a hub evaluator", "preprocessor_config.json", "json", _prepare_hub, 0.8),
    _evaluator("manifest of a hub evaluator", "artifact_manifest.json", "json", _prepare_hub_listed, 0.8),
    _evaluator("std of a hub evaluator", "stats/std.npy", "npy", _prepare_hub, 0.5, _STATS),
]
