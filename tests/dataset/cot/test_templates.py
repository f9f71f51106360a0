"""Reasoning from measured facts: by hand, and on every toy clip and every clip of the real pack against its facts."""

import json
import random
import re
from dataclasses import replace

import numpy as np
import pytest

from dataset.actions.series import Turn
from dataset.captions.lines import Caption
from dataset.cot.acceptance import Bounds, rejection_of
from dataset.cot.templates import MAX_SENTENCES, template_reasoning
from dataset.facts.contradictions import contradictions
from dataset.facts.motion_facts import MotionFacts, motion_facts
from dataset.sources.mirroring import mirror_caption, mirror_joints
from dataset.toy.clips import toy_clips
from tests.rewards.motion_pack import PACK, needs_pack, read_pack
from utils.motion.skeleton import T2M

STILL = MotionFacts(
    seconds=4.04,
    turn_deg=1,
    path_m=0.1,
    net_m=0.02,
    forward_m=0.02,
    left_m=0.01,
    left_hand_m=-0.6,
    right_hand_m=-0.6,
    pelvis_drop_m=0.01,
)
WALK = replace(
    STILL,
    path_m=3,
    net_m=2.9,
    forward_m=2.9,
    left_m=0.1,
    pace_m_s=1.1,
    travel_s=3.5,
    steps=5,
    left_foot_m=0.15,
    right_foot_m=0.15,
)
LEFT_UP = replace(STILL, left_hand_m=0.1, left_hand_up_s=((0.5, 1.5),))
TIMES = 40


def texts(facts, caption=""):
    return [template_reasoning(facts, caption, random.Random(f"0/{number}")) for number in range(TIMES)]


def sentences(text):
    return re.split(r"(?<=\.) (?=[A-Z])", text)


def shape(sentence):
    """A sentence without its numbers."""
    return re.sub(r"\d+(\.\d+)?", "#", sentence)


def always(pattern, facts, caption=""):
    return all(re.search(pattern, text) for text in texts(facts, caption))


def never(pattern, facts, caption=""):
    return not any(re.search(pattern, text) for text in texts(facts, caption))


def test_the_same_seed_gives_the_same_words_and_another_one_others():
    assert texts(WALK) == texts(WALK)
    assert len(set(texts(WALK))) > TIMES / 2


@pytest.mark.parametrize(
    ("facts", "said", "unsaid"),
    [
        (STILL, r"\b(place|spot|stays where it is|where it began)\b", r"\bmeters|forward|left|right|turn|slowly"),
        (WALK, r"2\.9 meters forward.*moderate pace", r"place|turn|left|right|backward|foot"),
        (WALK, r"2\.9 meters forward.*in 5 steps", "briskly|slowly"),
        (replace(WALK, forward_m=-2.9, pace_m_s=0.5), r"2\.9 meters backward.*slowly", "forward"),
        (replace(WALK, pace_m_s=1.5), "briskly", "moderate|slowly|running"),
        (replace(WALK, pace_m_s=2.5), "at running speed", "briskly|very fast"),
        (replace(WALK, pace_m_s=3.2), "very fast, at running speed", "briskly"),
        (replace(WALK, travel_s=1), r"2\.9 meters forward", "pace|slowly|briskly"),  # too short to be called
        (replace(WALK, steps=None), r"2\.9 meters forward", "step"),
        (replace(WALK, forward_m=0.1, left_m=2.8), r"2\.8 meters to the left", "forward|right"),
        (replace(WALK, forward_m=2.0, left_m=-2.0), r"2\.0 meters forward and 2\.0 meters to the right", "left"),
        (replace(WALK, path_m=5, net_m=0.3, forward_m=0.2), r"5\.0 meters.*0\.30 meters|0\.30 meters.*5\.0", "forward"),
        (replace(STILL, turn_deg=93, turns=(Turn(92, 1, 2.2),)), r"\bturns? .*about 90 degrees to the left", "right"),
        (replace(STILL, turn_deg=93, turns=(Turn(92, 1, 2.2),)), r"(?i)between 1\.0 and 2\.2 seconds", "right"),
        (
            replace(STILL, turn_deg=0, turns=(Turn(-60, 1, 2), Turn(61, 3, 4))),
            r"60 degrees to the right between 1\.0 and 2\.0 seconds, then by about 60 degrees to the left",
            "same way|heading stays",
        ),
        (replace(STILL, turn_deg=10, turns=(Turn(45, 1, 2),)), "seconds", "turn|heading|faces|left"),  # it swung back
        (replace(STILL, turn_deg=25), "seconds", "turn|heading|facing|left"),  # neither a turn nor none
        (LEFT_UP, r"(?i)the left hand .*to head height", r"\bright|both"),
        (LEFT_UP, r"0\.5 seconds.*1\.5 seconds", "twice"),
        (
            replace(LEFT_UP, left_hand_up_s=((0.0, 4.04),)),
            r"is raised to head height.*the beginning (to|until) the end",
            "comes up|rises",
        ),
        (replace(LEFT_UP, left_hand_up_s=((0.5, 1), (2, 2.5))), "head height twice", "three"),
        (replace(LEFT_UP, left_hand_up_s=((0.5, 1), (1.1, 2.5))), "head height", "twice"),  # no clear second time
        (replace(LEFT_UP, left_hand_up_s=((0.5, 0.7),)), "seconds", "hand|arm"),  # a swing of the arm
        (replace(LEFT_UP, right_hand_m=-0.27), r"(?i)the left hand", "other|right|low"),  # the right one: unclear
        (
            replace(LEFT_UP, right_hand_m=0.12, right_hand_up_s=((0.6, 1.4),)),
            "(?i)both hands .*head height.*0.6 seconds",
            "left",
        ),
        (
            replace(LEFT_UP, right_hand_m=0.3, right_hand_up_s=((2, 3),)),
            "(?i)the right hand .*above the head.*the left hand.* to head height",
            "both",
        ),
        (replace(LEFT_UP, bend_deg=70), "about 70 degrees", "hand|forward"),  # the head is down, not the hand up
        (replace(STILL, pelvis_drop_m=0.45, pelvis_end_m=-0.44), r"0\.45 meters", "again|meters forward|in between"),
        (replace(STILL, pelvis_drop_m=0.45), r"0\.45 meters", "end lower"),
        (replace(STILL, pelvis_rise_m=0.4, pelvis_end_m=0.4), r"0\.40 meters", "between"),
        (replace(STILL, right_foot_m=0.6), r"(?i)the right foot .*0\.60 meters|0\.60 meters .*right foot", "left|both"),
        (replace(STILL, right_foot_m=0.6, left_foot_m=0.5), "(?i)both feet|each foot", r"0\.[56]0"),
        (replace(STILL, right_foot_m=0.6, left_foot_m=0.15), "seconds", "foot|feet"),
    ],
)
def test_what_is_measured_is_said_and_nothing_else(facts, said, unsaid):
    assert always(said, facts) and never(unsaid, facts)
    assert not any(contradictions(part, facts) for text in texts(facts) for part in (text, *sentences(text)))


