"""A small file beside codes or a CoT jsonl says which motion tokenizer the codes come from."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from utils.errors import InputError
from utils.files.json_files import read_json, write_json

_MOTIONS = "motions"  # the key of what only codes have
_HINT = "delete it, or write the jsonl again"


@dataclass(frozen=True)
class CotSource:
    """Where codes come from.

    Attributes:
        motion_tokenizer: path of the tokenizer.
        fingerprint: of the tokenizer's content.
        nb_code: size of its codebook.
        data_root: the data set that was encoded.
        data_fingerprint: of the motions of that data set; None where it is not known.
    """

    motion_tokenizer: str
    fingerprint: str
    nb_code: int
    data_root: str
    data_fingerprint: str | None = None


def source_path(cot_jsonl: str | Path) -> Path:
    """``cot_train.jsonl`` -> ``cot_train.source.json`` beside it."""
    return Path(str(cot_jsonl).removesuffix(".gz").removesuffix(".jsonl") + ".source.json")


def write_cot_source(cot_jsonl: str | Path, source: CotSource, motions: Mapping[str, str] | None = None) -> None:
    """Write the file beside a jsonl; beside codes it also names the content of each of their `motions`, by id."""
    write_json(source_path(cot_jsonl), asdict(source) | ({} if motions is None else {_MOTIONS: dict(motions)}))


def read_cot_source(cot_jsonl: str | Path) -> CotSource | None:
    """The source of a jsonl; None for one that came without it (for example a downloaded data set).

    Raises:
        InputError: the file beside the jsonl is damaged.
    """
    path = source_path(cot_jsonl)
    if not path.is_file():
        return None
    value = read_json(path, _HINT)
    known = {field.name: value[field.name] for field in fields(CotSource) if field.name in value}
    texts = [known.get(name) for name in ("motion_tokenizer", "fingerprint", "data_root")]
    texts.append(known.get("data_fingerprint") or "")  # files of before it was recorded have none
    nb_code = known.get("nb_code")
    if not all(isinstance(text, str) for text in texts) or type(nb_code) is not int or nb_code < 1:
        raise InputError(f"{path}: does not say which motion tokenizer the codes are of; {_HINT}")
    return CotSource(**known)


def read_motion_names(codes: str | Path) -> dict[str, str]:
    """What the file beside codes names their motions, by id; none where it does not say it, as earlier versions.

    Raises:
        InputError: the file is damaged.
    """
    path = source_path(codes)
    names = read_json(path, _HINT).get(_MOTIONS, {}) if path.is_file() else {}
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise InputError(f"{path}: does not say which motions the codes are of; {_HINT}")
    return names


def common_source(paths: Iterable[str | Path]) -> CotSource | None:
    """The source that all files have; None where one came without it.

    Raises:
        InputError: two files hold codes of different motion tokenizers.
    """
    found = [(path, read_cot_source(path)) for path in paths]
    named = [(path, source) for path, source in found if source is not None]
    for path, source in named[1:]:
        first_path, first = named[0]
        if source.fingerprint != first.fingerprint:
            raise InputError(
                f"{path} holds codes of the motion tokenizer {source.motion_tokenizer} ({source.fingerprint}), "
                f"{first_path} of {first.motion_tokenizer} ({first.fingerprint}): one number means different motions "
                "in them; encode both with one tokenizer (prepare.encode_motions)"
            )
    return named[0][1] if named and len(named) == len(found) else None
