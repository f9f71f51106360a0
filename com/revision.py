"""A reply is revised: its first part stays, the rest is drawn again.

    reasoning</think><answer><Motion> c1 c2 c3 | c4 c5 ... </Motion></answer>    t2m: cuts are spread over the codes
    sentence. sentence. | sentence.</think><answer> | caption</answer>           m2t: over sentences, to the caption

A round of revisions costs what is drawn, a fifth of fresh replies where reasoning is long. One cut would stake all on
what stands before it, so the candidates of a round spread over the reply, from all of the answer to its last part
(`SPREAD`). Where it is known how much of the reply is right, they may all keep just that (`FAULT`): the codes before
the first moment at which something fails, the sentences before the first one that the motion denies.
"""

from collections.abc import Sequence

from dataset.captions.tags import ANSWER_OPEN, MOTION_CLOSE, MOTION_OPEN, THINK_CLOSE
from models.language.rollout import Rollout
from models.language.vocabulary import MotionVocabulary

SPREAD, FAULT = "spread", "fault"
_SENTENCE_ENDS = (".", "!", "?")


def beginnings(
    attempt: Rollout, count: int, vocabulary: MotionVocabulary, right_until: int | None = None
) -> list[tuple[int, ...]]:
    """What each of `count` revisions keeps of an attempt: token ids that the revised reply begins with.

    Empty, so that all is drawn again, where the attempt has nothing that could be kept: a reply without reasoning or
    without an answer that was begun.

    Args:
        right_until: how much of the attempt is right, in codes (t2m) or in characters of the reasoning (m2t); all keep
            as much of it as a cut allows. None: the cuts spread over the reply.
    """
    ids = list(attempt.token_ids)
    cuts = _motion_cuts(ids, vocabulary) if attempt.task == "t2m" else _caption_cuts(ids, vocabulary)
    if not cuts:
        return [()] * count
    if right_until is None:
        return [tuple(ids[:cut]) for cut in _spread(cuts, count)]
    if attempt.task == "t2m":
        right = cuts[min(right_until, len(cuts) - 1)]
    else:
        right = max((cut for cut in cuts if len(vocabulary.decode(ids[:cut])) <= right_until), default=0)
    return [tuple(ids[:right])] * count


def _motion_cuts(ids: list[int], vocabulary: MotionVocabulary) -> list[int]:
    """Before each code of the motion: the least that is drawn again is the last code and what follows."""
    opened, closed = (vocabulary.marker_id(tag) for tag in (MOTION_OPEN, MOTION_CLOSE))
    if opened not in ids:
        return []
    first = ids.index(opened) + 1
    last = ids.index(closed) if closed in ids else len(ids)
    return list(range(first, last))


def _caption_cuts(ids: list[int], vocabulary: MotionVocabulary) -> list[int]:
    """After each sentence of the reasoning, and before the caption."""
    opened = vocabulary.marker_id(ANSWER_OPEN)
    closed = vocabulary.marker_id(THINK_CLOSE)
    if opened not in ids or closed not in ids:
        return []
    words = [vocabulary.decode([id]) for id in ids[: ids.index(closed)]]
    following = [*words[1:], " "]
    sentences = [
        place + 1
        for place, (word, after) in enumerate(zip(words, following, strict=True))
        if word.endswith(_SENTENCE_ENDS) and after[:1].isspace()  # the point of "2.5" ends nothing
    ]
    # The last sentence is the end of the reasoning: what follows it is drawn from the caption on.
    return [*sentences[:-1], ids.index(opened) + 1]


def _spread(cuts: Sequence[int], count: int) -> list[int]:
    """`count` of the cuts, from the first to the last in even steps."""
    if count == 1:
        return [cuts[len(cuts) // 2]]
    return [cuts[round(number * (len(cuts) - 1) / (count - 1))] for number in range(count)]
