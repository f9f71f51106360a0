"""A good file is damaged: its bytes, its text, its JSON. `tests.faults.contents.forms` draws how."""

import copy
import gzip
import json
import math
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

# Words that stand where a number, an id or a text was expected.
WORDS = (
    "", " ", "0", "-1", "nan", "NaN", "inf", "-inf", "1e300", "1e-300", "1e400", "9" * 400, "9" * 5000, "0x10", "1_000",
    "٣", "null", "NA", "None", "true", "#", "##", "a#b", "/", "..", "../../x", "/etc/passwd", "~", "C:\\x",
    "a/b", "x" * 300, "</think>", "<think>", "</answer>", "<Motion_3>", "{", "}", "[", '"', "'", "\\", ";", ",", "\t",
    "%s", "{0}", "walk\u2028on", "a\u0085b", "a\x0bb", "a\x0cb", "a\x1cb", "\ufeff", "\x00", "\x1a", "é", "日本",
    "😀", "\u202e", "a\rb",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, 0.5, -0.0, 1e300, 1e-300, math.nan, math.inf, -math.inf, "",
    " ", "0", "NA", "null", "nan", "x", "a\ud83d", "\udc00", "a\u2028b", "\x00", "../x", "</think>", "<Motion_3>",
    "x" * 100_000, [], {},
    [[]], [None], [0], ["0"], [1.5], [-1], [True], [[1]], [{}], {"": 0}, {"a": {"b": []}}, list(range(5000)),
)  # fmt: skip
ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252", "utf-7")
BREAKS = ("\n", "\r\n", "\r", "\n\n", "\u2028", "\x85", "\x0b", "\x0c", "\n\r", "")
ENDS = ("", "\n", "\n\n\n", "\r", " ", "\x00", "\x00" * 4096, "\x1a", "\ufeff", "\n{", "\n[1, 2")
DEEP = 50_000

Damage = Callable[[st.DataObject, bytes], bytes]


class Draw:
    """Draws of a composite strategy, by name."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw

    def whole(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, max(low, high)))

    def one(self, choices: Any) -> Any:
        choices = list(choices)
        return choices[self.whole(0, len(choices) - 1)]

    def bytes(self, most: int) -> bytes:
        return self._draw(st.binary(max_size=most))

    def text(self, most: int) -> str:
        return self._draw(st.text(max_size=most))


# --- bytes ---


def damage_bytes(data: Draw, content: bytes) -> bytes:
    """Cut off, overwrite, insert, leave out, repeat, zero, append: what disks, networks and editors do."""
    place, other = sorted((data.whole(0, len(content)), data.whole(0, len(content))))
    kind = data.whole(0, 8)
    if kind == 0:
        return content[:place]
    if kind == 1:
        new = bytearray(content)
        for _ in range(data.whole(1, 8)):
            if new:
                new[data.whole(0, len(new) - 1)] = data.whole(0, 255)
        return bytes(new)
    if kind == 2:
        return content[:place] + data.bytes(40) + content[place:]
    if kind == 3:
        return content[:place] + content[other:]
    if kind == 4:
        return content[:other] + content[place:other] + content[other:]
    if kind == 5:
        return content[:place] + bytes(other - place) + content[other:]
    if kind == 6:
        return content + data.bytes(40)
    if kind == 7:
        return data.bytes(400)
    return content[other:] + content[:place]


# --- text ---


def _text_of(content: bytes) -> str:
    return content.decode("utf-8", errors="replace")


def damage_encoding(data: Draw, content: bytes) -> bytes:
    return (_text_of(content) + data.one(("", "é", "日本\n", "…\n"))).encode(data.one(ENCODINGS), errors="replace")


def damage_breaks(data: Draw, content: bytes) -> bytes:
    return (data.one(BREAKS).join(_text_of(content).split("\n")) + data.one(ENDS)).encode("utf-8")


def damage_words(data: Draw, content: bytes) -> bytes:
    """Other words in the place of some words."""
    text = _text_of(content)
    marks = [index for index, letter in enumerate(text) if letter in " \n\t,#/:=[]{}"]
    for _ in range(data.whole(1, 3)):
        start = data.one([-1, *marks]) + 1
        end = next((mark for mark in marks if mark >= start), len(text))
        text = text[:start] + data.one(WORDS) + text[end:]
        marks = [index for index, letter in enumerate(text) if letter in " \n\t,#/:=[]{}"]
    return text.encode("utf-8", errors="surrogatepass")


def damage_lines(data: Draw, content: bytes) -> bytes:
    """Lines left out, twice, in another order, glued together, or of anything."""
    lines = _text_of(content).split("\n")
    place, other = data.whole(0, len(lines) - 1), data.whole(0, len(lines) - 1)
    kind = data.whole(0, 5)
    if kind == 0:
        del lines[place]
    elif kind == 1:
        lines.insert(other, lines[place])
    elif kind == 2:
        lines[place], lines[other] = lines[other], lines[place]
    elif kind == 3:
        lines[place] += lines[other]
    elif kind == 4:
        lines.insert(place, data.text(60))
    else:
        lines[place] = data.text(60)
    return "\n".join(lines).encode("utf-8", errors="replace")


# --- JSON, YAML ---


def damage_tree(data: Draw, value: Any, values: tuple[Any, ...] = VALUES) -> Any:
    """A copy of nested lists and dictionaries with one to three entries replaced, left out, added or renamed."""
    root = [copy.deepcopy(value)]
    for _ in range(data.whole(1, 3)):
        holder: Any = root
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                break
            key = data.one(keys)
            if isinstance(holder[key], dict | list) and data.whole(0, 3):
                holder = holder[key]
                continue
            kind = 0 if holder is root else data.whole(0, 4)
            if kind <= 2:
                holder[key] = copy.deepcopy(data.one(values))  # or a later step would change it for all cases
            elif kind == 3:
                del holder[key]
            elif isinstance(holder, dict):
                holder[data.one(("x", "id", "", "format", f"{key} ", str(key).upper()))] = holder.pop(key)
            else:
                holder.insert(key, copy.deepcopy(data.one(values)))
            break
    return root[0]


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True)


def damage_json(data: Draw, content: bytes) -> bytes:
    if not data.whole(0, 19):
        return data.one(
            ("[" * DEEP, '{"a":' * DEEP, "[" * DEEP + "]" * DEEP, '{"id": 1, "id": 2}', "1e999", "NaN")
        ).encode()
    return _dump(damage_tree(data, json.loads(content))).encode()


def damage_jsonl(data: Draw, content: bytes) -> bytes:
    lines = content.decode("utf-8").rstrip("\n").split("\n")
    place = data.whole(0, len(lines) - 1)
    lines[place] = damage_json(data, lines[place].encode()).decode("utf-8", errors="surrogatepass")
    return ("\n".join(lines) + data.one(ENDS)).encode("utf-8", errors="surrogatepass")


def in_gzip(damage: Damage) -> Damage:
    return lambda data, content: gzip.compress(damage(data, gzip.decompress(content)), mtime=0)
