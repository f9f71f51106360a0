"""Import foreign chain-of-thought data, such as the published MoUnd-MoGen-CoT-140K, as our CoT jsonl.

    python -m prepare.import_cot --source AIGeeksGroup/MoUnd-MoGen-CoT-140K --out-dir data/published_cot
    python -m prepare.import_cot --source mogen_train.jsonl mound_train.jsonl --map caption=desc --out-dir data/cot

SOURCE is an id of the hub, or files and folders of json, jsonl, parquet or csv. Which column holds what is recognised
by its name (dataset/cot/foreign/columns.py; --map says it where it is not): captions, motion codes (lists, numbers in a
text, <Motion_17>, <motion_id_17>), reasoning, task, id, weight; or conversations and instruction data whose replies
hold <think>...</think> and whose codes stand in the query (m2t) or in the reply (t2m). The columns of the published
data set could not be looked up when this was written. Data without codes take them by id from --codes.

OUT_DIR gets cot_<split>.jsonl, rejected.jsonl with every row that cannot be used and why, statistics.json and
cot_statistics.png. Rows are streamed; equal lines are written once. Files that know their motion tokenizer (a
.source.json beside them, as our commands write it) keep it.
"""

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dataset.cot.foreign.columns import Columns, detect_columns, parse_mapping
from dataset.cot.foreign.files import SourceRow
from dataset.cot.foreign.loading import SPLIT_NAMES, SourcePart, source_parts, split_of
from dataset.cot.foreign.rows import ConvertedLine, RowConverter, task_in_name
from dataset.cot.source import CotSource, common_source, read_cot_source, source_path, write_cot_source
from options.flags.parsing import flag, need, parse_flags, required_flag
from prepare.cot.inputs import coded_clips
from prepare.cot.outputs import (
    REJECTED_FILE,
    WRITTEN,
    as_written,
    check_cot_folder,
    claim_cot_folder,
    cot_path,
    left_over,
)
from prepare.cot.report import report_cot
from utils.errors import InputError
from utils.files.line_writers import LineWriters
from utils.files.lock import locked
from utils.progress import Progress
from utils.run.command import quiet_libraries, run_command

# Optional fields of jsonl may be missing in the first rows, and the first rows may be damaged.
_ROWS_FOR_COLUMNS, _MOST_ROWS_FOR_COLUMNS = 100, 10_000


@dataclass
class ImportCotFlags:
    """Flags: what is imported, and how it is read."""

    _argument_group_name = "import"

    source: list[str] = field(
        metadata={"help": "an id of the hub, or files and folders of json, jsonl, parquet or csv"}
    )
    out_dir: str = required_flag("folder for cot_<split>.jsonl")
    config: str | None = flag(None, "configuration of the hub's data set")
    map: list[str] = field(
        default_factory=list,
        metadata={"help": "ROLE=COLUMN where a name is not recognised; an empty COLUMN ignores the role"},
    )
    task: Literal["auto", "t2m", "m2t", "both"] = flag("auto", "what all rows serve; auto: as each row says")
    codes: str | None = flag(None, "codes of prepare.encode_motions: taken by id in place of the rows' own")
    motion_tokenizer: str | None = flag(None, "tokenizer file that the rows' codes come from")
    nb_code: int | None = flag(None, "size of the codebook where no tokenizer says it; default: codes are not checked")

    def __post_init__(self) -> None:
        need(self.codes is None or self.motion_tokenizer is None, "--codes already says its tokenizer: leave out one")
        need(self.nb_code is None or self.nb_code >= 1, f"--nb-code must be at least 1, not {self.nb_code}")


@dataclass
class ImportCounts:
    """How many rows were read, how many lines left out because they repeat others, and rejected rows by reason.

    `examples` says of each reason where it was met first.
    """

    rows: int = 0
    repeated: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)


