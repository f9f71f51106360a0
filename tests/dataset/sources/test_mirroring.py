"""Mirrored motions and captions: by hand, twice is the original, and in the features."""

import numpy as np
import pytest

from dataset.captions.lines import Caption
from dataset.humanml.splits import mirror_id
from dataset.sources.mirroring import mirror_caption, mirror_joints
from utils.errors import InputError
from utils.motion.features import features_from_joints
from utils.motion.skeleton import KIT, T2M


def caption(text, tokens="x/NOUN", start=0.0, end=0.0):
    return Caption(text, tuple(tokens.split()), start, end)


def mirrored_text(text):
    return mirror_caption(caption(text)).text


def mirrored_tokens(tokens):
    return " ".join(mirror_caption(caption("a person.", tokens)).tokens)


def test_id():
    assert mirror_id("000021") == "M000021"


@pytest.mark.parametrize(
    ("skeleton", "left", "right"),
    [
        (T2M, (1, 4, 7, 10, 13, 16, 18, 20), (2, 5, 8, 11, 14, 17, 19, 21)),
        (KIT, (8, 9, 10, 16, 17, 18, 19, 20), (5, 6, 7, 11, 12, 13, 14, 15)),
    ],
    ids=["t2m", "kit"],
)
def test_joints_by_hand(skeleton, left, right):
    joints = np.random.default_rng(0).normal(size=(4, skeleton.num_joints, 3)).astype(np.float32)
    before = joints.copy()
    mirrored = mirror_joints(joints, skeleton)
    expected = joints.copy()
    expected[:, left], expected[:, right] = joints[:, right], joints[:, left]
    expected[..., 0] = -expected[..., 0]
    np.testing.assert_array_equal(mirrored, expected)
    assert mirrored.dtype == np.float32
    np.testing.assert_array_equal(joints, before)
    np.testing.assert_array_equal(mirror_joints(mirrored, skeleton), joints)


def test_joints_of_another_skeleton_are_refused():
    with pytest.raises(InputError, match=r"22, 3\), got \(4, 21, 3\)"):
        mirror_joints(np.zeros((4, 21, 3)), T2M)


def turning_walk(frames=80):
    """(T, 22, 3): a body that walks and turns left, its left wrist to the side."""
    offsets = 0.2 * T2M.directions().astype(np.float64)
    joints = np.zeros((22, 3))
    for child, parent in enumerate(T2M.parents):
        if parent >= 0:
            joints[child] = joints[parent] + offsets[child]
    joints[T2M.joint("left_wrist")] = joints[T2M.joint("left_elbow")] + [0.2, 0, 0]
    angle = 0.02 * np.arange(frames)[:, None]
    x, y, z = joints.T
    turned = np.stack([np.cos(angle) * x + np.sin(angle) * z, y + 0 * angle, np.cos(angle) * z - np.sin(angle) * x], -1)
    return turned + np.array([0, 0, 0.03]) * np.arange(frames)[:, None, None]


