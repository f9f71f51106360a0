import pytest

from dataset.captions.lines import parse_caption_line
from dataset.captions.protocols import PROTOCOLS, prediction_of, references_of
from dataset.captions.tagger import CaptionTagger
from utils.errors import InputError
from utils.metrics.captions import caption_scores

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


def test_raw_keeps_all_captions_as_written():
    assert references_of(CAPTIONS, "raw") == [caption.text for caption in CAPTIONS]
    assert references_of(CAPTIONS[:1], "raw") == ["A person walks forward."]
    assert prediction_of("A man walks.", "raw", TAGGER) == "A man walks."


@pytest.mark.parametrize(("given", "expected"), [(1, [0, 0, 0]), (2, [0, 1, 0]), (3, [0, 1, 2]), (4, [0, 1, 2])])
def test_lemmas_are_always_three_references(given, expected):
    assert references_of(CAPTIONS[:given], "lemmatized") == [LEMMAS[index] for index in expected]


def test_predictions_are_lemmatised_like_the_references():
    assert prediction_of("A person walks forward!", "lemmatized", TAGGER) == LEMMAS[0]
    assert prediction_of("", "lemmatized", TAGGER) == ""
    for protocol in PROTOCOLS:
        predictions = [prediction_of(caption.text, protocol, TAGGER) for caption in CAPTIONS]
        references = [references_of([caption], protocol) for caption in CAPTIONS]
        assert caption_scores(predictions, references)["ROUGE-L"] == pytest.approx(1.0)


def test_inflection_costs_only_where_captions_are_compared_as_written():
    raw, lemmatized = (
        caption_scores([prediction_of("two hands waves", p, TAGGER)], [references_of(CAPTIONS[2:3], p)])["BLEU@1"]
        for p in PROTOCOLS
    )
    assert (raw, lemmatized) == (pytest.approx(2 / 3), pytest.approx(1.0))


def test_bad_input():
    with pytest.raises(InputError, match="'lemmas': expected raw or lemmatized"):
        references_of(CAPTIONS, "lemmas")
    with pytest.raises(InputError, match="expected raw or lemmatized"):
        prediction_of("x", "", TAGGER)
    with pytest.raises(InputError, match="without captions"):
        references_of([], "lemmatized")
