"""Caption tokens become numbers that the text-motion evaluator reads: word vectors and part-of-speech classes.

File format (published with HumanML3D's evaluator): `our_vab_data.npy` (V, dim) vectors, `our_vab_words.pkl` a list
of words, `our_vab_idx.pkl` a dict word -> row. Captions are at most 20 tokens, put between `sos` and `eos`
and padded with `unk` to 22.
"""

import pickle
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from utils.asset_hints import how_to_get
from utils.errors import InputError
from utils.files.arrays import read_npy, write_npy
from utils.files.atomic import write_atomic
from utils.files.text_files import unreadable

MAX_WORDS = 20
MAX_TOKENS = MAX_WORDS + 2  # with sos and eos
POS_CLASSES = (
    "VERB",
    "NOUN",
    "DET",
    "ADP",
    "NUM",
    "AUX",
    "PRON",
    "ADJ",
    "ADV",
    "Loc_VIP",
    "Body_VIP",
    "Obj_VIP",
    "Act_VIP",
    "Desc_VIP",
    "OTHER",
)
START, END, UNKNOWN = "sos", "eos", "unk"
PREFIX = "our_vab"

# Words that get a class of their own whatever their part of speech. The weights of the published evaluator were
# trained with exactly these.
_CLASS_WORDS = {
    "Loc_VIP": "left right clockwise counterclockwise anticlockwise forward back backward up down straight curve",
    "Body_VIP": "arm chin foot feet face hand mouth leg waist eye knee shoulder thigh",
    "Obj_VIP": "stair dumbbell chair window floor car ball handrail baseball basketball",
    "Act_VIP": (
        "walk run swing pick bring kick put squat throw hop dance jump turn stumble stop sit lift lower raise wash "
        "stand kneel stroll rub bend balance flap jog shuffle lean rotate spin spread climb"
    ),
    "Desc_VIP": "slowly carefully fast careful slow quickly happy angry sad happily angrily sadly",
}
_POS_INDEX = {name: index for index, name in enumerate(POS_CLASSES)}
_WORD_CLASS = {word: name for name, words in _CLASS_WORDS.items() for word in words.split()}
_OTHER = _POS_INDEX["OTHER"]


def split_token(token: str) -> tuple[str, str]:
    """`word/POS` -> (word, POS); a token without a slash is a word of the class OTHER."""
    word, slash, pos = token.rpartition("/")
    return (word, pos) if slash else (token, "OTHER")


def word_class(token: str) -> str:
    """The class of POS_CLASSES that a `word/POS` token belongs to: that of its word, else of its part of speech."""
    word, pos = split_token(token)
    return _WORD_CLASS.get(word, pos if pos in _POS_INDEX else "OTHER")


# What unpickling raises for bytes that are no pickle, or a damaged one.
_BAD_PICKLE = (pickle.UnpicklingError, EOFError, ValueError, LookupError, AttributeError, TypeError, OverflowError)
_BAD_PICKLE += (MemoryError, RecursionError, ImportError, NotImplementedError)


