"""Models and text tokenizers of transformers are loaded here: whatever is wrong with a folder is one line.

Nothing in a folder is executed: code beside a model (trust_remote_code) is refused, and transformers reads a
pytorch_model.bin with torch's weights_only. Nor is a weight ever made up: transformers draws at random what a folder
lacks, and only warns.
"""

import errno
import json
from pathlib import Path
from typing import Any

from torch import nn

from utils.errors import InputError, refused_by_system
from utils.files.torch_files import check_finite, refused_objects
from utils.wording import listed, shortened

# Those of a model that transformers reads; all of them are objects.
_JSON_FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors.index.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
)
_SHOWN = 3  # weights that a message names


def load_part(auto_class: Any, place: str, **loading: Any) -> Any:
    """`auto_class.from_pretrained(place, **loading)`: a configuration, a text tokenizer, ...

    Raises:
        InputError: why it cannot be loaded, in one line that does not name `place`.
    """
    _check_json_files(Path(place))
    try:
        part = auto_class.from_pretrained(place, trust_remote_code=False, **loading)
    except Exception as error:  # the libraries below raise nearly anything (RuntimeError, KeyError, plain Exception)
        if refused_by_system(error) is not None:
            raise  # it concerns the machine and not the folder, and passes
        raise InputError(_reason(error)) from error
    limit = getattr(part, "model_max_length", 0)
    if not isinstance(limit, (int, float)):
        raise InputError(f"its tokenizer_config.json: model_max_length is {shortened(limit)}, expected a number")
    return part


def _check_json_files(folder: Path) -> None:
    """Name the file that is no JSON object: transformers tells of a character, and not where."""
    for name in _JSON_FILES:
        file = folder / name
        if not file.is_file():
            continue
        try:
            # Not by `parse_json`: transformers writes a limit that does not exist as a number of 31 digits.
            value = json.loads(file.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise InputError(f"its {name} is damaged: {shortened(str(error))}") from None
        if not isinstance(value, dict):
            raise InputError(f"its {name} is damaged: it holds a {type(value).__name__}, expected an object")


def load_weights(auto_class: Any, place: str, optional: tuple[str, ...] = (), **loading: Any) -> nn.Module:
    """The model `auto_class.from_pretrained(place, **loading)` with every weight from `place`.

    Args:
        optional: beginnings of names of weights that are not used, and may be missing.

    Raises:
        InputError: as `load_part`; a weight is missing, of another shape, or not finite.
    """
    model, report = load_part(auto_class, place, output_loading_info=True, ignore_mismatched_sizes=True, **loading)
    other = [f"{name} is {tuple(found)}, not {tuple(wanted)}" for name, found, wanted in report["mismatched_keys"]]
    if other:
        raise InputError(f"its weights are not those of its config.json: {listed(other, _SHOWN)}")
    missing = sorted(name for name in report["missing_keys"] if not name.startswith(optional))
    if missing:
        raise InputError(f"its weights are not all there: {listed(missing, _SHOWN)} missing")
    check_finite(model.named_parameters())
    return model


def _reason(error: Exception) -> str:
    refused = refused_objects(error)
    if refused is not None:
        return refused
    text = str(error)
    if "custom code" in text:
        return "it needs code of its own (trust_remote_code), which is never run"
    # torch's words about a pytorch_model.bin cut short, and its advice to load the file unsafely.
    if (isinstance(error, OSError) and error.errno == errno.EINVAL) or "weights_only" in text:
        return "its weights are damaged, or only a part of them is here"
    return shortened(text, 200) if text.strip() else type(error).__name__