def source_of(flags: ImportCotFlags, files: Sequence[Path]) -> CotSource | None:
    """The tokenizer that the codes are of, as far as flags and the imported files say it.

    Raises:
        InputError: they contradict each other.
    """
    # Codes that are joined by id: theirs.
    if flags.codes is not None:
        source = read_cot_source(flags.codes)
        if source is None:
            raise InputError(f"{flags.codes} has no .source.json beside it: make it with prepare.encode_motions")
        return _of_size(source, flags.nb_code, flags.codes)
    # Codes of the files: what stands beside them, and it is not overwritten.
    own = common_source(files)
    if flags.motion_tokenizer is None:
        return own and _of_size(own, flags.nb_code, str(files[0]))
    from models.tokenizer.motion_tokenizer import MotionTokenizer  # late: `--help` must not wait for torch

    tokenizer = MotionTokenizer.load(flags.motion_tokenizer)
    for path in files:
        said = read_cot_source(path)
        if said is not None and said.fingerprint != tokenizer.fingerprint:
            raise InputError(
                f"{path} holds codes of the motion tokenizer {said.motion_tokenizer} ({said.fingerprint}), as "
                f"{source_path(path).name} beside it says, not of --motion-tokenizer {flags.motion_tokenizer} "
                f"({tokenizer.fingerprint}): leave the flag out, or give that tokenizer"
            )
    given = CotSource(flags.motion_tokenizer, tokenizer.fingerprint, tokenizer.nb_code, " ".join(flags.source))
    return _of_size(own or given, flags.nb_code, flags.motion_tokenizer)


def _of_size(source: CotSource, nb_code: int | None, where: str) -> CotSource:
    if nb_code not in (None, source.nb_code):
        raise InputError(f"--nb-code {nb_code}: {where} is of a codebook of {source.nb_code} codes; leave the flag out")
    return source


def read_codes(path: str) -> dict[str, np.ndarray]:
    """The codes of each clip by its id, as int32: 4 bytes a code."""
    return {row.id: np.asarray(row.codes, dtype=np.int32) for row in coded_clips(Path(path))}


class Importer:
    """Converts parts row by row and writes their lines into a file for each split.

    Args:
        flags: how rows are read.
        codes: codes by id, in place of the rows' own.
        nb_code: codes must be below it; None skips that check.
        writers: the files by split; rejected rows go to `REJECTED_FILE`.
    """

    def __init__(
        self, flags: ImportCotFlags, codes: Mapping[str, np.ndarray] | None, nb_code: int | None, writers: LineWriters
    ) -> None:
        self._given, self._codes, self._nb_code = parse_mapping(flags.map), codes, nb_code
        self._task = {"auto": None, "both": ""}.get(flags.task, flags.task)
        self._writers = writers
        self._seen: dict[str, set[int]] = {}
        self.counts = ImportCounts()

    @property
    def splits(self) -> list[str]:
        """The splits that have lines."""
        return list(self._seen)

    def columns_of(self, part: SourcePart) -> tuple[Columns, Iterator[SourceRow]]:
        """The columns of a part, recognised on its first rows, and all of its rows; none where no row has any."""
        rows = part.rows()
        first: list[SourceRow] = []
        readable = 0
        while readable < _ROWS_FOR_COLUMNS and len(first) < _MOST_ROWS_FOR_COLUMNS and (row := next(rows, None)):
            first.append(row)
            readable += row.fields is not None
        names = dict.fromkeys(name for row in first for name in row.fields or ())
        columns = detect_columns(names, self._given, self._codes is not None, part.name) if names else Columns({})
        return columns, itertools.chain(first, rows)

    def convert(self, part: SourcePart) -> Columns:
        columns, rows = self.columns_of(part)
        default = task_in_name(Path(part.name).name)
        converter = RowConverter(columns, self._codes, self._nb_code, self._task, default)
        for row in Progress(rows, desc=Path(part.name).name, unit="row", dynamic_ncols=True):
            self.counts.rows += 1
            if row.fields is None:
                self._reject(part, row, row.problem)
                continue
            try:
                split = _split(part, columns, row.fields)
                lines = list(converter.lines(row.fields))
            except ValueError as error:
                self._reject(part, row, str(error))
                continue
            for line in lines:
                self._write(split, line)
        return columns

    def _write(self, split: str, line: ConvertedLine) -> None:
        seen = self._seen.setdefault(split, set())
        if line.content in seen:
            self.counts.repeated += 1
            return
        seen.add(line.content)
        self._writers.write(split, line.text)

    def _reject(self, part: SourcePart, row: SourceRow, reason: str) -> None:
        # Numbers and quoted words differ from row to row; without them equal reasons count as one.
        kind = re.sub(r"\d+|'[^']*'", "...", reason)
        self.counts.rejected[kind] += 1
        self.counts.examples.setdefault(kind, f"{reason} ({part.name}, row {row.number})")
        place = {"source": part.name, "row": row.number, "reason": reason, "content": row.fields or row.text}
        self._writers.write(REJECTED_FILE, json.dumps(place, ensure_ascii=False, default=str))


