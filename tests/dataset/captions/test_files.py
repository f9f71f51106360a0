"""Text files as users write them: tagged, plain, with times, broken; plain ones are tagged after the tagged ones."""

import pytest

from dataset.captions import tagger as caption_tagger
from dataset.captions.common_words import common_pairs
from dataset.captions.files import read_caption_file, read_captions
from dataset.captions.lines import Caption
from dataset.captions.tagger import CaptionTagger, SpacyTagger
from dataset.toy.lexicon import lexicon_pairs
from utils.errors import InputError

TAGGED = "a person walks forward.#a/DET person/NOUN walk/VERB forward/ADV#0.0#0.0\n"


@pytest.fixture(autouse=True)
def without_spacy(monkeypatch):
    monkeypatch.setattr(caption_tagger, "_spacy_tagger", lambda: None)


def write(folder, **contents):
    paths = {}
    for id, content in contents.items():
        paths[id] = folder / f"{id}.txt"
        if content is not None:
            paths[id].write_bytes(content if isinstance(content, bytes) else content.encode())
    return paths


def test_tagged_captions_stay_as_they_are(tmp_path):
    found = read_captions(write(tmp_path, a=TAGGED * 2 + "\n"))
    assert found.captions["a"] == (Caption("a person walks forward.", tuple(TAGGED.split("#")[1].split())),) * 2
    assert found.tagger is None and not found.problems and str(found) == "captions tagged as given"


def test_plain_captions_are_tagged_after_the_tagged_ones(tmp_path):
    plain = "\ufeffA person walks!\r\na person somersaults##1.5#3.0\r\n"
    found = read_captions(write(tmp_path, a=TAGGED, b=plain))
    assert found.captions["b"] == (
        Caption("A person walks!", ("a/DET", "person/NOUN", "walk/VERB")),
        Caption("a person somersaults", ("a/DET", "person/NOUN", "somersaults/OTHER"), 1.5, 3.0),
    )
    assert found.tagger == "lexicon" and found.tagged_plain == 2 and found.unknown_words == ("somersaults",)
    assert str(found) == "2 plain captions tagged by lexicon; words unknown to it: 1 (somersaults)"


def test_words_are_learned_from_another_folder(tmp_path):
    (tmp_path / "tagged").mkdir()
    write(tmp_path / "tagged", x=TAGGED + "no such line#\n", y=b"\xff")  # what is malformed there teaches nothing
    paths = write(tmp_path, a="a person walks")
    assert read_captions(paths, tmp_path / "tagged").captions["a"][0].tokens == ("a/DET", "person/NOUN", "walk/VERB")
    with pytest.raises(InputError, match="no such folder"):
        read_captions(paths, tmp_path / "nowhere")


def test_plain_captions_alone_are_tagged_by_the_common_words(tmp_path):
    found = read_captions(write(tmp_path, a="They were dancing happily\nan elderly man grumbles"))
    assert [caption.tokens for caption in found.captions["a"]] == [
        ("they/PRON", "were/AUX", "dance/VERB", "happily/ADV"),
        ("an/DET", "elderly/ADJ", "man/NOUN", "grumbles/OTHER"),
    ]
    assert found.tagger == "lexicon" and found.unknown_words == ("grumbles",)
    assert "OTHER" in found.advice and "pip install spacy" in found.advice and "--lexicon-texts" in found.advice


def test_what_the_data_set_says_of_a_word_comes_before_the_lists(tmp_path):
    own = "they dance.#they/PRON dance/NOUN#0.0#0.0\n"
    told = [("grumbles", ("grumble/VERB",)), ("dance", ("dance/ADJ",))]
    found = read_captions(write(tmp_path, a=own, b="he grumbles, then they dance"), words=told)
    assert found.captions["b"][0].tokens[1] == "grumble/VERB" and found.captions["b"][0].tokens[-1] == "dance/NOUN"
    assert found.advice.startswith("unknown words") and found.unknown_words == ("then",)  # a word of the toy people


def test_nothing_is_advised_where_nothing_was_tagged_by_words(tmp_path, monkeypatch):
    assert read_captions(write(tmp_path, a=TAGGED)).advice is None
    other = SpacyTagger(lambda text: [], "spacy-of-a-test")
    monkeypatch.setattr(caption_tagger, "_spacy_tagger", lambda: other)
    assert read_captions(write(tmp_path, b="a person walks")).advice is None


def test_common_words_have_one_reading_and_the_toy_people_s_words_are_not_repeated():
    words = [word for word, _ in common_pairs()]
    toy = {word for word, _ in lexicon_pairs()} | {tokens[0].split("/")[0] for _, tokens in lexicon_pairs()}
    assert len(words) == len(set(words)) and toy.isdisjoint(words)
    assert CaptionTagger.from_pairs(common_pairs()).tag("who stumbled over the bottles") == (
        *("who/PRON", "stumble/VERB", "over/OTHER", "the/OTHER", "bottle/NOUN"),
    )


def test_every_bad_file_is_a_problem_of_its_clip_only(tmp_path):
    bad = {
        "gone": (None, "no such file"),
        "latin": (b"caf\xe9", "not UTF-8"),
        "empty": ("\n \n", "no caption"),
        "times": ("\n" + TAGGED.replace("0.0", "soon", 1), ":2: start and end"),
        "hashes": ("walks#walk/VERB", ":1: expected caption#"),
        "tokens": ("walks#walk#0.0#0.0", ":1: expected word/POS"),
        "wordless": ("123 !?", "no word in the caption"),
        "hash": ("a person dances #3", ":1: expected caption#word/POS ...#start#end, or a plain caption without #"),
        "tag": ("a person walks\na </think> person", ":2: the caption holds </think>, a tag that no text may hold"),
        "nul": (b"a\0", ":1: a NUL byte"),
    }
    found = read_captions(write(tmp_path, good=TAGGED, **{id: content for id, (content, _) in bad.items()}))
    assert set(found.captions) == {"good"} and set(found.problems) == set(bad)
    for id, (_, reason) in bad.items():
        assert reason in found.problems[id] and str(tmp_path / f"{id}.txt") in found.problems[id]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lines_end_where_an_editor_ends_them(tmp_path, end, encoding):
    path = tmp_path / "a.txt"
    path.write_bytes(end.join(["he walks", "he\u2028sits", "", ""]).encode(encoding))
    assert [caption.text for caption in read_caption_file(path)] == ["he walks", "he\u2028sits"]


def test_one_file_gives_plain_captions_without_tokens(tmp_path):
    path = write(tmp_path, a="a person walks\n")["a"]
    assert read_caption_file(path) == [Caption("a person walks", ())]
