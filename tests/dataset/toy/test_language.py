"""Captions and reasoning of toy programs say what the program says, in words that are all tagged."""

import re

import numpy as np
import pytest

from dataset.captions.tagger import caption_words
from dataset.toy.captions import write_captions
from dataset.toy.lexicon import LEXICON, tag_caption
from dataset.toy.programs import Action, Program, all_programs, program_families, sample_programs
from dataset.toy.reasoning import write_reasoning

PROGRAMS = all_programs()
COUNT_WORDS = {1: {"once", "one"}, 2: {"twice", "two"}, 3: {"three"}, 4: {"four"}, 6: {"six"}}
FAST = {"quickly", "fast", "rapidly", "quick", "sprints"}
SLOW = {"slowly", "slow", "jogs"}


@pytest.fixture(scope="module")
def captions():
    rng = np.random.default_rng(0)
    return {program: [text for _ in range(4) for text in write_captions(program, rng)] for program in PROGRAMS}


def sides(action):
    """The words of side that a caption of this action must have."""
    named = {action.side, action.way} & {"left", "right", "both"}
    return {"clockwise" if "right" in named else "counterclockwise"} | named if action.kind == "circle" else named


def test_every_word_is_in_the_lexicon_and_every_lexicon_word_is_used(captions):
    used = set()
    for texts in captions.values():
        for text in texts:
            assert re.fullmatch(r"[a-z ,]+\.", text), text
            assert len(tag_caption(text)) == len(caption_words(text)), text
            used.update(caption_words(text))
    assert used == set(LEXICON)
    assert 120 <= len(used) <= 250


def test_tokens_are_lemmas_with_parts_of_speech():
    assert tag_caption("a person walks forward slowly and then waves both hands.") == (
        "a/DET",
        "person/NOUN",
        "walk/VERB",
        "forward/ADV",
        "slowly/ADV",
        "and/CCONJ",
        "then/ADV",
        "wave/VERB",
        "both/DET",
        "hand/NOUN",
    )
    with pytest.raises(KeyError):
        tag_caption("a person cartwheels.")


def test_captions_state_side_count_and_speed(captions):
    for program, texts in captions.items():
        for text in texts:
            words = set(caption_words(text))
            for action in program.actions:
                named = sides(action)
                assert not named or words & named, (program.name, text)
                if action.count and action.kind != "raise":
                    assert words & COUNT_WORDS[action.count], (program.name, text)
            if len(program.actions) == 1:
                (action,) = program.actions
                assert bool(words & SLOW) == (action.speed == "slow"), (program.name, text)
                assert bool(words & FAST) == (action.speed == "quick"), (program.name, text)
                if action.side in ("left", "right"):
                    assert {"left": "right", "right": "left"}[action.side] not in words


def test_a_caption_means_one_program_only(captions):
    subjects = re.compile(r"^(someone|somebody|(a|the|this) (person|figure)) ")
    meaning = {}
    for program, texts in captions.items():
        for text in texts:
            assert meaning.setdefault(subjects.sub("", text), program.name) == program.name, text
    assert len(meaning) > 5 * len(PROGRAMS)


def test_the_three_captions_of_a_clip_differ(captions):
    rng = np.random.default_rng(1)
    assert all(len(set(write_captions(program, rng))) == 3 for program in PROGRAMS)


def test_reasoning_follows_from_the_program():
    rng = np.random.default_rng(0)
    lengths = []
    for program in PROGRAMS:
        for text in write_reasoning(program, 80, rng):
            words = set(caption_words(text))
            lengths.append(len(text.split()))
            assert "about four seconds" in text
            for action in program.actions:
                named = {action.side, action.way} & {"left", "right", "both"}
                assert named <= words, (program.name, text)
                if action.count and not (action.kind == "raise" and action.count == 1):
                    assert words & COUNT_WORDS[action.count], (program.name, text)
            if len(program.actions) == 1:
                assert ("slowly" in words) == (program.actions[0].speed == "slow")
                assert ("quickly" in words) == (program.actions[0].speed == "quick")
    assert min(lengths) >= 20 and max(lengths) <= 50 and 25 <= np.median(lengths) <= 40


def test_reasoning_names_the_working_side_and_the_duration():
    program = Program((Action("kick", "front", "left", "quick", 2),))
    for text in write_reasoning(program, 41, np.random.default_rng(2)):
        assert "left leg kicks to the front twice while the right leg carries the weight, moving quickly" in text
        assert "about two seconds" in text


def test_sampling_uses_all_families_and_spreads_within_them():
    chosen = sample_programs(1200, np.random.default_rng(0))
    assert len(chosen) == 1200
    count = {program: chosen.count(program) for program in PROGRAMS}
    assert min(count.values()) >= 1
    for programs in program_families().values():
        used = [count[program] for program in programs]
        assert max(used) - min(used) <= 1


def test_most_clips_of_a_group_of_32_are_alone_with_their_program():
    chosen = sample_programs(1200, np.random.default_rng(0))
    groups = [chosen[i : i + 32] for i in range(0, len(chosen) - 31, 32)]
    alone = [group.count(program) == 1 for group in groups for program in group]
    assert np.mean(alone) > 0.8
