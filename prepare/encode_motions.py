"""Encode a whole data set folder as codes of a motion tokenizer, one JSON line a motion.

    python -m prepare.encode_motions --data-root data/HumanML3D --motion-tokenizer tokenizer.pth --out codes.jsonl

Lines are {"id", "split", "codes"}, ids as the reader names them (segments of a clip are motions of their own).
OUT with .source.json in place of .jsonl names the tokenizer by its fingerprint, so that codes of another are refused.
The same command again continues an interrupted run (from OUT.part) and leaves a finished one alone; where the
tokenizer or the motions have changed since, it starts anew.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dataset.cot.source import CotSource, read_cot_source, source_path, write_cot_source
from dataset.humanml.layout import MotionRecord, read_split
from dataset.humanml.splits import SPLITS
from options.flags.parsing import flag, parse_flags, required_flag
from prepare.cot.encoded_motions import WHOLE, fingerprint_motions, motion_names
from utils.errors import InputError
from utils.files.journal import Journal
from utils.files.json_files import numbered_rows, read_jsonl, write_jsonl
from utils.files.lock import locked_output
from utils.files.outputs import check_output_file
from utils.motion.skeleton import get_skeleton
from utils.progress import Progress
from utils.run.command import run_command
from utils.run.devices import resolve_device

if TYPE_CHECKING:
    from models.tokenizer.motion_tokenizer import MotionTokenizer

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


@dataclass(frozen=True, eq=False)
class Motion:
    """A motion of the data set and the split it is in."""

    split: str
    record: MotionRecord

    def row(self, codes: np.ndarray) -> dict[str, Any]:
        """Its line of the jsonl."""
        return {"id": self.record.id, "split": self.split, "codes": codes.tolist()}


class PartFile:
    """The rows of a run that is not finished: a first line that names tokenizer and motions, then whole chunks.

    A chunk is encoded alone, so a continued run makes the very chunks, and codes, of an uninterrupted one.

    Args:
        path: of the file.
        source: what the rows must come from.
        motions: all that are to be encoded, in order.
    """

    def __init__(self, path: Path, source: CotSource, motions: Sequence[Motion]) -> None:
        self._journal = Journal(path)
        self._header = {"fingerprint": source.fingerprint, "data_fingerprint": source.data_fingerprint}
        self._motions = motions

    def open(self) -> int:
        """Make the file ready to append to; the number of motions that are in it."""
        found = self._journal.rows()
        if found and found[0] != self._header:
            logging.info("%s is of another tokenizer or other motions: starting anew", self._journal.path)
            found = []
        rows = found[1:]
        good = 0
        for row, motion in zip(rows, self._motions, strict=False):
            if (row.get("split"), row.get("id")) != (motion.split, motion.record.id):
                break
            good += 1
        if good < len(self._motions):  # a kill may have left a part of the last chunk
            good -= good % _CLIPS_AT_ONCE
        self._journal.replace([self._header, *rows[:good]])
        return good

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        self._journal.append(*rows)

    def rows(self) -> list[dict[str, Any]]:
        """All rows as they go into the final file."""
        return self._journal.rows()[1:]

    def remove(self) -> None:
        self._journal.remove()


def encode(tokenizer: "MotionTokenizer", motions: Sequence[Motion], part: PartFile) -> None:
    """Encode chunk by chunk what `part` does not hold yet."""
    done = part.open()
    if done:
        logging.info("continuing after %d of %d motions", done, len(motions))
    with Progress(total=len(motions), initial=done, desc="encode", unit="motion", dynamic_ncols=True) as bar:
        for start in range(done, len(motions), _CLIPS_AT_ONCE):
            chunk = motions[start : start + _CLIPS_AT_ONCE]
            codes = tokenizer.encode_batch([motion.record.features for motion in chunk])
            part.append([motion.row(own) for motion, own in zip(chunk, codes, strict=True)])
            bar.update(len(chunk))


def check_replaceable(out: Path) -> None:
    """Refuse to write over what holds something else than codes of this command."""
    check_output_file(out, [])
    if not out.is_file():
        return
    try:
        row = next((row for _, row in numbered_rows(out)), None)
        ours = row is None or row.keys() == {"id", "split", "codes"}
    except InputError:  # damaged codes have their source beside them, and are made anew
        ours = source_path(out).is_file()
    if not ours:
        raise InputError(f"--out {out}: is there and holds no codes of this command: give another name")


def is_done(out: Path, source: CotSource, motions: Sequence[Motion]) -> bool:
    """`out` holds a row for each of `motions`, made by the same tokenizer of the same contents."""
    try:
        before = read_cot_source(out) if out.is_file() else None
    except InputError as error:  # both files are written again
        logging.info("%s: encoding anew", error)
        return False
    if before is None:
        return False
    if before.fingerprint == source.fingerprint and not str(before.data_fingerprint).startswith(WHOLE):
        logging.info("%s was made by an earlier version, which looked at two frames a motion: encoding anew", out)
        return False
    if (before.fingerprint, before.data_fingerprint) != (source.fingerprint, source.data_fingerprint):
        logging.info("%s is of another tokenizer or other motions: encoding anew", out)
        return False
    try:
        rows = read_jsonl(out)
    except InputError as error:
        logging.info("%s: encoding anew", error)
        return False
    return [(row.get("split"), row.get("id")) for row in rows] == [(own.split, own.record.id) for own in motions]


def main() -> None:
    (flags,) = parse_flags(EncodeFlags, description=__doc__)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    check_replaceable(Path(flags.out))
    from models.tokenizer.motion_tokenizer import MotionTokenizer  # late: `--help` must not wait for torch

    tokenizer = MotionTokenizer.load(flags.motion_tokenizer, resolve_device(flags.device))
    skeleton = get_skeleton(flags.dataname)
    if tokenizer.skeleton != skeleton:
        raise InputError(f"{flags.motion_tokenizer} is for --dataname {tokenizer.skeleton.name}, not {skeleton.name}")
    by_split = {split: read_split(flags.data_root, split, skeleton) for split in dict.fromkeys(flags.splits)}
    motions = [Motion(split, record) for split, records in by_split.items() for record in records]
    counts = Counter(motion.record.id for motion in motions if motion.split in SPLITS)
    if several := [id for id, count in counts.items() if count > 1]:
        logging.warning(
            f"{flags.data_root}: {len(several)} motions are in more than one of train, val and test (the first is "
            f"{several[0]}): results on them do not tell how a model does on motions that it has not seen"
        )
    data_fingerprint = fingerprint_motions(by_split)
    source = CotSource(
        flags.motion_tokenizer, tokenizer.fingerprint, tokenizer.nb_code, flags.data_root, data_fingerprint
    )
    with locked_output(flags.out):
        check_replaceable(Path(flags.out))  # what came there while the motions were read
        write(Path(flags.out), tokenizer, motions, source, motion_names(by_split))


def write(
    out: Path, tokenizer: "MotionTokenizer", motions: Sequence[Motion], source: CotSource, names: Mapping[str, str]
) -> None:
    """Encode what is not encoded yet, and put it in place, with the `names` of the motions' contents."""
    part = PartFile(out.with_name(out.name + ".part"), source, motions)
    if is_done(out, source, motions):
        write_cot_source(out, source, names)  # the tokenizer may have moved
        part.remove()
        print(f"already encoded: {out} (tokenizer {source.fingerprint})")
        return
    encode(tokenizer, motions, part)
    rows = part.rows()
    put_in_place(out, rows, source, names)
    part.remove()  # last: whatever is interrupted before is finished from it
    codes = [row["codes"] for row in rows]
    used = {code for row in codes for code in row}
    print(
        f"{len(codes)} motions, {sum(map(len, codes))} codes, {len(used)} of {tokenizer.nb_code} in use, "
        f"tokenizer {source.fingerprint} -> {out}"
    )


def put_in_place(out: Path, rows: Sequence[dict[str, Any]], source: CotSource, names: Mapping[str, str]) -> None:
    """Write the codes, and beside them what they come from."""
    source_path(out).unlink(missing_ok=True)  # an old one must never stand beside new codes
    write_jsonl(out, rows)
    write_cot_source(out, source, names)


if __name__ == "__main__":
    run_command(main)
