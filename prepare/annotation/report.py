"""prepare.generate_cot prints these: prompts and an estimate in a dry run, and at the end the state of the folder."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from prepare.annotation.flags import EndpointFlags
from prepare.annotation.plan import Assignment
from prepare.annotation.prompts import text_of_messages
from prepare.annotation.run import AnnotationRules, Prices
from prepare.annotation.store import AnnotationStore
from prepare.cot.doubtful import DOUBTFUL_FILE

# Of English prose; for an estimate before any answer has told the true number of tokens.
_CHARACTERS_A_TOKEN, _TOKENS_A_WORD = 4.0, 1.4
_SAMPLE = 20  # prompts whose length is looked at


def show_plan(
    assignments: Sequence[Assignment],
    doubtful: Sequence[dict[str, Any]],
    store: AnnotationStore,
    rules: AnnotationRules,
    flags: EndpointFlags,
) -> None:
    """Print what --dry-run shows: some prompts, how many requests are left, and the estimate."""
    left = [item for item in assignments if store.times_rejected(item.key) == 0]
    shown: Counter[str] = Counter()
    for item in left:
        if shown[item.task] < flags.show_prompts:
            shown[item.task] += 1
            print(f"--- {item.task} of {item.record.id}\n{_prompt(item, rules)}\n")
    print(f"{len(left)} of {len(assignments)} requests are left; {len(doubtful)} captions contradict their own motion")
    if left:
        print(estimate(left, store, rules, flags.prices))


def estimate(left: Sequence[Assignment], store: AnnotationStore, rules: AnnotationRules, prices: Prices) -> str:
    """Tokens and cost of the assignments that are left: by the answers so far, else by the lengths of prompts."""
    paid = [row["usage"] for row in (*store.accepted, *store.rejected) if None not in row["usage"].values()]
    if paid:
        source = f"as the {len(paid)} answers so far"
        each = [sum(usage[name] for usage in paid) / len(paid) for name in ("prompt_tokens", "completion_tokens")]
    else:
        source = "by the number of words; a model that thinks to itself first is paid for more"
        if rules.evidence.with_video:
            source += "; pictures not counted"
        texts = [_prompt(item, rules) for item in left[:: max(len(left) // _SAMPLE, 1)]]
        words = (rules.bounds.min_words + rules.bounds.max_words) / 2
        each = [sum(map(len, texts)) / len(texts) / _CHARACTERS_A_TOKEN, words * _TOKENS_A_WORD]
    tokens = [round(count * len(left)) for count in each]
    cost = prices.cost(*tokens)
    money = "give --price-in and --price-out for the cost" if cost is None else f"cost about {cost:.2f}"
    return f"about {tokens[0]} tokens in and {tokens[1]} out ({source}); {money}"


def print_summary(
    store: AnnotationStore, assignments: Sequence[Assignment], doubtful: Sequence[dict[str, Any]], prices: Prices
) -> None:
    """Print where the folder stands, and write its reasoning files."""
    done = sum(store.times_rejected(item.key) is None for item in assignments)
    print(f"{store.folder}: {done} of {len(assignments)} accepted, {len(store.rejected)} replies rejected")
    for reason, count in Counter(row["reason"] for row in store.rejected).most_common():
        print(f"  {count:>6} {reason}")
    if doubtful:
        print(f"{len(doubtful)} captions were not asked for, their own motion contradicts them: {DOUBTFUL_FILE}")
    rows = [*store.accepted, *store.rejected]
    tokens = [sum(row["usage"][name] or 0 for row in rows) for name in ("prompt_tokens", "completion_tokens")]
    unknown = sum(None in row["usage"].values() for row in rows)
    cost = prices.cost(*tokens)
    print(
        f"tokens of all runs: {tokens[0]} in, {tokens[1]} out"
        + (f", not told for {unknown} replies" if unknown else "")
        + (f"; cost {cost:.4f}" if cost is not None else "")
    )
    for path in store.write_reasoning():
        print(f"{path}: for prepare.write_cot_jsonl --reasoning")


def _prompt(item: Assignment, rules: AnnotationRules) -> str:
    return text_of_messages(rules.evidence.messages(item, rules.bounds))
