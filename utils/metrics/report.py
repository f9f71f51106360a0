"""Metrics with their intervals: how they are averaged, signed, written to results.json and printed as a table.

Every number carries a signature of what made it, such as
`FID 0.231 +- 0.006 | data:t2m|split:test|n:4384|rep:20|eval:<fingerprint>|seed:123|v:1.1`.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from utils.errors import InputError
from utils.files.json_files import read_json, write_json
from utils.metrics.digits import digits_that_show
from utils.metrics.quantiles import student_t_quantile

FORMAT_VERSION = 1
# Raise it when a change makes numbers incomparable. 1.1: KIT-ML's unit is 1/640 m, where 1.0 took it for a millimetre,
# so its metrics in millimetres and metres a second are 1.56 times what they were; those of HumanML3D are the same. 2.0:
# a caption is drawn anew for each draw; intervals are over draws, or over clips where there is one draw, and say so.
PROTOCOL_VERSION = "2.0"
REAL = "real"  # the row of real motion
VERSION = "version"
_VERSION = re.compile(r"\|v:([\d.]+)")
WELL_FORMED = "Well-formed"
NORMAL_95 = 1.96
FIELD_DRAWS = 20
OVER_DRAWS, OVER_CLIPS, OVER_PAIRS = "draws", "clips", "pairs"
_EVALUATE_AGAIN = "delete it and finished.json beside it, and give the command that made them again"


@dataclass(frozen=True)
class MetricValue:
    """A metric: mean over repeats, half-width of its 95 % interval (None where unknown), samples, repeats.

    `mean` is None where the metric could not be computed; it is never 0 for that reason. `over` says what the interval
    is over: ``draws`` of replies, ``clips`` (`utils.metrics.bootstrap`), or ``pairs`` of the same replies
    (MultiModality); None where that was not written down.
    """

    mean: float | None
    interval: float | None
    n: int
    repeats: int
    over: str | None = None

    @classmethod
    def over_repeats(cls, values: Sequence[float], n: int) -> "MetricValue":
        """1.96 sd / sqrt(repeats) around the mean of one value per repeat, each of `n` samples.

        As in the field, sd divides by the number of repeats. One repeat has no interval; a NaN makes the whole
        value None.
        """
        repeats = len(values)
        if not repeats or not all(math.isfinite(value) for value in values):
            return cls(None, None, n, repeats)
        mean = math.fsum(values) / repeats
        if repeats == 1:
            return cls(mean, None, n, repeats)
        deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / repeats)
        return cls(mean, NORMAL_95 * deviation / math.sqrt(repeats), n, repeats)

    @classmethod
    def over_draws(cls, values: Sequence[float], n: int, over_clips: float | None = None) -> "MetricValue":
        """The mean of one value per draw of replies, each of `n` samples.

        The interval is Student's, t(draws - 1) sd / sqrt(draws). The field's (`over_repeats`) takes sd for known, and
        holds the true mean in 93 % of cases for its 20 draws, in 89 % for 8 and in 81 % for 4: Student's is 1.10, 1.29
        and 1.87 times as wide. One draw has the interval `over_clips`, which may be None.
        """
        found = cls.over_repeats(values, n)
        if found.mean is None:
            return found
        if found.repeats == 1:
            return replace(found, interval=over_clips, over=None if over_clips is None else OVER_CLIPS)
        quantile = student_t_quantile(0.975, found.repeats - 1)
        wider = quantile / NORMAL_95 * math.sqrt(found.repeats / (found.repeats - 1))
        return replace(found, interval=found.interval * wider, over=OVER_DRAWS)

    def text(self, digits: int = 3) -> str:
        """With so many digits after the point; with more where two of the mean or one of the interval would not show,
        as of a FID of embeddings of length 1."""
        if self.mean is None:
            return "-"
        digits = digits_that_show(self.mean, self.interval, digits)
        number = f"{self.mean:.{digits}f}"
        return number if self.interval is None else f"{number} +- {self.interval:.{digits}f}"


@dataclass(frozen=True)
class Signature:
    """What made a number; a None is left out of the text.

    Attributes:
        data: data set name. split: its part. evaluator, checkpoint: fingerprints. seed: of the evaluation.
        com: candidates x rounds of Chain-of-Motion, with `oracle` where references were used.
        decoding: how replies were drawn, such as ``T0.7,p1,max512,fp32``; None for those of somebody else.
        protocol: how captions are compared (m2t). tagger: what made words of theirs. bertscore: model behind it.
        notes: anything a reader must know, e.g. `judge=ranker`.
    """

    data: str
    split: str
    seed: int
    evaluator: str | None = None
    checkpoint: str | None = None
    com: str | None = None
    decoding: str | None = None
    protocol: str | None = None
    tagger: str | None = None
    bertscore: str | None = None
    notes: str | None = None

    def text(self, value: MetricValue, formed: float | None = None) -> str:
        """With `formed`, the share of replies that could be used: what failed leaves a metric, or its rivals alone."""
        shown = {
            "data": self.data, "split": self.split, "n": value.n, "rep": value.repeats, "ci": value.over,
            "eval": self.evaluator,
            "ckpt": self.checkpoint, "com": self.com, "decoding": self.decoding,
            "formed": None if formed is None else f"{formed:.3f}",
            "protocol": self.protocol, "tagger": self.tagger, "bertscore": self.bertscore, "notes": self.notes,
            "seed": self.seed, "v": PROTOCOL_VERSION,
        }  # fmt: skip
        return "|".join(f"{key}:{part}" for key, part in shown.items() if part is not None)


def signed_line(metric: str, value: MetricValue, signature: Signature, formed: float | None = None) -> str:
    return f"{metric} {value.text()} | {signature.text(value, formed)}"


def _formed(metrics: Mapping[str, MetricValue]) -> float | None:
    """The share of replies that could be used, beside every metric of a row that failures touch."""
    return metrics[WELL_FORMED].mean if WELL_FORMED in metrics else None


def collect_repeats(repeats: Sequence[Mapping[str, float]], n: int | Mapping[str, int]) -> dict[str, MetricValue]:
    """One dict of metrics per repeat -> one `MetricValue` per metric; `n`: samples of all of them, or by metric."""
    counts = n if isinstance(n, Mapping) else dict.fromkeys(repeats[0], n)
    return {name: MetricValue.over_repeats([row[name] for row in repeats], counts[name]) for name in repeats[0]}


Rows = Mapping[str, Mapping[str, MetricValue]]


def write_results(
    path: str | Path, rows: Rows, signature: Signature, extra: Mapping[str, object] | None = None
) -> None:
    """results.json: row name (e.g. `real`, `generated`) -> metric -> value with its signature; `extra` beside them.

    The signature of real motion names no policy: none made it.
    """
    of_real = replace(signature, checkpoint=None, com=None, decoding=None, notes=None)
    body = {
        row: {
            name: {
                "mean": value.mean, "interval": value.interval, "n": value.n, "repeats": value.repeats,
                "over": value.over,
                "signature": signed_line(
                    name,
                    value,
                    of_real if row == REAL else signature,
                    None if name == WELL_FORMED else _formed(metrics),
                ),
            }
            for name, value in metrics.items()
        }
        for row, metrics in rows.items()
    }  # fmt: skip
    about = {field.name: getattr(signature, field.name) for field in fields(signature)}
    write_json(path, {"format_version": FORMAT_VERSION, "about": about, "rows": body, **(extra or {})})


def read_results(path: str | Path) -> dict[str, dict[str, MetricValue]]:
    """The rows of a results.json. Raises InputError where it is none."""
    try:
        rows = read_json(path, _EVALUATE_AGAIN)["rows"]
        return {row: {name: _value(entry) for name, entry in metrics.items()} for row, metrics in rows.items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{path}: not a results.json ({error!r}); {_EVALUATE_AGAIN}") from None


def read_about(path: str | Path) -> dict[str, str | None]:
    """The parts of the signature of a results.json that are texts; None where it does not say.

    One of them, `VERSION`, is that of the protocol: it stands in the signature of every number.
    """
    content = read_json(path, _EVALUATE_AGAIN)
    about = content.get("about")
    said = about if isinstance(about, dict) else {}
    texts = {field.name: said.get(field.name) for field in fields(Signature) if field.name != "seed"}
    if texts["protocol"] == "raw":
        texts["protocol"] = "ptb"  # as earlier versions called it
    texts[VERSION] = next(iter(_VERSION.findall(json.dumps(content.get("rows")))), None)
    return {name: text if isinstance(text, str) else None for name, text in texts.items()}


def read_remarks(path: str | Path) -> list[str]:
    """What a reader of the numbers of a results.json must know."""
    remarks = read_json(path, _EVALUATE_AGAIN).get("remarks")
    return [remark for remark in remarks if isinstance(remark, str)] if isinstance(remarks, list) else []


def _value(entry: Mapping[str, object]) -> MetricValue:
    numbers = [entry[name] for name in ("mean", "interval", "n", "repeats")]
    finite = all(number is None or (type(number) in (int, float) and math.isfinite(number)) for number in numbers)
    if not finite or None in numbers[2:]:
        raise ValueError("a metric without its numbers")
    return MetricValue(*numbers, entry.get("over"))  # files of earlier versions do not say


def transposed(rows: Rows) -> dict[str, dict[str, MetricValue]]:
    """Metrics downwards instead of across: for more of them than a terminal is wide."""
    fullest_first = sorted(rows.values(), key=len, reverse=True)
    metrics = dict.fromkeys(name for values in fullest_first for name in values)
    return {name: {row: values[name] for row, values in rows.items() if name in values} for name in metrics}


def format_table(
    rows: Rows, columns: Sequence[str] | None = None, digits: int = 3, heads: Mapping[str, str] | None = None
) -> str:
    """Rows by columns as aligned text; `-` where a row lacks a metric. Columns default to all, in their order. Without
    rows there is no text.

    Args:
        heads: name of a column -> what stands above it, where that is another text. With them there is a column ``n``
            in front: of how many clips a row is, by its first metric.
    """
    if not rows:
        return ""
    if columns is None:
        columns = list(dict.fromkeys(name for metrics in rows.values() for name in metrics))
    cells = [["", *(["n"] if heads else []), *((heads or {}).get(name, name) for name in columns)]]
    for row, metrics in rows.items():
        count = next((str(metrics[name].n) for name in columns if name in metrics), "-")
        values = [metrics[name].text(digits) if name in metrics else "-" for name in columns]
        cells.append([row, *([count] if heads else []), *values])
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    lines = [
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))])
        for line in cells
    ]
    return "\n".join(line.rstrip() for line in [lines[0], "-" * len(lines[0]), *lines[1:]])
