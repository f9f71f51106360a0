"""Text files of people are read here, by one set of rules, whatever system wrote them.

UTF-8 with or without a byte order mark, or UTF-16 with one. A line ends at a line feed, a carriage return, or both; at
nothing else, as captions and replies may hold the separators U+2028 and U+0085, at which `str.splitlines` would break.
"""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from utils.errors import InputError

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LINE_ENDS = (b"\n", b"\r", b"\n\0", b"\r\0")  # in UTF-8 and in UTF-16
_GZIP_MAGIC = b"\x1f\x8b"
# Bytes between two line feeds: more than any line has, or a whole file of carriage returns. A packed file of zeros, a
# few megabytes long, would fill the memory otherwise.
_LONGEST_LINE = 1 << 29


def read_text(path: str | Path) -> str:
    """All of a text file, its lines ended by line feeds.

    Raises:
        InputError: no such file, one that cannot be read, or (with ``file:line``) bytes that are no text.
    """
    return "".join(f"{line}\n" for _, line in _all_lines(path))


def text_of(content: bytes, where: str) -> str:
    """The text that the bytes of a file are, as `read_text` reads it; no line end is added to a last line without one.

    Raises:
        InputError: that begins with `where` and the number of the line.
    """
    lines = enumerate(byte_lines(io.BytesIO(content), where), start=1)
    text = "\n".join(decoded(line, f"{where}:{number}") for number, line in lines)
    return f"{text}\n" if content.endswith(_LINE_ENDS) else text


def numbered_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """(number from 1, line without its end) of each line of a file that is not blank, one after the other.

    Raises:
        InputError: as `read_text`.
    """
    return ((number, line) for number, line in _all_lines(path) if line.strip())


def unpacked_lines(path: str | Path) -> Iterator[bytes]:
    """As `byte_lines`, of a file that may be packed with gzip, which its first bytes tell, whatever it is called.

    Raises:
        InputError: no such file, one that cannot be read, or a damaged gzip file.
    """
    try:
        with Path(path).open("rb") as stream:
            packed = stream.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        with gzip.open(path) if packed else Path(path).open("rb") as stream:
            yield from byte_lines(stream, path)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: damaged gzip file ({error})") from error
    except OSError as error:
        raise unreadable(path, error) from None


def byte_lines(stream: BinaryIO, where: str | Path) -> Iterator[bytes]:
    """The lines of an open file without their ends, for whoever goes on after one that `decoded` refuses.

    Raises:
        InputError: that begins with `where`, for a line that no text has, or what begins as UTF-16 and is none.
    """
    first = _line(stream, where)
    if first.startswith(_UTF16_MARKS):
        yield from _split(_from_utf16(first + stream.read(), where))
        return
    yield from _split(first.removeprefix(codecs.BOM_UTF8))
    while piece := _line(stream, where):
        yield from _split(piece)


def decoded(line: bytes, where: str) -> str:
    """A line as text.

    Args:
        where: ``file.txt:12``, the beginning of an error message.
    """
    if b"\0" in line:
        raise InputError(f"{where}: a NUL byte (the file is damaged, or no text): copy it again, or remove it")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where}: not UTF-8 text (byte 0x{line[error.start]:02x}): save the file as UTF-8, for example with "
            "iconv -f latin1 -t utf8"
        ) from None


def split_lines(text: str) -> list[str]:
    """The lines of a text, by the rules of this file; a line break at its end begins no further line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines if lines[-1] else lines[:-1]


def encoded(text: str) -> bytes:
    """A text as the bytes of a file. Half a character (a lone surrogate: part of a file name that is no text) becomes
    its escape, as no encoding has bytes for it; within JSON that is what the escape means."""
    return text.encode("utf-8", errors="backslashreplace")


def unreadable(path: str | Path, error: OSError) -> InputError:
    """What to say about a file that the system does not give us."""
    if isinstance(error, FileNotFoundError):
        return InputError(f"{path}: no such file")
    return InputError(f"{path}: cannot be read ({error.strerror or error})")


def _all_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    try:
        with Path(path).open("rb") as stream:
            for number, line in enumerate(byte_lines(stream, path), start=1):
                yield number, decoded(line, f"{path}:{number}")
    except OSError as error:
        raise unreadable(path, error) from None


def _from_utf16(content: bytes, where: str | Path) -> bytes:
    """A whole file of UTF-16 as UTF-8: nothing in it is replaced by other characters without a word."""
    try:
        return content.decode("utf-16").encode("utf-8")
    except UnicodeDecodeError as error:
        line = 1 + content[: error.start].decode("utf-16", errors="replace").count("\n")
        raise InputError(
            f"{where}:{line}: not UTF-16 text, as which the file begins ({error.reason}): it is damaged, or cut off; "
            "copy it again, or save it as UTF-8"
        ) from None


def _line(stream: BinaryIO, where: str | Path) -> bytes:
    """The next line with its end; nothing at the end of the file."""
    line = stream.readline(_LONGEST_LINE)
    if len(line) >= _LONGEST_LINE:
        raise InputError(f"{where}: a line of {_LONGEST_LINE >> 20} MB or more: this is no text of lines")
    return line


def _split(piece: bytes) -> list[bytes]:
    """The lines of a piece that ends where a line does."""
    if b"\r" in piece:
        piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = piece.split(b"\n")
    return lines if lines[-1] else lines[:-1]
