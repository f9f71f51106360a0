"""A training sample as a person can read it: what is asked, what is learned and how strongly, and the exact ids."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from models.language.prompts import REGION_ANSWER, REGION_QUERY, REGION_REASONING
from models.language.vocabulary import MotionVocabulary
from models.sft.batch import EncodedSample, SupervisionCollator

_NAMES = {REGION_QUERY: "query", REGION_REASONING: "reasoning", REGION_ANSWER: "answer"}
# Terminal colours: grey for what carries no loss, then blue and green.
_COLOURS = {REGION_QUERY: "90", REGION_REASONING: "34", REGION_ANSWER: "32"}


def describe_sample(encoded: EncodedSample, vocabulary: MotionVocabulary, colour: bool) -> str:
    """The regions of a sample in order: name, number of tokens, loss weight, text and ids.

    Args:
        encoded: as `models.sft.batch.encode_sample` makes it.
        colour: write terminal colours.
    """
    parts = []
    rows = zip(encoded.regions, encoded.input_ids, encoded.weights, strict=True)
    for (region, weight), group in groupby(rows, key=lambda row: (row[0], row[2])):
        ids = [token_id for _, token_id, _ in group]
        text = vocabulary.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        learned = "no loss" if region == REGION_QUERY else f"loss weight {weight:g}"
        body = f"{text}\n  ids {' '.join(map(str, ids))}"
        if colour:
            body = f"\033[{_COLOURS[region]}m{body}\033[0m"
        parts.append(f"[{_NAMES[region]}: {len(ids)} tokens, {learned}]\n{body}")
    return "\n".join(parts)


def describe_samples(collator: SupervisionCollator, count: int, tasks: Sequence[str], colour: bool) -> Iterator[str]:
    """The first `count` rows that `collator` encodes, once for each task that they are usable for."""
    for row in range(min(count, len(collator.samples))):
        for task in tasks:
            if collator.samples.task_of(row) in ("", task):
                shown = describe_sample(collator.encode(row, task), collator.language.vocabulary, colour)
                yield f"--- line {row + 1}, {task}\n{shown}"
