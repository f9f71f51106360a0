"""Claims of captions: on hand-labelled sentences, and true ones of toy people beside others that were turned round."""

import random
import re
from itertools import chain
from pathlib import Path

import pytest

from dataset.claims.claims import ACTIONS, SLOTS, Claim, claims_of
from dataset.claims.clauses import clauses_of
from dataset.facts.motion_facts import motion_facts
from dataset.facts.verdicts import verdict
from dataset.toy.clips import toy_clips
from tests.dataset.actions.truth import pack_pairs
from tests.places import SHARED
from tests.rewards.motion_pack import PACK, needs_pack
from utils.files.json_files import read_json, read_jsonl
from utils.motion.skeleton import T2M

HERE = Path(__file__).parent
KIT_CAPTIONS = SHARED / "data/kit_captions/annotations.json"
needs_kit = pytest.mark.skipif(
    not KIT_CAPTIONS.is_file(), reason="the captions of KIT-ML are not beside the repository"
)
TURNED = {"left": "right", "right": "left", "clockwise": "counterclockwise", "counterclockwise": "clockwise"}
COUNTED = {"once": "three times", "twice": "four times", "two times": "four times", "four times": "twice"}


def told(claim: Claim) -> str:
    """A claim as the labels have it: "jump", "jump count 2", "not turn"."""
    value = f"{claim.value:g}" if isinstance(claim.value, float) else claim.value
    return f"{'not ' * claim.denied}{claim.action}" + ("" if claim.slot == "action" else f" {claim.slot} {value}")


def labelled(name: str) -> list[tuple[str, set[str]]]:
    lines = (HERE / name).read_text().splitlines()
    return [(text.strip(), set(filter(None, labels.strip().split("; ")))) for text, _, labels in
            (line.partition("|") for line in lines)]  # fmt: skip


def precision_and_coverage(pairs):
    """Shares of the claims found that are labelled, and of those labelled that are found."""
    found = [({told(claim) for claim in claims_of(text)}, labels) for text, labels in pairs]
    right = sum(len(one & other) for one, other in found)
    return right / sum(len(one) for one, _ in found), right / sum(len(other) for _, other in found)


def test_claims_are_those_that_a_reader_finds():
    precision, coverage = precision_and_coverage(labelled("labelled.txt"))
    assert precision > 0.98 and coverage > 0.9


@needs_kit
def test_claims_of_captions_by_many_people_are_those_that_a_reader_finds():
    clips = read_json(KIT_CAPTIONS, "")
    pairs = [(clips[clip]["annotations"][int(number)]["text"], labels) for (clip, number), labels in
             ((key.split(), labels) for key, labels in labelled("kit_labelled.txt"))]  # fmt: skip
    precision, coverage = precision_and_coverage(pairs)
    assert precision > 0.97 and coverage > 0.9
    texts = [annotation["text"] for clip in list(clips.values())[::6] for annotation in clip["annotations"]]
    assert sum(bool(claims_of(text)) for text in texts) > 0.72 * len(texts)


def by_key(name, captions_of):
    """Labelled captions of a data set that is not in the repository: the file has their clips and numbers."""
    keys = [(key.split(), labels) for key, labels in labelled(name)]
    return [(captions_of(clip)[int(number)], labels) for (clip, number), labels in keys]


@needs_kit
@needs_pack
def test_claims_of_captions_that_were_labelled_before_the_rules_read_them():
    """A random sample that no rule was written by; what it shows is what other captions will have."""
    clips = read_json(KIT_CAPTIONS, "")
    kit = by_key("kit_blind.txt", lambda clip: [one["text"] for one in clips[clip]["annotations"]])
    told_of = {row["id"]: row["captions"] for row in read_jsonl(PACK.with_name("meta.jsonl"))}
    pack, toy = by_key("pack_blind.txt", told_of.__getitem__), labelled("toy_blind.txt")
    for pairs, precision, recall in ((kit, 0.94, 0.88), (pack, 0.97, 0.93), (toy, 0.97, 0.96)):
        found = precision_and_coverage(pairs)
        assert found[0] > precision and found[1] > recall


def test_clauses_have_their_place():
    def places(text):
        return [(clause.action, clause.place) for clause in clauses_of(text)]

    assert places("he walks, then turns and waves") == [("walk", 0), ("turn", 1), ("wave", 1)]
    assert places("after walking forward the man sits down") == [("walk", 0), ("sit", 1)]
    assert places("he sits down after walking") == [("sit", 0), ("walk", -1)]
    assert places("he jumps while waving") == [("jump", 0), ("wave", 0)]
    assert places("a person jumps. then the person bows.") == [("jump", 0), ("bow", 1)]
    assert all(
        claim.action in ACTIONS and claim.slot in SLOTS for claim in claims_of("he walks, then turns left twice")
    )


def test_words_in_any_order_are_read_without_a_fault():
    rng, facts = random.Random(0), motion_facts(next(toy_clips(1, 8)).joints, T2M)
    words = [word for text, _ in labelled("labelled.txt") for word in text.split()]
    for _ in range(300):
        text = " ".join(rng.choices(words, k=rng.randint(1, 50)))
        assert all(verdict(claim, facts) in (True, False, None) for claim in claims_of(text))
    assert claims_of("") == claims_of("left and right " * 300) == []


@pytest.fixture(scope="module")
def told_clips():
    """(facts, captions, reasoning) of toy clips."""
    return [(motion_facts(clip.joints, T2M), [caption.text for caption in clip.captions], clip.reasoning) for clip in
            toy_clips(100, 8)]  # fmt: skip


def share_failing(pairs):
    return sum(any(verdict(claim, facts) is False for claim in claims_of(text)) for text, facts in pairs) / len(pairs)


def turned(text, table):
    return re.sub(rf"\b({'|'.join(table)})\b", lambda match: table[match.group()], text)


def test_what_is_true_of_toy_people_does_not_fail_and_what_is_turned_round_does(told_clips):
    texts = [(text, facts) for facts, captions, reasonings in told_clips for text in chain(captions, reasonings)]
    assert share_failing(texts) < 0.005
    for table, least in ((TURNED, 0.97), (COUNTED, 0.85)):
        others = [(turned(text, table), facts) for facts, captions, _ in told_clips for text in captions]
        others = [pair for pair, (_, captions, _) in zip(others, chain.from_iterable([clip] * 3 for clip in told_clips),
                                                         strict=True) if pair[0] not in captions]  # fmt: skip
        assert len(others) > 60 and share_failing(others) > least
    rng = random.Random(0)
    swapped = [(rng.choice(told_clips)[1][0], facts) for facts, _, _ in told_clips]
    assert share_failing(swapped) > 0.7


def test_a_motion_that_stands_still_fails_nearly_every_caption(told_clips):
    still = motion_facts(next(toy_clips(1, 8)).joints[:1].repeat(60, axis=0), T2M)
    texts = [(captions[0], still) for _, captions, _ in told_clips]
    assert share_failing(texts) > 0.9


@needs_pack
def test_true_captions_of_real_people_hold():
    pairs = list(pack_pairs("test"))
    assert share_failing([(text, facts) for _, facts, row in pairs for text in row["captions"]]) < 0.01
    verdicts = [
        verdict(claim, facts) for _, facts, row in pairs for text in row["captions"] for claim in claims_of(text)
    ]
    assert verdicts.count(True) > 0.95 * len(verdicts)
