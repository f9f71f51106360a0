"""The published evaluator is read from its folder on the hub: safetensors, statistics and words in one place.

    config.json                sizes, and which file holds the weights
    preprocessor_config.json   where statistics and words lie, frame rate and limits
    model.safetensors          movement_encoder.*, text_encoder.*, motion_encoder.* in one flat table
    stats/{mean,std}.npy       what features are normalised with
    glove/our_vab_*            word vectors
    artifact_manifest.json     path, bytes and sha256 of every file

Source: this is what tools/export_evaluator_hf.py of github.com/ZeyuLing/Motius writes (format_version 1) for the hub
repository ZeyuLing/motius-evaluator-humanml3d-official. That repository itself could not be read when this was written,
so nothing is taken for granted: whatever is missing, left over or contradicts the weights is an error that names it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from dataset.captions.word_vectors import MAX_WORDS, PREFIX, WordVectorizer
from dataset.humanml.pairs import FRAMES_PER_UNIT, MAX_FRAMES
from models.text_motion.file_names import CONFIG_FILE, MANIFEST_FILE, PREPROCESSOR_FILE
from models.text_motion.networks import NETWORK_NAMES, build_networks, sizes_of_state
from models.text_motion.published import skeleton_of
from models.text_motion.sizes import EvaluatorSizes
from utils.errors import InputError
from utils.files.arrays import read_npy
from utils.files.json_files import read_json
from utils.files.manifest import differences, read_manifest, relative_path
from utils.motion.skeleton import T2M, Skeleton
from utils.wording import listed

_DOWNLOAD_AGAIN = "an evaluator of the hub has one: download its folder again"
MODEL_TYPE, FORMAT_VERSION = "motius-humanml3d-263-evaluator", 1

# The name of the network is the first part of a key, unless something is wrapped around all three networks.
_KEY = re.compile(rf"(?P<wrapper>(?:.+?\.)?)(?P<network>{'|'.join(NETWORK_NAMES)})\.(?P<name>.+)")
_SHOWN = 12  # tensors that an error names
_TINY = EvaluatorSizes(1, 1, 1, 1, 1, 1, 1)  # names of tensors do not depend on sizes


@dataclass(frozen=True, eq=False)
class HubEvaluator:
    """The content of the folder; `state` has the form of finest.tar, mean and std are (D,)."""

    state: dict[str, dict[str, torch.Tensor]]
    mean: np.ndarray
    std: np.ndarray
    skeleton: Skeleton
    words: WordVectorizer


def is_hub_folder(folder: str | Path) -> bool:
    """Whether a folder is meant for `read_hub_evaluator`, complete or not."""
    return (Path(folder) / CONFIG_FILE).is_file()


def read_hub_evaluator(folder: str | Path) -> HubEvaluator:
    """Read and check a folder of the layout above.

    Files that the manifest lists are compared with it, where there is one. Raises InputError.
    """
    folder = Path(folder)
    config, preprocessor = (read_json(folder / name, _DOWNLOAD_AGAIN) for name in (CONFIG_FILE, PREPROCESSOR_FILE))
    _expect(folder / CONFIG_FILE, config, {"model_type": MODEL_TYPE, "format_version": FORMAT_VERSION})
    weights = folder / _path(folder / CONFIG_FILE, config, "weights_file")
    mean, std = (folder / _path(folder / PREPROCESSOR_FILE, preprocessor, name) for name in ("mean", "std"))
    words = folder / _path(folder / PREPROCESSOR_FILE, preprocessor, "word_vectorizer")
    if words.name != PREFIX:
        raise InputError(f"{folder / PREPROCESSOR_FILE}: word_vectorizer ends in {words.name!r}, expected {PREFIX!r}")
    words_files = [words.parent / f"{PREFIX}_{rest}" for rest in ("data.npy", "words.pkl", "idx.pkl")]
    _check_manifest(folder, [weights, mean, std, *words_files, folder / CONFIG_FILE, folder / PREPROCESSOR_FILE])

    state = split_networks(_read_tensors(weights), str(weights))
    try:
        feature_dim, sizes = sizes_of_state(state)
    except InputError as error:
        raise InputError(f"{weights}: {error}") from None
    skeleton = skeleton_of(feature_dim, str(weights))
    _check_sizes(folder, config, feature_dim, sizes)
    _check_protocol(folder, preprocessor, skeleton)
    vectors = WordVectorizer.load(words.parent)
    if vectors.dim != sizes.word_size:
        raise InputError(f"{words.parent}: word vectors of size {vectors.dim}, but {weights} reads {sizes.word_size}")
    return HubEvaluator(state, read_npy(mean), read_npy(std), skeleton, vectors)


def split_networks(tensors: Mapping[str, torch.Tensor], where: str) -> dict[str, dict[str, torch.Tensor]]:
    """A flat table of tensors -> the three state dicts. Raises InputError naming every key too many or too few.

    Args:
        tensors: keys `NETWORK.NAME`, or `WRAPPER.NETWORK.NAME` with the same wrapper throughout.
        where: beginning of the message.
    """
    state: dict[str, dict[str, torch.Tensor]] = {name: {} for name in NETWORK_NAMES}
    wrappers, extra = set(), []
    expected = {name: set(net.state_dict()) for name, net in build_networks(T2M.feature_dim, _TINY).items()}
    for key, tensor in tensors.items():
        match = _KEY.fullmatch(key)
        if match is None or match["name"] not in expected[match["network"]]:
            extra.append(key)
            continue
        wrappers.add(match["wrapper"])
        state[match["network"]][match["name"]] = tensor
    if len(wrappers) > 1:
        shown = ", ".join(repr(wrapper) for wrapper in sorted(wrappers))
        raise InputError(f"{where}: networks under several prefixes: {shown}")
    missing = [f"{name}.{key}" for name, keys in expected.items() for key in sorted(keys - state[name].keys())]
    problems = [
        f"{len(keys)} tensors {what}: {listed(sorted(keys), _SHOWN)}"
        for what, keys in (("missing", missing), ("too many", extra))
        if keys
    ]
    if problems:
        raise InputError(f"{where}: not the weights of a text-motion evaluator: {'; '.join(problems)}")
    return state


def _expect(path: Path, values: Mapping[str, Any], expected: Mapping[str, Any], required: bool = True) -> None:
    for key, value in expected.items():
        if key not in values and not required:
            continue
        if values.get(key) != value:
            given = repr(values[key])[:60] if key in values else "missing"
            raise InputError(f"{path}: {key} is {given}, expected {value!r}")


def _path(where: Path, values: Mapping[str, Any], key: str) -> Path:
    """The relative path that a configuration names. Raises InputError for no path, or one that leaves the folder."""
    if not isinstance(values.get(key), str):
        raise InputError(f"{where}: {key} is {values.get(key)!r:.60}, expected the path of a file")
    try:
        return Path(relative_path(values[key]))
    except ValueError as error:
        raise InputError(f"{where}: {key}: {error}") from None


def _check_manifest(folder: Path, used: list[Path]) -> None:
    path = folder / MANIFEST_FILE
    if not path.is_file():
        return
    names = {place.relative_to(folder).as_posix() for place in used}
    listed = [file for file in read_manifest(path) if file.path in names]
    problems = [f"{name} is not listed" for name in sorted(names - {file.path for file in listed})]
    if problems := problems + differences(folder, listed):
        raise InputError(f"{path}: its files are not those that were published: {'; '.join(problems)}")


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: not a readable safetensors file ({error})") from None


def _check_sizes(folder: Path, config: Mapping[str, Any], feature_dim: int, sizes: EvaluatorSizes) -> None:
    expected = {
        "motion_nfeats": feature_dim,
        "movement_latent_dim": sizes.movement_size,
        "text_hidden_dim": sizes.text_hidden,
        "motion_hidden_dim": sizes.motion_hidden,
        "embedding_dim": sizes.embedding_size,
    }
    _expect(folder / CONFIG_FILE, config, expected, required=False)


def _check_protocol(folder: Path, preprocessor: Mapping[str, Any], skeleton: Skeleton) -> None:
    expected = {
        "fps": skeleton.fps,
        "max_motion_length": MAX_FRAMES,
        "unit_length": FRAMES_PER_UNIT,
        "max_text_length": MAX_WORDS,
    }
    _expect(folder / PREPROCESSOR_FILE, preprocessor, expected, required=False)
