"""What replies must be like, written as grammars over token ids, for engines that take no logits processor.

The language is Lark's as llguidance reads it: ``<[5]>`` is one token, ``<[5-9]>`` a range, ``<[^5,9]>`` any other.
Each grammar allows after every beginning what the processor of the same name allows: `models.language.grammar`,
`models.language.guidance`. The end of sequence follows where a grammar may end.
"""

from collections.abc import Collection
from itertools import groupby

from dataset.captions.tags import ANSWER_CLOSE, ANSWER_OPEN, MARKERS, MOTION_CLOSE, MOTION_OPEN, THINK_CLOSE
from models.language.guidance import Wanted
from models.language.vocabulary import MotionVocabulary
from utils.errors import InputError


def motion_grammar(vocabulary: MotionVocabulary) -> str:
    """As `models.language.grammar.MotionGrammar`: inside ``<Motion>`` only codes, then the tags that end the reply."""
    opened, closed, answered = (_one(vocabulary.marker_id(tag)) for tag in (MOTION_OPEN, MOTION_CLOSE, ANSWER_CLOSE))
    elsewhere = _other([vocabulary.marker_id(MOTION_OPEN), vocabulary.marker_id(ANSWER_CLOSE), vocabulary.eos_id])
    return (
        f"start: free* (({opened} code+ {closed})? {answered})?\nfree: {elsewhere}\ncode: {_any(vocabulary.code_ids)}\n"
    )


def reply_grammar(vocabulary: MotionVocabulary, wanted: Wanted) -> str:
    """As `models.language.guidance.ReplyGuide`: reasoning, the tags, a motion between two lengths or a caption."""
    if wanted.begun:
        raise InputError(
            "--engine vllm cannot guide a reply that is begun: --com-refine reflect, or --engine transformers"
        )
    tags = {tag: _one(vocabulary.marker_id(tag)) for tag in MARKERS}
    special = {vocabulary.eos_id, *vocabulary.tokenizer.all_special_ids}
    markers = {vocabulary.marker_id(tag) for tag in MARKERS}
    said, left = len(wanted.start), wanted.max_codes - len(wanted.start)
    given = " ".join(_one(vocabulary.code_ids[code]) for code in wanted.start)
    codes = f"code{{{max(0, wanted.min_codes - said)},{left}}}" if left else ""
    motion = f"{tags[MOTION_OPEN]} {given} {codes} {tags[MOTION_CLOSE]}"
    answer = motion if wanted.task == "t2m" else f"word{{1,{wanted.max_words}}}"
    return (
        f"start: word{{0,{wanted.max_words}}} {tags[THINK_CLOSE]} {tags[ANSWER_OPEN]} {answer} {tags[ANSWER_CLOSE]}\n"
        f"word: {_other({*vocabulary.code_ids, *markers, *special})}\ncode: {_any(vocabulary.code_ids)}\n"
    )


def _one(id: int) -> str:
    return f"<[{id}]>"


def _any(ids: Collection[int]) -> str:
    return f"<[{_ranges(ids)}]>"


def _other(ids: Collection[int]) -> str:
    return f"<[^{_ranges(ids)}]>"


def _ranges(ids: Collection[int]) -> str:
    """3, 4, 5, 9 -> ``3-5,9``."""
    runs = (
        [id for _, id in run] for _, run in groupby(enumerate(sorted(set(ids))), key=lambda pair: pair[1] - pair[0])
    )
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
