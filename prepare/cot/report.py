"""A folder of CoT jsonl gets a report, made from its files: a table, statistics.json and cot_statistics.png."""

from pathlib import Path
from typing import Any

from dataset.cot.samples import read_cot_jsonl
from dataset.cot.statistics import CotStatistics, cot_statistics, format_statistics
from utils.files.json_files import write_json
from utils.plots import plot_histograms

STATISTICS_FILE, PICTURE_FILE = "statistics.json", "cot_statistics.png"


def report_cot(files: dict[str, Path], nb_code: int | None, out_dir: str | Path, about: dict[str, Any]) -> str:
    """Write statistics and picture into `out_dir`, and return the table.

    Args:
        files: CoT jsonl by split.
        nb_code: size of the codebook; None where it is not known.
        about: further content of statistics.json, for example where the reasoning comes from.
    """
    found = {split: cot_statistics(read_cot_jsonl(path, nb_code), nb_code) for split, path in files.items()}
    splits = {split: statistics.as_fields() for split, statistics in found.items()}
    write_json(Path(out_dir) / STATISTICS_FILE, {**about, "splits": splits})
    plot_histograms(panels_of(found), Path(out_dir) / PICTURE_FILE, str(out_dir))
    return format_statistics(found)


def panels_of(found: dict[str, CotStatistics]) -> dict[str, dict[str, dict[int, int]]]:
    """The histograms of the picture, by panel and split."""
    return {
        "codes of a clip": {split: item.codes_per_clip for split, item in found.items()},
        "words of a caption": {split: item.caption_lengths for split, item in found.items()},
        "words of a reasoning": {split: item.reasoning_lengths for split, item in found.items()},
        "use of the codebook": {split: dict(enumerate(item.code_counts)) for split, item in found.items()},
    }
