"""A place that reads a file of somebody else, and how a hostile file is put there."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.contents import payloads

Contents = Callable[[Path], Iterator[tuple[str, bytes]]]


@dataclass(frozen=True)
class Place:
    """A place that reads a file of somebody else.

    Attributes:
        prepare: writes a good file of this kind, and what is needed beside it, into a folder.
        contents: canary -> (what it would do, hostile content).
        plant: puts a content in the place of the good file.
        read: what reads it, given the folder; it may give anything and raise InputError.
    """

    name: str
    prepare: Callable[[Path], None]
    contents: Contents
    plant: Callable[[Path, bytes], None]
    read: Callable[[Path], Any]


def over(name: str) -> Callable[[Path, bytes], None]:
    """Plants a content in the place of a file, which may be in a folder that is not there yet."""

    def plant(folder: Path, content: bytes) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    return plant


def instead(old: str, new: str) -> Callable[[Path, bytes], None]:
    """Plants a content under another name, and takes the good file away."""

    def plant(folder: Path, content: bytes) -> None:
        (folder / old).unlink()
        (folder / new).write_bytes(content)

    return plant


def torch_files(canary: Path) -> Iterator[tuple[str, bytes]]:
    """Pickles as torch writes them, and as it wrote them once."""
    for what, content in payloads.pickles(canary):
        yield what, payloads.as_torch(content)
        yield f"{what}, bare", content


def npy_files(canary: Path) -> Iterator[tuple[str, bytes]]:
    for what, content in payloads.pickles(canary):
        yield what, payloads.as_npy(content)
    yield "bare", next(content for _, content in payloads.pickles(canary))


def npz_files(*names: str) -> Contents:
    def contents(canary: Path) -> Iterator[tuple[str, bytes]]:
        for what, content in payloads.pickles(canary):
            yield what, payloads.as_npz(content, *names)
            yield f"{what}, bare", content

    return contents


def nothing(folder: Path) -> None:
    pass