def test_features_of_a_mirrored_motion():
    joints = turning_walk()
    original, mirrored = (features_from_joints(motion, T2M) for motion in (joints, mirror_joints(joints, T2M)))
    assert (original[:, 0] < -0.005).all()  # a left turn
    np.testing.assert_allclose(mirrored[:, 0], -original[:, 0], atol=1e-5)
    np.testing.assert_allclose(mirrored[:, 1], -original[:, 1], atol=1e-5)
    np.testing.assert_allclose(mirrored[:, 2:4], original[:, 2:4], atol=1e-5)
    positions, swapped = (features[:, T2M.positions_slice].reshape(-1, 21, 3) for features in (original, mirrored))
    left, right = T2M.joint("left_wrist") - 1, T2M.joint("right_wrist") - 1
    assert (positions[:, left, 0] > 0.3).all() and (swapped[:, right, 0] < -0.3).all()
    np.testing.assert_allclose(swapped[:, right], positions[:, left] * [-1, 1, 1], atol=1e-5)
    np.testing.assert_allclose(swapped[:, left], positions[:, right] * [-1, 1, 1], atol=1e-5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a person waves the left hand.", "a person waves the right hand."),
        ("Left, then RIGHT, then right", "Right, then LEFT, then left"),
        ("from left to right, left-to-right", "from right to left, right-to-left"),
        ("a left-handed, lefthanded throw leftwards", "a right-handed, righthanded throw rightwards"),
        ("a righthand punch and two lefts", "a lefthand punch and two rights"),
        ("turns left/right; his left's", "turns right/left; his right's"),
        ("stands upright with leftover bright rightly", "stands upright with leftover bright rightly"),
        ("walks clockwise", "walks counterclockwise"),
        ("Counterclockwise turn", "Clockwise turn"),
        ("turns counter-clockwise, counter clockwise", "turns clockwise, clockwise"),
        ("anticlockwise or anti-clockwise", "clockwise or clockwise"),
        ("CLOCKWISE, clock wise", "COUNTERCLOCKWISE, counterclockwise"),
        ("a circle likeclockwise", "a circle likeclockwise"),
    ],
)
def test_text_by_hand(text, expected):
    assert mirrored_text(text) == expected


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ("the/DET left/ADJ hand/NOUN", "the/DET right/ADJ hand/NOUN"),
        ("turn/VERB right/ADV", "turn/VERB left/ADV"),
        ("walk/VERB clockwise/ADV", "walk/VERB counterclockwise/ADV"),
        ("anticlockwise/ADJ", "clockwise/ADJ"),
        ("turn/VERB counter/ADJ clockwise/ADV now/ADV", "turn/VERB clockwise/ADV now/ADV"),
        ("counter/ADJ clock/NOUN wise/ADV", "clockwise/ADV"),
        ("clock/NOUN wise/ADV", "counterclockwise/ADV"),
        ("a/DET counter/NOUN", "a/DET counter/NOUN"),
        ("lefthanded/ADJ righthand/NOUN lefttoright/NOUN", "righthanded/ADJ lefthand/NOUN righttoleft/NOUN"),
        ("upright/ADV leftover/NOUN", "upright/ADV leftover/NOUN"),
    ],
)
def test_tokens_by_hand(tokens, expected):
    assert mirrored_tokens(tokens) == expected


def test_times_stay():
    mirrored = mirror_caption(caption("turns left.", "turn/VERB left/NOUN", 1.5, 4.0))
    assert mirrored == caption("turns right.", "turn/VERB right/NOUN", 1.5, 4.0)


def test_a_person_who_left_stays_gone():
    given = caption("He left the left chair.", "he/PRON left/VERB the/DET left/ADJ chair/NOUN")
    assert mirror_caption(given) == caption(
        "He left the right chair.", "he/PRON left/VERB the/DET right/ADJ chair/NOUN"
    )
    # Some taggers give the lemma; the words still line up.
    lemma = mirror_caption(caption("he left on the left", "he/PRON leave/VERB on/ADP the/DET left/NOUN"))
    assert (lemma.text, lemma.tokens[1]) == ("he left on the right", "leave/VERB")


def test_compounds_are_not_counted_as_the_verb():
    given = caption(
        "a left-handed man left to the left.",
        "a/DET lefthanded/ADJ man/NOUN left/VERB to/ADP the/DET left/NOUN",
    )
    assert mirror_caption(given).text == "a right-handed man left to the right."


def test_the_verb_is_found_by_count_where_words_do_not_line_up():
    given = caption("the left man left in 10s", "left/ADJ man/NOUN left/VERB")
    assert mirror_caption(given) == caption("the right man left in 10s", "right/ADJ man/NOUN left/VERB")
    # Neither words nor counts agree: nothing says which "left" is meant, and most are directions.
    unknown = caption("left left in 10s", "left/VERB")
    assert mirror_caption(unknown).text == "right right in 10s"


@pytest.mark.parametrize(
    "tokens", ["raise/VERB his/PRON left/VERB arm/NOUN", "turn/VERB left/VERB", "to/ADP left/VERB", "the/DET left/VERB"]
)
def test_directions_that_a_tagger_took_for_the_verb_are_swapped(tokens):
    text = " ".join(token.split("/")[0] for token in tokens.split())
    mirrored = mirror_caption(caption(text, tokens))
    assert mirrored.text == text.replace("left", "right")
    assert " ".join(mirrored.tokens) == tokens.replace("left", "right")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("He left, turning Left.", "he/PRON left/VERB turn/VERB left/NOUN"),
        ("a right-handed kick, then clockwise", "a/DET righthanded/ADJ kick/NOUN then/ADV clockwise/ADV"),
        ("steps left and right, counterclockwise", "step/VERB left/NOUN and/CCONJ right/NOUN counterclockwise/ADV"),
    ],
)
def test_twice_is_the_original(text, tokens):
    given = caption(text, tokens, 0.5, 2.0)
    once = mirror_caption(given)
    assert once != given and mirror_caption(once) == given
