"""The content of a CoT jsonl is counted: lines by task, lengths, vocabulary, use of the codebook."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from dataset.captions.tagger import caption_words
from dataset.cot.sample import TASKS
from dataset.cot.samples import CotSamples

BOTH_TASKS = "both"
_LINES_AT_ONCE = 1000
Histogram = dict[int, int]  # value -> how often


@dataclass(frozen=True)
class CotStatistics:
    """The statistics of one CoT jsonl.

    Attributes:
        lines, clips: rows, and clip ids among them (a row without an id is a clip of its own).
        tasks: number of rows by task: ``both`` (the row names no task), ``t2m``, ``m2t``.
        without_reasoning: rows without reasoning.
        captions, reasonings: number of different texts.
        caption_vocabulary, reasoning_vocabulary: number of different words.
        codes_per_clip: how often each number of codes occurs, each clip counted once.
        caption_lengths, reasoning_lengths: how often each number of words occurs; empty reasonings are not counted.
        code_counts: how often each code of the codebook occurs, each clip counted once.
    """

    lines: int
    clips: int
    tasks: dict[str, int]
    without_reasoning: int
    captions: int
    reasonings: int
    caption_vocabulary: int
    reasoning_vocabulary: int
    codes_per_clip: Histogram
    caption_lengths: Histogram
    reasoning_lengths: Histogram
    code_counts: tuple[int, ...]

    @property
    def unused_codes(self) -> int:
        return sum(count == 0 for count in self.code_counts)

    @property
    def code_perplexity(self) -> float:
        """The number of equally frequent codes whose entropy would be the same."""
        total = sum(self.code_counts)
        shares = [count / total for count in self.code_counts if count]
        return math.exp(-sum(share * math.log(share) for share in shares))

    def as_fields(self) -> dict[str, Any]:
        """The content of statistics.json: all attributes, what follows from them, and a summary of each histogram."""
        summaries = {
            name: summary(getattr(self, name)) for name in ("codes_per_clip", "caption_lengths", "reasoning_lengths")
        }
        derived = {"unused_codes": self.unused_codes, "code_perplexity": round(self.code_perplexity, 1)}
        return {**vars(self), "code_counts": list(self.code_counts), **derived, "summary": summaries}


class _TextCounter:
    """Counts texts, their lengths and their words. Of a text only the hash is kept: 140,000 reasonings are large."""

    def __init__(self) -> None:
        self.lengths: Counter[int] = Counter()
        self.words: set[str] = set()
        self._seen: set[int] = set()

    def add(self, text: str) -> None:
        self.lengths[len(text.split())] += 1
        if hash(text) not in self._seen:
            self._seen.add(hash(text))
            self.words.update(caption_words(text))

    @property
    def different(self) -> int:
        return len(self._seen)


def cot_statistics(samples: CotSamples, nb_code: int | None = None) -> CotStatistics:
    """Read all rows once and count.

    Args:
        samples: the rows of one jsonl.
        nb_code: size of the codebook; None takes the highest code that occurs for its last one.
    """
    captions, reasonings = _TextCounter(), _TextCounter()
    tasks = Counter(dict.fromkeys((BOTH_TASKS, *TASKS), 0))
    lengths: Counter[int] = Counter()
    codes: Counter[int] = Counter()
    clips: set[str] = set()
    unnamed = 0
    for batch in samples.rows.iter(_LINES_AT_ONCE):
        # Texts and tasks of every row.
        tasks.update(task or BOTH_TASKS for task in batch["task"])
        for caption, reasoning in zip(batch["caption"], batch["reasoning"], strict=True):
            captions.add(caption)
            if reasoning:
                reasonings.add(reasoning)
        # Codes of every clip, which several rows may repeat; a row without an id is a clip of its own.
        for clip, row in zip(batch["id"], batch["codes"], strict=True):
            if clip in clips:
                continue
            if clip:
                clips.add(clip)
            else:
                unnamed += 1
            lengths[len(row)] += 1
            codes.update(row)
    return CotStatistics(
        lines=len(samples),
        clips=len(clips) + unnamed,
        tasks=dict(tasks),
        without_reasoning=len(samples) - reasonings.lengths.total(),
        captions=captions.different,
        reasonings=reasonings.different,
        caption_vocabulary=len(captions.words),
        reasoning_vocabulary=len(reasonings.words),
        codes_per_clip=dict(sorted(lengths.items())),
        caption_lengths=dict(sorted(captions.lengths.items())),
        reasoning_lengths=dict(sorted(reasonings.lengths.items())),
        code_counts=tuple(codes[code] for code in range(nb_code or max(codes) + 1)),
    )


def summary(histogram: Histogram) -> dict[str, float]:
    """min, median, mean, p95 and max of a histogram; empty for an empty one."""
    total = sum(histogram.values())
    if not total:
        return {}
    mean = sum(value * count for value, count in histogram.items()) / total
    median, p95 = _quantile(histogram, 0.5), _quantile(histogram, 0.95)
    return {"min": min(histogram), "median": median, "mean": round(mean, 1), "p95": p95, "max": max(histogram)}


def _quantile(histogram: Histogram, share: float) -> int:
    """The smallest value that at least `share` of all counted values do not exceed."""
    needed, seen = share * sum(histogram.values()), 0
    for value in sorted(histogram):
        seen += histogram[value]
        if seen >= needed:
            return value
    return max(histogram)


def format_statistics(by_split: dict[str, CotStatistics]) -> str:
    """A table with a row for each quantity and a column for each split."""
    columns = [_column(statistics) for statistics in by_split.values()]
    cells = [["", *by_split]] + [[name, *(column[name] for column in columns)] for name in columns[0]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for name, *values in cells:
        padded = (value.rjust(width) for value, width in zip(values, widths[1:], strict=True))
        lines.append("  ".join([name.ljust(widths[0]), *padded]).rstrip())
    return "\n".join(lines)


def _column(statistics: CotStatistics) -> dict[str, str]:
    return {
        "lines": str(statistics.lines),
        "of them for both tasks / t2m / m2t": " / ".join(map(str, statistics.tasks.values())),
        "without reasoning": str(statistics.without_reasoning),
        "clips": str(statistics.clips),
        "codes a clip: min / median / p95 / max": _range(statistics.codes_per_clip),
        "words a caption": _range(statistics.caption_lengths),
        "words a reasoning": _range(statistics.reasoning_lengths),
        "different captions": str(statistics.captions),
        "different reasonings": str(statistics.reasonings),
        "vocabulary of captions": str(statistics.caption_vocabulary),
        "vocabulary of reasonings": str(statistics.reasoning_vocabulary),
        "codes in use": f"{len(statistics.code_counts) - statistics.unused_codes} of {len(statistics.code_counts)}",
        "perplexity of codes": f"{statistics.code_perplexity:.1f}",
    }


def _range(histogram: Histogram) -> str:
    found = summary(histogram)
    return " / ".join(str(found[name]) for name in ("min", "median", "p95", "max")) if found else "-"
