"""The lexicon knows lemma and part of speech of every word of the toy captions, as HumanML3D's texts carry them.

One word has one part of speech here; the templates of `dataset.toy.captions` keep to that.
"""

import re

# Words that are their own lemma, by part of speech.
_PLAIN = {
    "ADJ": "full half left quick right slow steady upper",
    "ADP": "above at by for from in into of on onto over to towards with",
    "ADV": "again ahead around back backward clockwise counterclockwise deeply down fast first forward "
    "high low once out quickly rapidly sideways slightly slowly straight then together twice up upright",
    "CCONJ": "and",
    "DET": "a both the this",
    "NUM": "eighty four hundred ninety one six three two",
    "PRON": "it somebody someone them",
    "SCONJ": "while",
    "NOUN": "arm body chair chest circle corner crouch figure fist foot front hand head hip knee leg "
    "pace person place quarter seat side spot step torso waist way",
}

# Inflected nouns and verbs, as word:lemma.
_NOUN_FORMS = "arms:arm degrees:degree feet:foot fists:fist hands:hand knees:knee sides:side steps:step times:time"
_VERB_FORMS = (
    "bends:bend bows:bow brings:bring claps:clap comes:come crouches:crouch gets:get goes:go hops:hop jogs:jog "
    "jumps:jump kicks:kick leans:lean leaps:leap lifts:lift lowers:lower moves:move punches:punch raises:raise "
    "returns:return rises:rise rotates:rotate runs:run sidesteps:sidestep sits:sit sprints:sprint squats:squat "
    "stands:stand straightens:straighten stretches:stretch swings:swing takes:take tilts:tilt turns:turn walks:walk "
    "walking:walk running:run waves:wave"
)


def _pairs(forms: str) -> list[list[str]]:
    return [form.split(":") for form in forms.split()]


LEXICON: dict[str, tuple[str, str]] = {
    **{word: (word, tag) for tag, words in _PLAIN.items() for word in words.split()},
    **{word: (lemma, "NOUN") for word, lemma in _pairs(_NOUN_FORMS)},
    **{word: (lemma, "VERB") for word, lemma in _pairs(_VERB_FORMS)},
}


def tag_caption(text: str) -> tuple[str, ...]:
    """The `lemma/POS` tokens of a toy caption; raises KeyError for a word that is not in the lexicon."""
    tokens = []
    for word in re.findall(r"[a-z]+", text.lower()):
        lemma, tag = LEXICON[word]
        tokens.append(f"{lemma}/{tag}")
    return tuple(tokens)


def lexicon_pairs() -> list[tuple[str, tuple[str, ...]]]:
    """(word, its one token) for every word: what a tagger can learn from where nothing better is at hand."""
    return [(word, (f"{lemma}/{tag}",)) for word, (lemma, tag) in LEXICON.items()]
