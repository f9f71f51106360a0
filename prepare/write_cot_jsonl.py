"""Join motion codes, captions and reasoning into chain-of-thought jsonl: one file a split, one line a caption.

    python -m prepare.write_cot_jsonl --codes codes.jsonl --data-root data/toy --out-dir data/toy_cot

Reasoning comes from a jsonl with `id` and `reasoning` (a string or a list of them), by default DATA_ROOT/programs.jsonl
where that exists. A line serves both tasks. With `--with-reflections` it also holds a draft (dataset/drafts.py), which
prepares the model for the reflections of Chain-of-Motion.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from dataset.cot_samples import write_cot_jsonl
from dataset.cot_source import CotSource, read_cot_source, write_cot_source
from dataset.drafts import Drafts
from dataset.humanml_layout import MotionRecord, read_split
from dataset.sample import Sample
from options.parsing import flag, parse_flags, required_flag
from utils.command import run_command
from utils.errors import InputError
from utils.motion_facts import motion_facts
from utils.motion_features import joints_in_metres
from utils.skeleton import Skeleton, get_skeleton


@dataclass
class CotFlags:
    """What is joined."""

    _argument_group_name = "chain-of-thought jsonl"

    codes: str = required_flag("codes of prepare.encode_motions")
    data_root: str = required_flag("the data set that was encoded (captions)")
    out_dir: str = required_flag("folder for cot_<split>.jsonl")
    dataname: str = flag("t2m", "skeleton: t2m = HumanML3D, kit = KIT-ML")
    reasoning: str | None = flag(None, "jsonl with id and reasoning; default DATA_ROOT/programs.jsonl if it exists")
    with_reflections: bool = flag(
        False, "give every line a draft to improve on, with what it lacks in words: --reflection-share of SFT shows it"
    )
    seed: int = flag(0, "of the drafts")


def read_jsonl(path: Path) -> Iterator[tuple[int, dict]]:
    """(line number, object) of every line. Raises InputError with file:line."""
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                value = json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(f"{path}:{number}: not JSON ({error.msg})") from error
            if not isinstance(value, dict) or not isinstance(value.get("id"), str):
                raise InputError(f"{path}:{number}: expected an object with a string 'id'")
            yield number, value


def read_reasoning(path: Path) -> dict[str, list[str]]:
    """Reasonings by clip id."""
    found = {}
    for number, row in read_jsonl(path):
        value = row.get("reasoning")
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
            raise InputError(f"{path}:{number}: 'reasoning' must be a non-empty string or list of them")
        found[row["id"]] = texts
    return found


def samples_of(
    records: list[MotionRecord], codes: dict[str, list[int]], reasoning: dict[str, list[str]]
) -> Iterator[Sample]:
    """One sample per caption; several reasonings are dealt out in turn. A record without codes is skipped."""
    for record in records:
        if not codes.get(record.id):
            continue
        texts = reasoning.get(record.id, [""])
        for number, caption in enumerate(record.captions):
            yield Sample(
                task="t2m",
                caption=caption.text,
                codes=tuple(codes[record.id]),
                reasoning=texts[number % len(texts)],
                id=record.id,
            )


def with_drafts(samples: list[Sample], records: list[MotionRecord], skeleton: Skeleton, seed: int) -> list[Sample]:
    """The samples, each with a draft of another clip."""
    clips = {sample.id for sample in samples}
    facts = {
        record.id: motion_facts(joints_in_metres(record.features, skeleton), skeleton)
        for record in tqdm(records, desc="measuring motions", unit="clip")
        if record.id in clips
    }
    drafts = Drafts(samples, facts, seed)
    return [replace(sample, draft=drafts.draft(index)) for index, sample in enumerate(samples)]


def main() -> None:
    (flags,) = parse_flags(CotFlags, description=__doc__)
    source = read_cot_source(flags.codes)
    if source is None:
        raise InputError(f"{flags.codes} has no .source.json beside it: make it with prepare.encode_motions")
    default = Path(flags.data_root) / "programs.jsonl"
    reasoning_file = Path(flags.reasoning) if flags.reasoning else (default if default.is_file() else None)
    reasoning = read_reasoning(reasoning_file) if reasoning_file else {}
    skeleton = get_skeleton(flags.dataname)
    by_split: dict[str, dict[str, list[int]]] = {}
    for _, row in read_jsonl(Path(flags.codes)):
        by_split.setdefault(row["split"], {})[row["id"]] = row["codes"]
    for split, codes in by_split.items():
        records = read_split(flags.data_root, split, skeleton)
        samples = list(samples_of(records, codes, reasoning))
        if flags.with_reflections:
            samples = with_drafts(samples, records, skeleton, flags.seed)
        path = Path(flags.out_dir) / f"cot_{split}.jsonl"
        write_cot_jsonl(path, samples)
        write_cot_source(path, CotSource(**{**vars(source), "data_root": flags.data_root}))
        lengths = Counter(len(sample.codes) for sample in samples)
        without = sum(not sample.reasoning for sample in samples)
        print(
            f"{path}: {len(samples)} lines of {len(codes)} clips, {min(lengths)}-{max(lengths)} codes, "
            f"{without} without reasoning"
        )


if __name__ == "__main__":
    run_command(main)
