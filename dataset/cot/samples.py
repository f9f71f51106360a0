"""Chain-of-thought jsonl, one JSON object a line, is read lazily and written.

`dataset.cot.lines` parses a file once. From then on it is mapped from disk, and a process holds only 4 bytes a row.
"""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset.cot.lines import DRAFT_COLUMNS, parsed_lines
from dataset.cot.sample import TASKS, Draft, Sample
from dataset.humanml.splits import place_of
from utils.errors import InputError
from utils.files.fingerprints import fingerprint
from utils.files.json_files import write_jsonl

if TYPE_CHECKING:
    from datasets import Dataset


def read_cot_jsonl(
    path: str | Path, nb_code: int | None, task: str | None = None, skip_bad_lines: bool = False
) -> "CotSamples":
    """Open a CoT jsonl (plain or gzip).

    Args:
        path: the file.
        nb_code: codes must be below it; None skips that check.
        task: keep the lines usable for this task (a line without ``task`` serves both); None keeps all.
        skip_bad_lines: drop malformed lines and count them instead of stopping at the first.

    Raises:
        InputError: no such file, malformed line (with ``file:line``), or nothing left to train on.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no such CoT jsonl file: {path}")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty: expected one JSON object a line with 'caption' and 'motion_tokens'")
    lines = parsed_lines(path, nb_code)
    is_bad = pc.binary_length(lines.data.column("problem")).to_numpy() > 0
    bad = np.flatnonzero(is_bad)
    if len(bad) and not skip_bad_lines:
        first = lines[int(bad[0])]["problem"]
        raise InputError(f"{path}:{first}" + (f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""))
    samples = CotSamples(lines, np.flatnonzero(~is_bad), dropped=len(bad))
    if task:
        samples = samples.only(samples.usable_for(task))
    if len(samples) == 0:
        wanted = f" for task {task}" if task else ""
        raise InputError(f"{path} holds no usable line{wanted} ({len(bad)} malformed)")
    return samples


class CotSamples:
    """N lazy rows of a CoT jsonl; `sample(index, task)` gives one as `Sample`.

    Args:
        lines: all parsed lines, mapped from disk.
        index: (N,) the places of the N rows among all lines. Selecting rows makes a new index and copies nothing.
        dropped: malformed lines that were left out.
    """

    def __init__(self, lines: "Dataset", index: np.ndarray, dropped: int = 0) -> None:
        self._lines = lines
        self._index = index.astype(np.int32)
        self.dropped = dropped

    def __len__(self) -> int:
        return len(self._index)

    @cached_property
    def rows(self) -> "Dataset":
        """The N rows with all their columns."""
        return self._lines.select(self._index)

    def sample(self, index: int, task: str) -> Sample:
        """Row `index` as a sample of `task`."""
        row = self._lines[int(self._index[index])]
        draft = [row[name] for name in DRAFT_COLUMNS]
        return Sample(
            task=task,
            caption=row["caption"],
            codes=tuple(row["codes"]),
            reasoning=row["reasoning"],
            weight=row["sample_weight"],
            id=row["id"] or _name_of_row(index),
            draft=Draft(*draft) if any(draft) else None,
        )

    def task_of(self, index: int) -> str:
        """``t2m``, ``m2t`` or empty (usable for both)."""
        return self._lines[int(self._index[index])]["task"]

    def usable_for(self, task: str) -> np.ndarray:
        """(N,) bool: rows of `task` and rows that serve both."""
        return pc.is_in(self._lines.data.column("task"), pa.array(["", task])).to_numpy()[self._index]

    def only(self, keep: np.ndarray) -> "CotSamples":
        """The rows where `keep` (N,) is True."""
        return CotSamples(self._lines, self._index[keep], self.dropped)

    def at_most(self, max_codes: int) -> "CotSamples":
        """Only the rows whose motion has at most `max_codes` codes."""
        return self.only(self.code_lengths() <= max_codes)

    def code_lengths(self) -> np.ndarray:
        """(N,) codes of each motion."""
        return pc.list_value_length(self._lines.data.column("codes")).to_numpy()[self._index]

    def rough_lengths(self) -> np.ndarray:
        """(N,) about how many tokens each sample has: its codes, and one for every four letters of its texts."""
        letters = sum(pc.utf8_length(self._lines.data.column(name)).to_numpy() for name in ("caption", "reasoning"))
        return self.code_lengths() + letters[self._index] // 4

    def mean_weight(self) -> float:
        """The mean weight of the samples, to divide weights by; 1 where it is not positive."""
        mean = float(self._lines.data.column("sample_weight").to_numpy()[self._index].mean())
        return mean if mean > 0 else 1.0

    def clips(self) -> pa.ChunkedArray:
        """(N,) clip ids. A row without an id is a clip of its own, with a name that no id can be."""
        ids = self._column("id")
        missing = pc.equal(ids, "")
        if not pc.any(missing).as_py():
            return ids
        return pc.if_else(missing, pa.array(map(_name_of_row, range(len(self)))), ids)

    def captions_by_clip(self) -> dict[str, tuple[str, ...]]:
        """Every caption of each clip id: the references of a motion."""
        captions: dict[str, list[str]] = {}
        for clip, caption in zip(self.clips().to_pylist(), self._column("caption").to_pylist(), strict=True):
            captions.setdefault(clip, []).append(caption)
        return {clip: tuple(items) for clip, items in captions.items()}

    def split(self, fraction: float, seed: int, at_least: int = 1) -> tuple["CotSamples", "CotSamples"]:
        """(rest, held out): about `fraction` of the clips are held out, each with all of its captions.

        The id of a clip and `seed` decide alone, so rows that are added later move no clip out of what is held out;
        only where the ids hold out fewer than `at_least`, or all, the clips that are nearest go to the other side. A
        row without an id is the clip of its codes.
        """
        names = self._motion_names().dictionary_encode().combine_chunks()
        places = np.array([place_of(name, seed) for name in names.dictionary.to_pylist()])
        different = np.unique(places)
        if len(different) < 2:
            raise InputError(f"{len(different)} clip(s) are too few to hold some out for validation")
        needed = different[min(at_least, len(different)) - 1]
        limit = min(max(fraction, np.nextafter(needed, 1)), different[-1])
        inside = (places < limit)[names.indices.to_numpy()]
        return CotSamples(self._lines, self._index[~inside]), CotSamples(self._lines, self._index[inside])

    def _motion_names(self) -> pa.ChunkedArray:
        """(N,) names of the motions of the rows: the clip's id, or a fingerprint of the codes where there is none."""
        ids = self._column("id")
        missing = np.flatnonzero(pc.equal(ids, "").to_numpy())
        if not len(missing):
            return ids
        codes = self._column("codes").take(pa.array(missing)).combine_chunks()
        ends, values = codes.offsets.to_numpy(), codes.values.to_numpy()
        names = ids.to_numpy(zero_copy_only=False).astype(object)
        for row, start, stop in zip(missing, ends, ends[1:], strict=False):
            names[row] = f"codes {fingerprint(values[start:stop])}"
        return pa.chunked_array([pa.array(names, pa.string())])

    def _column(self, name: str) -> pa.ChunkedArray:
        return self._lines.data.column(name).take(pa.array(self._index))


def _name_of_row(index: int) -> str:
    """The clip id of a row without one: it begins with a space, which no id does (`dataset.cot.lines.clip_id`)."""
    return f" row {index}"


def write_cot_jsonl(path: str | Path, samples: Iterable[Sample], both_tasks: bool = True) -> int:
    """Write samples as CoT jsonl and return how many. With `both_tasks` a line carries no task and serves both."""
    rows = []
    for sample in samples:
        row: dict[str, Any] = {"caption": sample.caption, "motion_tokens": list(sample.codes)}
        if sample.reasoning:
            row["reasoning"] = sample.reasoning
        if not both_tasks:
            row["task"] = sample.task
        if sample.weight != 1.0:
            row["sample_weight"] = sample.weight
        if sample.id:
            row["id"] = sample.id
        if sample.draft is not None:
            lacking = {task: sample.draft.lacking(task) for task in TASKS}
            row["draft"] = {
                "reasoning": sample.draft.reasoning,
                "caption": sample.draft.caption,
                "lacking": {task: words for task, words in lacking.items() if words},
            }
        rows.append(row)
    write_jsonl(path, rows)
    return len(rows)