class _PlainUnpickler(pickle.Unpickler):
    """An unpickler of lists, dicts, strings and numbers: a pickle that wants to import anything is refused."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, but only strings and numbers are expected")


def _read_plain_pickle(path: Path) -> Any:
    try:
        with path.open("rb") as stream:
            return _PlainUnpickler(stream).load()
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file (word vectors are three files named {PREFIX}_*); {how_to_get('glove')}"
        ) from None
    except OSError as error:
        raise unreadable(path, error) from None
    except _BAD_PICKLE as error:
        raise InputError(f"{path}: not a plain pickle of words: {error}") from None


@dataclass(frozen=True, eq=False)
class WordVectorizer:
    """A vocabulary whose words have vectors.

    Attributes:
        words: V words; `unk` must be among them.
        vectors: (V, dim) float32, row i belongs to words[i].
    """

    words: tuple[str, ...]
    vectors: np.ndarray = field(repr=False)
    _rows: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.words):
            raise InputError(f"word vectors of shape {self.vectors.shape} do not fit {len(self.words)} words")
        if UNKNOWN not in self.words:
            raise InputError(f"the word vectors lack {UNKNOWN!r}, which stands for every unknown word")
        object.__setattr__(self, "_rows", {word: row for row, word in enumerate(self.words)})

    @property
    def dim(self) -> int:
        return self.vectors.shape[1]

    def __contains__(self, word: str) -> bool:
        return word in self._rows

    def indices(self, tokens: Iterable[str]) -> tuple[np.ndarray, np.ndarray, int]:
        """`word/POS` tokens -> word rows (22,) and classes (22,), both int64, and the length with sos/eos."""
        kept = [f"{START}/OTHER", *list(tokens)[:MAX_WORDS], f"{END}/OTHER"]
        length = len(kept)
        kept += [f"{UNKNOWN}/OTHER"] * (MAX_TOKENS - length)
        rows, classes = zip(*(self._index(token) for token in kept), strict=True)
        return np.array(rows, dtype=np.int64), np.array(classes, dtype=np.int64), length

    def encode(self, tokens: Iterable[str]) -> tuple[np.ndarray, np.ndarray, int]:
        """`word/POS` tokens -> vectors (22, dim) and one-hot classes (22, 15), both float32, and the length."""
        rows, classes, length = self.indices(tokens)
        return self.vectors[rows], np.eye(len(POS_CLASSES), dtype=np.float32)[classes], length

    def _index(self, token: str) -> tuple[int, int]:
        word, _ = split_token(token)
        if word not in self._rows:
            return self._rows[UNKNOWN], _OTHER  # as published: an unknown word loses its class too
        return self._rows[word], _POS_INDEX[word_class(token)]

    def save(self, folder: str | Path) -> None:
        """Write the three files of the published format."""
        folder = Path(folder)
        write_npy(folder / f"{PREFIX}_data.npy", self.vectors.astype(np.float32))
        for name, value in (("words", list(self.words)), ("idx", dict(self._rows))):
            data = pickle.dumps(value, protocol=2)
            write_atomic(folder / f"{PREFIX}_{name}.pkl", lambda stream, data=data: stream.write(data))

    @classmethod
    def load(cls, folder: str | Path) -> "WordVectorizer":
        """Read the three files of the published format. Raises InputError where they are absent or do not fit."""
        folder = Path(folder)
        words = _read_plain_pickle(folder / f"{PREFIX}_words.pkl")
        rows = _read_plain_pickle(folder / f"{PREFIX}_idx.pkl")
        data = read_npy(folder / f"{PREFIX}_data.npy")
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise InputError(f"{folder}: {PREFIX}_words.pkl must hold a list of words")
        if not isinstance(rows, dict) or not all(type(row) is int and row >= 0 for row in rows.values()):
            raise InputError(f"{folder}: {PREFIX}_idx.pkl must hold a dict of words to rows")
        try:
            # Row i of the result belongs to word i, whatever the order of the vectors in the file.
            order = np.array([rows[word] for word in words], dtype=np.int64)
            vectors = data[order].astype(np.float32)
        except (KeyError, IndexError, ValueError, TypeError, OverflowError) as error:
            raise InputError(f"{folder}: words and vectors do not fit each other: {error}") from None
        if not np.isfinite(vectors).all():
            raise InputError(f"{folder}: {PREFIX}_data.npy holds values that are not finite numbers (NaN)")
        return cls(tuple(words), vectors)


def make_word_vectors(tokens: Iterable[str], dim: int = 300, seed: int = 0) -> WordVectorizer:
    """Random vectors for every word of `word/POS` tokens, to be used where GloVe is absent.

    The result depends only on the set of words, `dim` and `seed`. Entries have a standard deviation of 0.4, like
    GloVe's, so that the published initialisation of the text encoder fits.
    """
    special = [UNKNOWN, START, END]
    words = special + sorted({split_token(token)[0] for token in tokens}.difference(special))
    vectors = np.random.default_rng(seed).normal(0.0, 0.4, (len(words), dim)).astype(np.float32)
    return WordVectorizer(tuple(words), vectors)
