"""A finished evaluation is judged again by another evaluator (--rescore): its replies are there already.

Everything but who judges and how is read from the run's own record. The new numbers go into a run of their own inside
the old one's folder; they keep what the old signature says of how the replies were made.
"""

import logging
import sys
import types
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from options.evaluate import EvalSettings
from options.flags.evaluation import in_todays_words
from options.flags.parsing import names_on
from options.inputs import evaluation_inputs
from utils.errors import InputError
from utils.files.json_files import read_json
from utils.run.folder import RunFolder
from utils.run.inputs import Input, read_record

if TYPE_CHECKING:
    from models.evaluation.predictions import Replies
    from models.policy.checkpoint import Checkpoint

PREDICTIONS_FILE = "predictions.jsonl"  # models.evaluation.predictions_file.PREDICTIONS_FILE, which would import torch
# What may be asked of the same replies anew, and what says only where and how loudly.
_ANEW = ("repeats", "m2t_protocol", "bertscore_model")
_WHERE = (
    "out_dir", "exp_name", "device", "reward_device", "eval_batch_size", "profile", "show_trace", "save_motions",
    "any_posture",
)  # fmt: skip
# Files may have moved since; their contents are compared.
_MOVED = ("eval_ckpt", "data_root", "from_predictions", "motion_tokenizer", "llm_backbone")


def rescoring(asked: EvalSettings, words: Sequence[str] | None = None) -> EvalSettings:
    """The settings of the finished evaluation that `asked` names, with the evaluator of --rescore for a judge.

    Without --rescore they are what was asked.

    Args:
        words: the command line that asks; None: that of this process.

    Raises:
        InputError: there is no finished evaluation, or `asked` contradicts what it was asked.
    """
    if asked.evaluation.rescore is None:
        return asked
    folder, before = _finished(asked)
    before = in_todays_words(before)
    named, now = names_on(sys.argv[1:] if words is None else words, _groups()), asked.as_dict()
    given = {name: now[name] for name in named}
    differing = {name for name in given if before.get(name) != given[name]} - {*_ANEW, *_WHERE, *_MOVED, "rescore"}
    if differing:
        shown = ", ".join(f"{name} was {before.get(name)!r}, now {given[name]!r}" for name in sorted(differing))
        raise InputError(f"--rescore: {folder.path} was made with other arguments ({shown}): leave them out")
    if before.get("mm_repeats"):
        logging.info("MultiModality is not measured again: its replies were not kept")
    before["mm_repeats"] = given["mm_repeats"] = 0
    try:
        _ = _settings_of(before)
    except ValueError as error:
        raise InputError(f"{folder.path / 'args.json'} is damaged ({error}): make the evaluation again") from None
    try:
        settings = _settings_of({**before, "save_motions": [], **given})
    except ValueError as error:
        raise InputError(str(error)) from None
    inputs = evaluation_inputs(settings)
    folder.check_inputs({name: inputs[name] for name in _MOVED if name in inputs})
    return _judged_anew(settings, asked, folder.path, before)


def _finished(asked: EvalSettings) -> tuple[RunFolder, dict[str, Any]]:
    """The finished evaluation that is named, and what it was asked."""
    if not (asked.run.exp_name or asked.evaluation.eval_ckpt or asked.evaluation.from_predictions):
        raise InputError("--rescore: give --exp-name of the finished evaluation, or the command that made it")
    folder = RunFolder(asked.folder)
    before = folder.recorded()
    if before is None or folder.finished is None:
        raise InputError(f"--rescore: {folder.path} holds no finished evaluation (finish it first, by its own command)")
    if "eval_task" not in before:
        raise InputError(f"--rescore: {folder.path} holds no evaluation, but another run")
    return folder, before


def _judged_anew(settings: EvalSettings, asked: EvalSettings, folder: Path, before: dict[str, Any]) -> EvalSettings:
    """The settings of a run within the folder of the old one."""
    flags, evaluator = settings.evaluation, asked.evaluation.rescore
    changed = [name for name in _ANEW if getattr(flags, name) != before.get(name, getattr(flags, name))]
    name = "_".join([f"rescored_{Path(evaluator).name}", *(Path(f"{getattr(flags, name)}").name for name in changed)])
    name = _own_name(folder, name, evaluator)
    return replace(
        settings,
        run=replace(settings.run, out_dir=str(folder), exp_name=name),
        evaluation=replace(
            flags,
            eval_evaluator=evaluator,
            from_predictions=flags.from_predictions or str(folder / PREDICTIONS_FILE),
        ),
        com=replace(settings.com, show_trace=0),  # the trace is the old run's
    )


def _own_name(folder: Path, name: str, evaluator: str) -> str:
    """`name`, with the fingerprint of the judge behind it where another judge of that name has it already."""
    judge = Input.at(evaluator)
    if judge is None:
        return name  # it is refused when it is loaded
    content = judge.content()
    if (folder / f"{name}_{content}").is_dir():
        return f"{name}_{content}"
    other = read_record(RunFolder(folder / name).recorded()).get("eval_evaluator", {}).get("content", content)
    return name if other == content else f"{name}_{content}"


def as_made(settings: EvalSettings, replies: "Replies", checkpoint: "Checkpoint | None") -> "Replies":
    """The replies of a finished evaluation with all that it says of how they were made."""
    from utils.metrics.report import PROTOCOL_VERSION, VERSION, read_about  # which imports scipy

    file = settings.folder.parent / "results.json"
    about, made = read_about(file), read_json(file)
    ranked_by, cost, rewarded_by = (made.get(name) for name in ("ranked_by", "chain_of_motion", "rewarded_by"))
    if not isinstance(rewarded_by, list):  # earlier versions did not write it down
        policy = checkpoint if about["checkpoint"] is not None else None
        rewarded_by = () if policy is None else policy.rewarded_by(settings.evaluation.eval_task)
    notes = [note for note in (about["notes"] or "").split(",") if note and not note.startswith("judge=")]
    if about[VERSION] not in (None, PROTOCOL_VERSION):
        notes.append(f"replies=v{about[VERSION]}")  # up to 1.1 all draws answered the same captions
    if about["com"] is not None and "ranked_by" not in made:
        notes.append("ranker=unknown")  # earlier versions did not write it down
    return replace(
        replies,
        checkpoint=about["checkpoint"],
        com=about["com"],
        decoding=about["decoding"],
        ranked_by=ranked_by if isinstance(ranked_by, str) else None,
        rewarded_by=tuple(rewarded_by),
        notes=tuple(notes),
        com_cost=cost if isinstance(cost, dict) else None,
    )


def _settings_of(values: dict[str, Any]) -> EvalSettings:
    """The settings with these flags. Raises ValueError for values that no flag can have."""
    groups = []
    for kind in _groups():
        hints = get_type_hints(kind)
        own = {field.name: values[field.name] for field in fields(kind) if field.name in values}
        wrong = [name for name, value in own.items() if not _fits(value, hints[name])]
        if wrong:
            raise ValueError(f"{wrong[0]} is {own[wrong[0]]!r:.60}")
        groups.append(kind(**own))
    return EvalSettings(*groups)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value that json has read is of the kind of a flag."""
    if get_origin(hint) in (Union, types.UnionType):
        return any(_fits(value, kind) for kind in get_args(hint))
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is list:
        return isinstance(value, list) and all(_fits(item, get_args(hint)[0]) for item in value)
    if hint is float:
        return type(value) in (int, float)
    return type(value) is hint


def _groups() -> list[type]:
    hints = get_type_hints(EvalSettings)
    return [hints[field.name] for field in fields(EvalSettings)]
