"""What is entailed is said, what is contradicted is false, what is neutral is not said; by hand and on toy texts."""

import random

import numpy as np
import pytest

from dataset.cot.entailment_pairs import EntailmentPairs, ReasonedCaption, split_sentences
from dataset.facts.caption_facts import differs_clearly, facts_of, turned
from dataset.toy.captions import write_captions
from dataset.toy.programs import sample_programs
from dataset.toy.reasoning import write_reasoning

RNG = random.Random(0)


def turn(caption, slot, numbers=(2, 3, 9)):
    true = facts_of(caption)[slot]
    return turned(caption, slot, lambda value: differs_clearly(slot, value, true), numbers, random.Random(1))


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("A person raises the left hand twice.", {"hand": {"left"}, "times": {"2"}}),
        ("it swings back and forth about 8 times", {"times": {"8"}}),
        ("kicks with both feet, then turns right", {"leg": {"both"}, "way": {"right"}, "order": {"sequence"}}),
        ("walks four running steps forward slowly", {"steps": {"4"}, "direction": {"forward"}, "speed": {"slow"}}),
        ("covers about 9.9 meters", {"meters": {"9.9"}}),
        ("turns by one hundred and eighty degrees clockwise", {"degrees": {"180"}, "rotation": {"clockwise"}}),
        ("reaching head height", {"level": {"head"}}),
        ("someone left the upright chair", {"way": {"left"}}),
        ("a bow", {}),
    ],
)
def test_facts_of_a_text(text, facts):
    assert facts_of(text) == facts


@pytest.mark.parametrize(
    ("caption", "slot", "options"),
    [
        ("a person turns left.", "way", {"a person turns right."}),
        ("a person walks forward.", "direction", {"a person walks backward.", "a person walks backwards."}),
        ("a person slowly bows.", "speed", {"a person quickly bows.", "a person rapidly bows."}),
        ("a person bows twice.", "times", {"a person bows nine times."}),
        ("a person takes about six running steps.", "steps", {"a person takes about two running steps."}),
        (
            "a person lifts both hands and waves them.",
            "hand",
            {"a person lifts the left hand and waves it.", "a person lifts the right hand and waves it."},
        ),
        ("a person lifts the left foot and turns left.", "way", {"a person lifts the left foot and turns right."}),
        ("a person bows, then sits down.", "order", {"a person first sits down, then bows."}),
    ],
)
def test_a_fact_is_turned_and_nothing_else(caption, slot, options):
    if slot == "times":
        assert turn(caption, slot, numbers=(2, 9)) in options
    elif slot == "steps":
        assert turn(caption, slot, numbers=(2, 6, 7)) in options
    else:
        assert turn(caption, slot) in options


def test_what_cannot_be_turned_stays():
    assert turned("a person turns left.", "way", lambda value: False, (), RNG) == "a person turns left."
    assert turn("raises the hand and then lowers it.", "order") == "raises the hand and then lowers it."
    assert not differs_clearly("steps", "9", {"8"}) and differs_clearly("steps", "12", {"8"})


@pytest.fixture(scope="module")
def pairs():
    rng = np.random.default_rng(0)
    lines = []
    for number, program in enumerate(sample_programs(300, rng)):
        reasoning = write_reasoning(program, 60, rng)[0]
        lines += [ReasonedCaption(str(number), caption, reasoning) for caption in write_captions(program, rng)]
    return EntailmentPairs(lines)


def drawn(pairs, kind):
    rng = random.Random(0)
    found = [
        (pairs.lines[index], pair)
        for index in range(len(pairs.lines))
        for pair in pairs.every_kind(index, rng)
        if pair.kind == kind
    ]
    assert len(found) > 10, kind
    return found


def test_own_captions_are_entailed_and_turned_ones_contradicted(pairs):
    assert all(p.hypothesis == line.caption and p.label == "entailment" for line, p in drawn(pairs, "own"))
    for kind in ("hand", "way", "direction", "times", "steps", "order", "speed"):
        for line, pair in drawn(pairs, kind):
            assert pair.label == "contradiction" and pair.premise == line.reasoning
            assert pair.hypothesis not in {other.caption for other in pairs.lines if other.clip == line.clip}


def test_another_clips_caption_is_of_another_action(pairs):
    """Judged by the first sentence of toy reasoning with one action, which tells the action."""
    own_sentences = {}
    for line in pairs.lines:
        own_sentences.setdefault(line.caption, set()).add(split_sentences(line.reasoning)[0])
    same = [split_sentences(line.reasoning)[0] in own_sentences[p.hypothesis] for line, p in drawn(pairs, "other")]
    assert np.mean(same) < 0.02


def test_what_is_unsaid_was_dropped(pairs):
    for line, pair in drawn(pairs, "unsaid"):
        kept, sentences = split_sentences(pair.premise), split_sentences(line.reasoning)
        assert pair.label == "neutral" and pair.hypothesis == line.caption
        assert 0 < len(kept) < len(sentences) and set(kept) < set(sentences)


def test_groups_depend_on_the_generator_only_and_hold_every_label(pairs):
    first, again, other = (
        [pair for index in range(50) for pair in pairs.group(index, random.Random(f"{seed} {index}"))]
        for seed in (0, 0, 1)
    )
    assert first == again != other
    assert {pair.label for pair in first} == {"entailment", "neutral", "contradiction"}
    assert 0.3 < np.mean([pair.label == "entailment" for pair in first]) < 0.4


def test_a_turned_caption_cannot_be_told_without_its_premise(pairs):
    """Left and right, once and twice are as often true as false."""
    texts = {True: [], False: []}
    for index in range(len(pairs.lines)):
        for pair in pairs.every_kind(index, random.Random(index)):
            if pair.kind in ("own", "way", "hand"):
                texts[pair.kind == "own"].append(pair.hypothesis)
    for word in ("left", "right"):
        true, false = (np.mean([word in text.split() for text in texts[side]]) for side in (True, False))
        assert 0.2 < true / (true + false) < 0.6
