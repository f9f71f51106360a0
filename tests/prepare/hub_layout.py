"""An evaluator written as the hub holds the published one (source of the layout: models/text_motion/hub.py)."""

import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors.torch import save_file

from models.text_motion.evaluator import TextMotionEvaluator


def write_hub_evaluator(evaluator: TextMotionEvaluator, folder: Path, wrapper: str = "") -> Path:
    """Everything that the exporter writes; `wrapper`: a prefix of all tensors."""
    for name in ("stats", "glove"):
        (folder / name).mkdir(parents=True)
    tensors = {
        f"{wrapper}{network}.{key}": tensor.contiguous()
        for network, state in evaluator.state().items()
        for key, tensor in state.items()
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    np.save(folder / "stats/mean.npy", evaluator.mean)
    np.save(folder / "stats/std.npy", evaluator.std)
    evaluator.words.save(folder / "glove")
    sizes = evaluator.sizes
    config = {
        "architectures": ["HumanML263Evaluator"],
        "format_version": 1,
        "library_name": "motius",
        "model_type": "motius-humanml3d-263-evaluator",
        "weights_file": "model.safetensors",
        "motion_nfeats": evaluator.feature_dim,
        "movement_latent_dim": sizes.movement_size,
        "text_hidden_dim": sizes.text_hidden,
        "motion_hidden_dim": sizes.motion_hidden,
        "embedding_dim": sizes.embedding_size,
        "source": {"checkpoint_retrained": False},
    }
    preprocessor = {
        "motion_representation": "HumanML3D-263",
        "fps": 20,
        "max_motion_length": 196,
        "unit_length": 4,
        "max_text_length": 20,
        "caption_protocol": "HumanML3D selected caption",
        "mean": "stats/mean.npy",
        "std": "stats/std.npy",
        "word_vectorizer": "glove/our_vab",
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    (folder / "README.md").write_text("# Evaluator\n")
    write_hub_manifest(folder)
    return folder


def write_hub_manifest(folder: Path) -> None:
    path = folder / "artifact_manifest.json"
    path.unlink(missing_ok=True)
    files = [
        {
            "path": file.relative_to(folder).as_posix(),
            "bytes": file.stat().st_size,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        }
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    ]
    path.write_text(json.dumps({"format_version": 1, "files": files, "source_files": []}))
