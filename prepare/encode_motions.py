"""Encode a whole data set folder as codes of a motion tokenizer, one JSON line a motion.

    python -m prepare.encode_motions --data-root data/HumanML3D --motion-tokenizer tokenizer.pth --out codes.jsonl

Lines are {"id", "split", "codes"}, ids as the reader names them (segments of a clip are motions of their own).
OUT with .source.json in place of .jsonl names the tokenizer by its fingerprint, so that codes of another are refused.
"""

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from dataset.cot_source import CotSource, read_cot_source, source_path, write_cot_source
from dataset.humanml_layout import MotionRecord, read_split
from models.motion_tokenizer import MotionTokenizer
from options.parsing import flag, parse_flags, required_flag
from utils.command import run_command
from utils.devices import resolve_device
from utils.errors import InputError
from utils.files import write_jsonl
from utils.skeleton import get_skeleton

_CLIPS_AT_ONCE = 512


@dataclass
class EncodeFlags:
    """What is encoded with what."""

    _argument_group_name = "encoding"

    data_root: str = required_flag("folder in HumanML3D layout")
    motion_tokenizer: str = required_flag("tokenizer file of prepare.train_motion_tokenizer")
    out: str = required_flag("jsonl to write; its name ends in .jsonl")
    dataname: Literal["t2m", "kit"] = flag("t2m", "skeleton: t2m = HumanML3D, kit = KIT-ML")
    splits: list[str] = field(
        default_factory=lambda: ["train", "val", "test"], metadata={"help": "split files to encode"}
    )
    device: str = flag("auto", "auto (a GPU if there is one), cpu, cuda, ...")

    def __post_init__(self) -> None:
        if not self.out.endswith(".jsonl"):
            raise ValueError(f"--out {self.out} must end in .jsonl")


def is_done(flags: EncodeFlags, source: CotSource) -> bool:
    """The file exists, was made by the same tokenizer from the same folder, and holds the same splits."""
    path = Path(flags.out)
    if not path.is_file() or read_cot_source(path) != source:
        return False
    with path.open(encoding="utf-8") as lines:
        return {json.loads(line)["split"] for line in lines} == set(flags.splits)


def encode_records(tokenizer: MotionTokenizer, records: dict[str, list[MotionRecord]]) -> list[dict]:
    """Rows of all splits, in the order of the data set."""
    flat = [(split, record) for split, members in records.items() for record in members]
    rows = []
    with tqdm(total=len(flat), desc="encode", unit="motion", dynamic_ncols=True) as bar:
        for start in range(0, len(flat), _CLIPS_AT_ONCE):
            part = flat[start : start + _CLIPS_AT_ONCE]
            codes = tokenizer.encode_batch([record.features for _, record in part])
            rows += [
                {"id": record.id, "split": split, "codes": row.tolist()}
                for (split, record), row in zip(part, codes, strict=True)
            ]
            bar.update(len(part))
    return rows


def main() -> None:
    (flags,) = parse_flags(EncodeFlags, description=__doc__)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    tokenizer = MotionTokenizer.load(flags.motion_tokenizer, resolve_device(flags.device))
    skeleton = get_skeleton(flags.dataname)
    if tokenizer.skeleton != skeleton:
        raise InputError(f"{flags.motion_tokenizer} is for --dataname {tokenizer.skeleton.name}, not {skeleton.name}")
    source = CotSource(flags.motion_tokenizer, tokenizer.fingerprint, tokenizer.nb_code, flags.data_root)
    if is_done(flags, source):
        print(f"already encoded: {flags.out} (tokenizer {source.fingerprint})")
        return
    records = {split: read_split(flags.data_root, split, skeleton) for split in flags.splits}
    rows = encode_records(tokenizer, records)
    source_path(flags.out).unlink(missing_ok=True)  # an old one must never stand beside new codes
    write_jsonl(flags.out, rows)
    write_cot_source(flags.out, source)
    total = sum(len(row["codes"]) for row in rows)
    used = len({code for row in rows for code in row["codes"]})
    print(
        f"{len(rows)} motions, {total} codes, {used} of {tokenizer.nb_code} in use, "
        f"tokenizer {source.fingerprint} -> {flags.out}"
    )


if __name__ == "__main__":
    run_command(main)