def _split(part: SourcePart, columns: Columns, fields: Mapping[str, Any]) -> str:
    """The split that a row says, else that of its part. Raises ValueError for a name that is none."""
    value = fields.get(columns.by_role["split"]) if "split" in columns else None
    if value is None or value != value or (isinstance(value, str) and not value.strip()):  # a table may have NaN there
        return part.split
    split = split_of(value) if isinstance(value, str) else None
    if split is None:
        raise ValueError(
            f"the split {str(value)[:60]!r} is none of {', '.join(SPLIT_NAMES)} (--map split= ignores the column)"
        )
    return split


def main() -> None:
    (flags,) = parse_flags(ImportCotFlags, description=__doc__)
    quiet_libraries()
    with locked(flags.out_dir):
        import_all(flags)


def import_all(flags: ImportCotFlags) -> None:
    """The files of all splits, and what there is to say about them."""
    out_dir = Path(flags.out_dir)
    parts = source_parts(flags.source, flags.config)
    files_read = [part.path for part in parts if part.path is not None]
    check_cot_folder(out_dir, [*files_read, flags.codes, flags.motion_tokenizer])
    source = source_of(flags, files_read)
    nb_code = source.nb_code if source else flags.nb_code
    codes = read_codes(flags.codes) if flags.codes else None
    # Convert everything; files appear under their names when all is written.
    with LineWriters(lambda key: out_dir / key if key == REJECTED_FILE else cot_path(out_dir, key)) as writers:
        importer = Importer(flags, codes, nb_code, writers)
        for part in parts:
            columns = importer.convert(part)
            print(f"{part.name}: {columns.described() or 'no row that can be read'}")
        claim_cot_folder(out_dir, [cot_path(out_dir, split) for split in importer.splits])
        (out_dir / REJECTED_FILE).unlink(missing_ok=True)  # of an earlier import
        for split in importer.splits:  # a kill leaves no lines beside the source of other ones
            source_path(cot_path(out_dir, split)).unlink(missing_ok=True)
        files = {split: path for split, path in writers.finish().items() if split != REJECTED_FILE}
    counts = importer.counts
    check(flags.source, counts, columns)
    if source:
        for path in files.values():
            write_cot_source(path, source)
    rejected = dict(counts.rejected.most_common())
    about = {
        "source": flags.source,
        "rows": counts.rows,
        "repeated_lines_left_out": counts.repeated,
        "rejected": rejected,
        WRITTEN: as_written(out_dir, files.values()),
    }
    print(report_cot(files, nb_code, out_dir, about))
    print(summary(counts, out_dir))
    if told := left_over(out_dir, files.values()):
        print(told)
    if source is None:
        print("which motion tokenizer the codes belong to is not known: --motion-tokenizer FILE records it")


def check(source: Sequence[str], counts: ImportCounts, columns: Columns) -> None:
    """Raise InputError where no row could be used."""
    if not counts.rows:
        raise InputError(f"--source {' '.join(source)}: no row in it")
    if counts.rejected.total() == counts.rows:
        reason = counts.examples[counts.rejected.most_common(1)[0][0]]
        raise InputError(
            f"none of the {counts.rows} rows can be used, mostly because {reason}. Columns were read as "
            f"{columns.described() or 'nothing'}; --map ROLE=COLUMN says it otherwise"
        )


def summary(counts: ImportCounts, out_dir: Path) -> str:
    told = (
        f"{counts.rows} rows read, {counts.repeated} repeated lines left out, {counts.rejected.total()} rows rejected"
    )
    if not counts.rejected:
        return told
    reasons = "; ".join(f"{count} x {counts.examples[kind]}" for kind, count in counts.rejected.most_common(3))
    return f"{told} ({out_dir / REJECTED_FILE}: {reasons})"


if __name__ == "__main__":
    run_command(main)
