"""A motion and its captions are mirrored, HumanML3D's augmentation (clips ``M<id>``).

The body's left and right change places, and so do the words for them: left and right, clockwise and counterclockwise.
"""

import re
from collections.abc import Iterable, Iterator

import numpy as np

from dataset.captions.lines import Caption
from dataset.captions.tagger import caption_words
from dataset.captions.word_vectors import split_token
from utils.errors import InputError
from utils.motion.skeleton import Skeleton

_OTHER_SIDE = {"left": "right", "right": "left"}
_OTHER_TURN = {"clockwise": "counterclockwise", "counterclockwise": "clockwise", "anticlockwise": "clockwise"}
# "left" and "right", alone or at the head of a compound: "left-handed" and, closed up as tokens are, "lefthanded",
# "lefttoright"; not "upright" or "rightly".
_START, _STOP = r"(?<![^\W\d_])", r"(?![^\W\d_])"
_TAIL = r"(?:s|y|most|ways?|wards?|sided?|turns?|hand(?:s|ed|er)?|foot(?:ed)?|feet|arms?|legs?|to(?:left|right))?"
_SIDE = rf"(?:{_START}|(?<=leftto)|(?<=rightto))(?P<side>left|right)(?={_TAIL}{_STOP})"
# Also "counter-clockwise", "anti clockwise", "clock wise".
_TURN = rf"{_START}(?P<against>(?:counter|anti)[\s-]*)?clock[\s-]?wise{_STOP}"
_MIRRORED = re.compile(f"{_SIDE}|{_TURN}", re.IGNORECASE)
# Taggers confuse "left" the direction with "left" the verb. Only the direction stands behind these words and parts of
# speech.
_POSSESSIVES = ("his", "her", "their", "its", "my", "your", "our")
_NOT_BEFORE_THE_VERB = ("DET", "ADP", "ADJ", "NUM", "VERB")


def mirror_joints(joints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(..., J, 3) -> the same shape: x negated, every joint in the place of the one on the other side."""
    if joints.shape[-2:] != (skeleton.num_joints, 3):
        raise InputError(f"expected joints (..., {skeleton.num_joints}, 3), got {joints.shape}")
    order = [skeleton.joint(_other_joint(name)) for name in skeleton.joint_names]
    return joints[..., order, :] * np.array([-1, 1, 1], dtype=joints.dtype)


def _other_joint(name: str) -> str:
    side, _, rest = name.partition("_")
    return f"{_OTHER_SIDE[side]}_{rest}" if side in _OTHER_SIDE else name


def mirror_caption(caption: Caption) -> Caption:
    """The caption with left and right, clockwise and counterclockwise exchanged in text and tokens.

    Parts of speech and times stay. "left" of a person who left stays too: in the tokens, and in the text where its
    words can be matched with the tokens. Every spelling of counterclockwise becomes "clockwise", and "clockwise"
    becomes "counterclockwise".
    """
    pairs = [split_token(token) for token in caption.tokens]
    words = caption_words(caption.text)
    verbs = [index for index in range(len(pairs)) if _is_verb(pairs, index)]
    # For each "left" of the text: is it the verb? By position, else by the order of the lefts.
    if len(words) == len(pairs):
        left = [index in verbs for index, word in enumerate(words) if word == "left"]
    else:
        left = [index in verbs for index, (word, _) in enumerate(pairs) if word == "left"]
        if len(left) != words.count("left"):
            left = []  # nothing tells which is which
    tokens = tuple(f"{word}/{pos}" for word, pos in _mirror_pairs(pairs, verbs))
    return Caption(_mirror_text(caption.text, left), tokens, caption.start, caption.end)


def _is_verb(pairs: list[tuple[str, str]], index: int) -> bool:
    """Whether the token is a form of "leave": tagged so, and not in a place where only a direction can stand."""
    word, pos = pairs[index]
    if word not in ("left", "leave") or pos != "VERB":
        return False
    before, before_pos = pairs[index - 1] if index else ("", "")
    return before not in _POSSESSIVES and before_pos not in _NOT_BEFORE_THE_VERB


def _mirror_text(text: str, verbs: Iterable[bool]) -> str:
    """The text mirrored.

    Args:
        verbs: for each "left" that stands alone, in order, whether it is the verb; those not listed are not.
    """
    remaining = iter(verbs)

    def replacement(match: re.Match) -> str:
        found = match.group()
        if match["side"] is None:
            return _like(found, "clockwise" if match["against"] else "counterclockwise")
        if found.lower() == "left" and _stands_alone(match) and next(remaining, False):
            return found
        return _like(found, _OTHER_SIDE[found.lower()])

    return _MIRRORED.sub(replacement, text)


def _stands_alone(match: re.Match) -> bool:
    """Whether the match is a word of its own for `caption_words`, which closes hyphens up."""
    before = match.string[: match.start()].rstrip("-")
    after = match.string[match.end() :].lstrip("-")
    return not (before[-1:].isalpha() or after[:1].isalpha())


def _like(pattern: str, word: str) -> str:
    """`word` written with the capitals of `pattern`."""
    if pattern.isupper():
        return word.upper()
    return word.capitalize() if pattern[0].isupper() else word


def _mirror_pairs(pairs: list[tuple[str, str]], verbs: list[int]) -> Iterator[tuple[str, str]]:
    index = 0
    while index < len(pairs):
        # "counter", "clock", "wise" may be tokens of their own and are one word here, as they are in the text.
        for size in (3, 2):
            group = pairs[index : index + size]
            turn = _OTHER_TURN.get("".join(word for word, _ in group))
            if turn is not None:
                yield turn, group[-1][1]
                index += len(group)
                break
        else:
            word, pos = pairs[index]
            yield _mirror_text(word, [index in verbs]), pos
            index += 1
