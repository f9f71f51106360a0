import pytest

from dataset.captions.lines import parse_caption_line
from dataset.captions.protocols import PROTOCOLS, prediction_of, references_of, splits_at_blanks
from dataset.captions.tagger import CaptionTagger
from utils.errors import InputError
from utils.metrics.captions import caption_scores
from utils.metrics.ptb_tokenizer import ptb_tokens

CAPTIONS = [
    parse_caption_line(line)
    for line in (
        "A person walks forward.#a/DET person/NOUN walk/VERB forward/ADV#0.0#0.0",
        "a man's left foot kicks#a/DET man/NOUN left/ADJ foot/NOUN kick/VERB#0.0#0.0",
        "two hands wave#two/NUM hand/NOUN wave/VERB#0.0#0.0",
        "someone is walking#someone/PRON be/AUX walk/VERB#0.0#0.0",
    )
]
TAGGER = CaptionTagger.from_pairs((caption.text, caption.tokens) for caption in CAPTIONS)
LEMMAS = ["a person walk forward", "a man left foot kick", "two hand wave", "someone be walk"]


def scored(text, caption, protocol):
    split = str.split if splits_at_blanks(protocol) else ptb_tokens
    return caption_scores([prediction_of(text, protocol, TAGGER)], [references_of([caption], protocol)], split)


def test_ptb_keeps_all_captions_as_written():
    assert references_of(CAPTIONS, "ptb") == [caption.text for caption in CAPTIONS]
    assert references_of(CAPTIONS[:1], "ptb") == ["A person walks forward."]
    assert {prediction_of("A man walks.", protocol, TAGGER) for protocol in ("ptb", "words")} == {"A man walks."}


@pytest.mark.parametrize("protocol", ["words", "lemmatized", "tm2t"])
@pytest.mark.parametrize(("given", "expected"), [(1, [0, 0, 0]), (2, [0, 1, 0]), (3, [0, 1, 2]), (4, [0, 1, 2])])
def test_the_others_take_three_references_of_every_clip(protocol, given, expected):
    texts = [caption.text for caption in CAPTIONS] if protocol == "words" else LEMMAS
    assert references_of(CAPTIONS[:given], protocol) == [texts[index] for index in expected]


def test_predictions_are_lemmatised_like_the_references():
    assert prediction_of("A person walks forward!", "lemmatized", TAGGER) == LEMMAS[0]
    assert prediction_of("", "lemmatized", TAGGER) == ""
    assert prediction_of("A person walks forward!", "tm2t", TAGGER) == "A person walks forward!"


@pytest.mark.parametrize(
    ("text", "bleu"),
    [
        # two hands wave / two hand wave
        ("two hands waves", {"ptb": 2 / 3, "words": 2 / 3, "lemmatized": 1, "tm2t": 1 / 3}),
        ("Two hands wave.", {"ptb": 1, "words": 1 / 3, "lemmatized": 1, "tm2t": 0}),
        ("two hand wave", {"ptb": 2 / 3, "words": 2 / 3, "lemmatized": 1, "tm2t": 1}),
    ],
)
def test_what_inflection_case_and_marks_cost(text, bleu):
    found = {protocol: scored(text, CAPTIONS[2], protocol)["BLEU@1"] for protocol in PROTOCOLS}
    assert found == pytest.approx(bleu)


def test_bad_input():
    with pytest.raises(InputError, match="'lemmas': expected ptb, words, lemmatized or tm2t"):
        references_of(CAPTIONS, "lemmas")
    with pytest.raises(InputError, match="expected ptb, words"):
        prediction_of("x", "", TAGGER)
    with pytest.raises(InputError, match="without captions"):
        references_of([], "lemmatized")
