"""Four protocols say how a predicted caption is compared with a clip's captions; their scores are not comparable.

| protocol   | prediction  | references                     | words are split                       |
| ---------- | ----------- | ------------------------------ | ------------------------------------- |
| ptb        | as written  | all, as written                | Penn treebank, lower case, no marks   |
| words      | as written  | as written, three a clip       | at blanks, case and marks kept        |
| lemmatized | its lemmas  | lemmas, three a clip           | at blanks                             |
| tm2t       | as written  | lemmas, three a clip           | at blanks                             |

``ptb`` is what pycocoevalcap does, the scorer of image captioning. ``tm2t`` is the protocol of TM2T (Guo et al., ECCV
2022): references are the words of the ``word/POS`` tokens of the texts (letters only, nouns and verbs as lemmas: "a
person walk forward"), exactly three per clip: the first three, two and the first again, or one three times. ``words``
does the same with captions as they are written; public re-measurements of motion captioning use it, and call the
scorers of pycocoevalcap, as nlg-eval does. Under ``tm2t`` a model that writes English loses "walks" against "walk" for
no fault of its content; ``lemmatized`` mends that: the prediction is lemmatised by the tagger in the same way.

A segment with times is a record of its own, with its one caption, under all of them.
"""

from collections.abc import Sequence

from dataset.captions.lines import Caption
from dataset.captions.tagger import Tagger
from dataset.captions.word_vectors import split_token
from utils.errors import InputError

PTB, WORDS, LEMMATIZED, TM2T = PROTOCOLS = ("ptb", "words", "lemmatized", "tm2t")
REFERENCES = 3  # of a clip, under all protocols but ptb


def references_of(captions: Sequence[Caption], protocol: str) -> list[str]:
    """The references of one record: all its captions (ptb), or three, as written or as lemmas.

    Raises InputError for a record without captions.
    """
    _check(protocol)
    if not captions:
        raise InputError("a motion without captions has no references")
    written = protocol in (PTB, WORDS)
    texts = [caption.text if written else _words(caption.tokens) for caption in captions]
    return texts if protocol == PTB else [texts[index % len(texts)] for index in range(REFERENCES)]


def prediction_of(text: str, protocol: str, tagger: Tagger) -> str:
    """A predicted caption in the form that is compared: as written, or the tagger's lemmas of its words."""
    _check(protocol)
    return _words(tagger.tag(text)) if protocol == LEMMATIZED else text


def splits_at_blanks(protocol: str) -> bool:
    """Whether the words of a text are what blanks separate; else they are those of the Penn treebank."""
    _check(protocol)
    return protocol != PTB


def _words(tokens: Sequence[str]) -> str:
    return " ".join(split_token(token)[0] for token in tokens)


def _check(protocol: str) -> None:
    if protocol not in PROTOCOLS:
        raise InputError(f"caption protocol {protocol!r}: expected {', '.join(PROTOCOLS[:-1])} or {PROTOCOLS[-1]}")