def test_every_text_says_how_long_it_takes_in_few_sentences():
    everything = replace(
        WALK,
        right_foot_m=0.6,
        bend_deg=40,
        pelvis_drop_m=0.4,
        turn_deg=90,
        turns=(Turn(90, 1, 2),),
        path_m=0.9,
        net_m=0.8,
        forward_m=0.8,
        right_hand_m=0.3,
        right_hand_up_s=((2, 3),),
    )
    nothing = replace(STILL, turn_deg=25, right_hand_m=-0.27)
    for facts in (STILL, WALK, LEFT_UP, everything, nothing):
        assert always(r"4\.0 seconds", facts)
        assert all(2 <= len(sentences(text)) <= MAX_SENTENCES for text in texts(facts))
    assert all(len(sentences(text)) == MAX_SENTENCES for text in texts(everything))


def test_the_caption_decides_what_comes_first_and_nothing_more():
    facts = replace(LEFT_UP, path_m=2.9, net_m=2.9, forward_m=2.9)
    hands_first = texts(facts, "a person waves with the right hand")
    assert all("left hand" in sentences(text)[0] and "right" not in text for text in hands_first)
    assert all("forward" in sentences(text)[0] for text in texts(facts, "a person walks"))


def mirrored(text):
    return mirror_caption(Caption(text, (), 0, 0)).text


def checked_texts(clips):
    """The reasoning of every caption of (name, joints, captions), each checked against the facts as it is made."""
    made, rejected = [], []
    for name, joints, captions in clips:
        facts, mirrored_facts = motion_facts(joints, T2M), motion_facts(mirror_joints(joints, T2M), T2M)
        for number, caption in enumerate(captions):
            text, other = (
                template_reasoning(found, caption, random.Random(f"0/{name}/{number}"))
                for found in (facts, mirrored_facts)
            )
            for part in (text, *sentences(text)):
                assert contradictions(part, facts) == [], (name, part)
            assert other == mirrored(text), name
            found = rejection_of("t2m", caption, text, caption, facts, Bounds())
            # What a template cannot mend: a caption that its own motion contradicts, and a long one that says it all.
            assert found is None or found.kind == "copy" or found.detail.startswith("the answer says"), (name, found)
            rejected.append(found is not None)
            assert text.isascii() and caption.strip(".").lower() not in text.lower()
            made.append(text)
    assert np.mean(rejected) < 0.002
    return made


def assert_varied(made):
    lengths = [len(text.split()) for text in made]
    assert min(lengths) >= Bounds().min_words and max(lengths) <= 90 and 25 < np.median(lengths) < 45
    assert len(set(made)) > 0.98 * len(made)
    shapes = [shape(sentence) for text in made for sentence in sentences(text)]
    assert len(set(shapes)) > 300
    assert len({shape(text) for text in made}) > 0.8 * len(made)


def test_the_whole_toy_set_is_told_as_it_is_measured_in_many_words():
    clips = [(clip.id, clip.joints, [caption.text for caption in clip.captions]) for clip in toy_clips(400, 0)]
    assert_varied(checked_texts(clips))


@needs_pack
def test_the_whole_pack_is_told_as_it_is_measured_in_many_words():
    captions = {row["id"]: row["captions"] for row in map(json.loads, (PACK.parent / "meta.jsonl").open())}
    clips = [
        (name, joints, captions[name])
        for split in ("train", "val", "test")
        for name, joints in read_pack(split).items()
    ]
    assert len(clips) == len(captions)
    assert_varied(checked_texts(clips))
