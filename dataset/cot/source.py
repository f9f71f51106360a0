"""A small file beside codes or a CoT jsonl says which motion tokenizer the codes come from."""

from dataclasses import asdict, dataclass
from pathlib import Path

from utils.files.json_files import read_json, write_json


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


def write_cot_source(cot_jsonl: str | Path, source: CotSource) -> None:
    write_json(source_path(cot_jsonl), asdict(source))


def read_cot_source(cot_jsonl: str | Path) -> CotSource | None:
    """The source of a jsonl; None for one that came without it (for example a downloaded data set)."""
    path = source_path(cot_jsonl)
    return CotSource(**read_json(path, "delete it, or write the jsonl again")) if path.is_file() else None
