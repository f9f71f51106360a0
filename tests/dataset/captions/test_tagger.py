import pytest

from dataset.captions.tagger import CaptionTagger, SpacyTagger, caption_words

PAIRS = [
    ("a person walks forward.", "a/DET person/NOUN walk/VERB forward/ADV"),
    ("the man's left hand waves to the left", "the/DET man/NOUN left/ADJ hand/NOUN wave/VERB to/ADP the/DET left/NOUN"),
    ("someone is turning counter-clockwise", "someone/PRON is/AUX turn/VERB counterclockwise/ADV"),
    ("he raises both hands to wave", "he/PRON raise/VERB both/DET hand/NOUN to/PART wave/VERB"),
    ("as he hops on one foot", "as/SCONJ he/PRON hop/VERB on/ADP one/NUM foot/NOUN"),
]
PAIRS = [(text, tuple(tokens.split())) for text, tokens in PAIRS]


@pytest.fixture
def from_tokens():
    return CaptionTagger.from_pairs(("", tokens) for _, tokens in PAIRS)


def test_words_are_those_humanml3d_keeps():
    words = ["a", "person", "turns", "counterclockwise", "degrees", "ok"]
    assert caption_words("A person's 3 turns, counter-clockwise 90 degrees: OK!") == [words[0], words[1], *words[2:]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A person is walking!", "a/DET person/NOUN is/AUX walk/VERB"),
        ("two persons hopping", "two/OTHER person/NOUN hop/VERB"),
        ("he waved", "he/PRON wave/VERB"),
        ("he turns and raised the feet", "he/PRON turn/VERB and/OTHER raise/VERB the/DET foot/NOUN"),
        ("as", "as/SCONJ"),  # not the article "a" with a plural s
    ],
)
def test_inflected_words_are_led_back_by_rules(from_tokens, text, expected):
    assert " ".join(from_tokens.tag(text)) == expected


def test_captions_as_written_give_their_own_tokens_back():
    tagger = CaptionTagger.from_pairs(PAIRS)
    assert [tagger.tag(text) for text, _ in PAIRS] == [tokens for _, tokens in PAIRS]


def test_the_next_word_decides():
    tagger = CaptionTagger.from_pairs(PAIRS)
    assert tagger.tag("to the left hand") == ("to/ADP", "the/DET", "left/ADJ", "hand/NOUN")
    assert tagger.tag("to wave left") == ("to/PART", "wave/VERB", "left/NOUN")


def test_nothing_in_nothing_out(from_tokens):
    assert from_tokens.tag(" 12 ...") == ()


def test_spacy_keeps_letters_lemmatises_and_keeps_left():
    spacy = pytest.importorskip("spacy", reason="spaCy is optional")
    pipeline = spacy.blank("en")
    ruler = pipeline.add_pipe("attribute_ruler")  # stands for the statistical model, which needs a download
    for text, pos, lemma in (
        ("a", "DET", "a"),
        ("man", "NOUN", "man"),
        ("turns", "VERB", "turn"),
        ("left", "VERB", "leave"),
        ("quickly", "ADV", "quick"),
        ("counterclockwise", "ADV", "counterclockwise"),
        ("arms", "NOUN", "arm"),
    ):
        ruler.add(patterns=[[{"LOWER": text}]], attrs={"POS": pos, "LEMMA": lemma})
    tagger = SpacyTagger(pipeline, "spacy")
    expected = "a/DET man/NOUN turn/VERB left/VERB counterclockwise/ADV quickly/ADV arm/NOUN"
    assert " ".join(tagger.tag("A man turns left, 90 counter-clockwise quickly: arms!")) == expected
