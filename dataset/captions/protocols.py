"""Two protocols say how a predicted caption is compared with a clip's captions: as written, or as lemmas.

``raw``: all captions of the clip as written, the prediction as written.

``lemmatized``: the protocol of earlier papers (TM2T, Guo et al., ECCV 2022; MotionGPT, Jiang et al., NeurIPS 2023).
References are the words of the ``word/POS`` tokens of the texts (letters only, nouns and verbs as lemmas: "a person
walk forward"), exactly three per clip: the first three, two and the first again, or one three times. What differs:
those papers compare the model's output as it is, since their models are trained on such words or are simply scored
against them; a model that writes English would lose "walks" against "walk" for no fault of its content, so here the
prediction is lemmatised by the tagger in the same way. Scores of the two protocols are not comparable.

A segment with times is a record of its own, with its one caption, under both.
"""

from collections.abc import Sequence

from dataset.captions.lines import Caption
from dataset.captions.tagger import Tagger
from dataset.captions.word_vectors import split_token
from utils.errors import InputError

RAW, LEMMATIZED = PROTOCOLS = ("raw", "lemmatized")
LEMMATIZED_REFERENCES = 3


def references_of(captions: Sequence[Caption], protocol: str) -> list[str]:
    """The references of one record: all its captions (raw), or three texts of lemmas.

    Raises InputError for a record without captions.
    """
    _check(protocol)
    if not captions:
        raise InputError("a motion without captions has no references")
    if protocol == RAW:
        return [caption.text for caption in captions]
    texts = [_words(caption.tokens) for caption in captions]
    return [texts[index % len(texts)] for index in range(LEMMATIZED_REFERENCES)]


def prediction_of(text: str, protocol: str, tagger: Tagger) -> str:
    """A predicted caption in the form that is compared: as written (raw), or the tagger's lemmas of its words."""
    _check(protocol)
    return text if protocol == RAW else _words(tagger.tag(text))


def _words(tokens: Sequence[str]) -> str:
    return " ".join(split_token(token)[0] for token in tokens)


def _check(protocol: str) -> None:
    if protocol not in PROTOCOLS:
        raise InputError(f"caption protocol {protocol!r}: expected {' or '.join(PROTOCOLS)}")
