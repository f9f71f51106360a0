import pickle

import numpy as np
import pytest

from dataset.captions.word_vectors import MAX_TOKENS, POS_CLASSES, WordVectorizer, make_word_vectors
from utils.errors import InputError

TOKENS = ("a/DET", "man/NOUN", "walk/VERB", "slowly/ADV", "zigzag/NOUN", "and/CCONJ")


@pytest.fixture
def words():
    return make_word_vectors(TOKENS, dim=8, seed=3)


def test_shapes_and_ends(words):
    vectors, one_hot, length = words.encode(TOKENS[:3])
    assert vectors.shape == (22, 8)
    assert one_hot.shape == (22, 15)
    assert length == 5
    rows, classes, _ = words.indices(TOKENS[:3])
    assert [words.words[row] for row in rows[:6]] == ["sos", "a", "man", "walk", "eos", "unk"]
    assert [POS_CLASSES[c] for c in classes[:6]] == ["OTHER", "DET", "NOUN", "Act_VIP", "OTHER", "OTHER"]
    np.testing.assert_array_equal(vectors, words.vectors[rows])
    assert (one_hot.sum(axis=1) == 1).all()


def test_part_of_speech_classes(words):
    named = [POS_CLASSES[c] for c in words.indices(TOKENS)[1][1:7]]
    assert named == ["DET", "NOUN", "Act_VIP", "Desc_VIP", "NOUN", "OTHER"]  # CCONJ has no class of its own


def test_an_unknown_word_loses_its_class(words):
    rows, classes, _ = words.indices(("xylophone/NOUN",))
    assert words.words[rows[1]] == "unk"
    assert POS_CLASSES[classes[1]] == "OTHER"


def test_long_captions_are_cut_to_twenty_words(words):
    rows, _, length = words.indices(TOKENS[:1] * 25)
    assert length == len(rows) == MAX_TOKENS
    assert [words.words[row] for row in rows[-2:]] == ["a", "eos"]


def test_vectors_depend_on_words_and_seed_only():
    first, again = make_word_vectors(TOKENS, 8, 3), make_word_vectors(TOKENS[::-1] * 2, 8, 3)
    assert first.words == again.words
    np.testing.assert_array_equal(first.vectors, again.vectors)
    assert not np.array_equal(first.vectors, make_word_vectors(TOKENS, 8, 4).vectors)


def test_published_files_round_trip(words, tmp_path):
    words.save(tmp_path)
    assert pickle.loads((tmp_path / "our_vab_idx.pkl").read_bytes())["unk"] == words.words.index("unk")
    loaded = WordVectorizer.load(tmp_path)
    assert loaded.words == words.words
    np.testing.assert_array_equal(loaded.vectors, words.vectors)


def test_rows_follow_the_index_file(words, tmp_path):
    words.save(tmp_path)
    count = len(words.words)
    flipped = {word: count - 1 - row for row, word in enumerate(words.words)}
    (tmp_path / "our_vab_idx.pkl").write_bytes(pickle.dumps(flipped))
    np.testing.assert_array_equal(WordVectorizer.load(tmp_path).vectors, words.vectors[::-1])


class _Payload:
    def __reduce__(self):
        return print, ("code in a pickle ran",)


def test_a_pickle_that_would_run_code_is_refused(words, tmp_path, capsys):
    words.save(tmp_path)
    (tmp_path / "our_vab_words.pkl").write_bytes(pickle.dumps(_Payload()))
    with pytest.raises(InputError, match=r"builtins\.print"):
        WordVectorizer.load(tmp_path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["our_vab_data.npy", "our_vab_words.pkl", "our_vab_idx.pkl"])
def test_missing_or_broken_files_are_named(words, tmp_path, name):
    words.save(tmp_path)
    (tmp_path / name).write_bytes(b"no")
    with pytest.raises(InputError, match=name):
        WordVectorizer.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=name):
        WordVectorizer.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("words", ["unk", 3]),
        ("words", {"unk": 0}),
        ("words", ["unk", "unheard"]),
        ("idx", {"unk": -1}),
        ("idx", {"unk": True}),
        ("idx", {"unk": 10**400}),
        ("idx", {"unk": 99}),
        ("idx", ["unk"]),
        ("data", np.full((4, 2), np.nan)),
        ("data", np.zeros(4)),
    ],
)
def test_files_that_do_not_fit_are_named(tmp_path, name, value):
    WordVectorizer(("unk", "sos", "eos", "a"), np.zeros((4, 2), np.float32)).save(tmp_path)
    if name == "data":
        np.save(tmp_path / "our_vab_data.npy", value)
    else:
        (tmp_path / f"our_vab_{name}.pkl").write_bytes(pickle.dumps(value))
    with pytest.raises(InputError, match=r"our_vab|words and vectors|word vectors"):
        WordVectorizer.load(tmp_path)


def test_a_pickle_damaged_anywhere_is_one_line_or_plain_values(tmp_path):
    WordVectorizer(("unk", "sos", "eos", "a"), np.zeros((4, 2), np.float32)).save(tmp_path)
    path = tmp_path / "our_vab_words.pkl"
    good, refused = path.read_bytes(), 0
    for place in range(len(good)):
        for byte in (b"", b"\0", b"R", b"\xff"):
            path.write_bytes(good[:place] + byte + good[place + 1 :])
            try:
                WordVectorizer.load(tmp_path)
            except InputError as error:
                refused += 1
                assert "\n" not in str(error)
    assert refused > len(good)
