"""The HIERARCHY section of a BVH file is read: joints, their OFFSETs and CHANNELS."""

import re
from dataclasses import dataclass
from pathlib import Path

from utils.errors import InputError

_CHANNELS = {f"{axis}{kind}".lower(): f"{axis}{kind}" for kind in ("position", "rotation") for axis in "XYZ"}
_WORD = re.compile(r"[{}]|[^\s{}]+")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
# No length in any unit and no angle in degrees is larger: 1e300 is damage, and would be infinite in the features.
LARGEST_NUMBER = 1e8
_SHOWN = 40


@dataclass
class BvhJoint:
    """One joint of the file; `parent` is the index of its parent (-1: a root), `channels` are in the file's order.

    `end` is the OFFSET of its End Site, where it has one: the tip of the toes in rigs without a joint for them.
    """

    name: str
    parent: int
    offset: list[float] | None = None
    channels: tuple[str, ...] = ()
    end: list[float] | None = None


def read_hierarchy(path: Path, text: str) -> list[BvhJoint]:
    """Joints in the order of the file. Raises InputError with `path` and the line."""
    if not re.match(r"\s*HIERARCHY\b", text, re.IGNORECASE):
        raise InputError(f"{path}:1: not a BVH file: it does not begin with HIERARCHY")
    return _HierarchyReader(path, text).read()


def finite_number(word: str) -> float | None:
    """The number that a word says; None for a word that is none, or one that nobody measures (`LARGEST_NUMBER`)."""
    if not _NUMBER.fullmatch(word):
        return None
    value = float(word)
    return value if abs(value) <= LARGEST_NUMBER else None


def shown(word: str) -> str:
    """A word of a file in quotes for a message, its beginning where it is long."""
    return repr(word[:_SHOWN])


class _HierarchyReader:
    """Reads the HIERARCHY section word by word, so any layout of lines will do."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        lines = enumerate(text.split("\n"), start=1)
        self._words = [(word, number) for number, line in lines for word in _WORD.findall(line)]
        self._next = 1  # after the word HIERARCHY

    def read(self) -> list[BvhJoint]:
        """Joints in the order of the file. Raises InputError."""
        joints: list[BvhJoint] = []
        names: set[str] = set()
        open_joints: list[int | None] = []  # None for an end site
        while self._next < len(self._words):
            keyword = self._word().upper()
            if keyword == "JOINT" or (keyword == "ROOT" and not open_joints):
                name = self._name()
                if name in names:
                    self._fail(f"a second joint named {shown(name)}")
                names.add(name)
                joints.append(BvhJoint(name, self._current(open_joints) if keyword == "JOINT" else -1))
                open_joints.append(len(joints) - 1)
            elif keyword == "END":
                self._name()
                open_joints.append(None)
            elif keyword == "}" and open_joints:
                index = open_joints.pop()
                if index is not None and joints[index].offset is None:
                    self._fail(f"joint {shown(joints[index].name)} has no OFFSET")
            elif keyword == "OFFSET" and open_joints:
                offset = [self._number() for _ in range(3)]
                if open_joints[-1] is not None:
                    joints[open_joints[-1]].offset = offset
                elif len(open_joints) > 1 and open_joints[-2] is not None:
                    joints[open_joints[-2]].end = offset
            elif keyword == "CHANNELS":
                joints[self._current(open_joints)].channels = self._channels()
            else:
                self._fail(f"unexpected {shown(self._words[self._next - 1][0])} in the HIERARCHY section")
        if open_joints:
            self._fail("the HIERARCHY section ends before its last closing brace")
        if not joints:
            self._fail("the HIERARCHY section holds no ROOT")
        return joints

    def _fail(self, message: str) -> None:
        raise InputError(f"{self._path}:{self._words[self._next - 1][1]}: {message}")

    def _word(self) -> str:
        if self._next == len(self._words):
            self._fail("the HIERARCHY section ends in the middle of a joint")
        self._next += 1
        return self._words[self._next - 1][0]

    def _name(self) -> str:
        """A name: all words up to the opening brace, since some exporters put spaces into names."""
        words = []
        while (word := self._word()) != "{":
            words.append(word)
        if not words or "}" in words:
            self._fail("expected a name and an opening brace")
        return " ".join(words)

    def _current(self, open_joints: list[int | None]) -> int:
        if not open_joints or open_joints[-1] is None:
            self._fail(f"{shown(self._words[self._next - 1][0])} outside a joint")
        return open_joints[-1]

    def _number(self) -> float:
        word = self._word()
        value = finite_number(word)
        if value is None:
            self._fail(f"expected a number, got {shown(word)}")
        return value

    def _channels(self) -> tuple[str, ...]:
        count = self._word()
        if count not in map(str, range(len(_CHANNELS) + 1)):
            self._fail(f"expected the number of channels, 0 to {len(_CHANNELS)}, got {shown(count)}")
        channels: list[str] = []
        for _ in range(int(count)):
            word = self._word()
            channel = _CHANNELS.get(word.lower())
            if channel is None or channel in channels:
                self._fail(f"expected {count} different ones of {', '.join(_CHANNELS.values())}, got {shown(word)}")
            channels.append(channel)
        return tuple(channels)
