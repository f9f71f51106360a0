"""Files that would leave a canary behind if anything in them were executed: pickles, archives, templates, code."""

import gzip
import io
import json
import pickle
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np


class _Calls:
    """When unpickled, calls a function."""

    def __init__(self, function: Callable, *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Callable, tuple]:
        return self._call


def pickles(canary: Path) -> Iterator[tuple[str, bytes]]:
    """(what it does, pickle) in several protocols and by several ways."""
    import os
    import subprocess

    for protocol in (0, 2, 4):
        yield f"open, protocol {protocol}", pickle.dumps(_Calls(open, str(canary), "w"), protocol)
    yield "os.system", pickle.dumps(_Calls(os.system, f"touch {canary}"))
    yield "subprocess", pickle.dumps(_Calls(subprocess.call, ["touch", str(canary)]))
    yield "eval", pickle.dumps(_Calls(eval, f"open({str(canary)!r}, 'w')"))
    inner = pickle.dumps(_Calls(open, str(canary), "w"))
    yield "a pickle in a pickle", pickle.dumps(_Calls(pickle.loads, inner))
    yield "in a dictionary", pickle.dumps({"format": "motion-tokenizer", "net": _Calls(open, str(canary), "w")})
    yield "in a list", pickle.dumps(["unk", _Calls(open, str(canary), "w")])
    # torch keeps a function that loads bytes as it likes.
    yield "torch.storage", b"ctorch.storage\n_load_from_bytes\n(B" + len(inner).to_bytes(4, "little") + inner + b"tR."
    call = f"open({str(canary)!r}, 'w')"
    yield "numpy", b"cnumpy.f2py.crackfortran\nmyeval\n(V" + call.encode() + b"\ntR."


def as_torch(content: bytes) -> bytes:
    """A pickle in the archive that torch writes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/version", "3\n")
    return stream.getvalue()


def as_npy(content: bytes) -> bytes:
    """A pickle in the place of the objects of a .npy."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    return stream.getvalue() + content


def as_npz(content: bytes, *names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(f"{name}.npy", as_npy(content))
    return stream.getvalue()


def yaml_tags(canary: Path) -> Iterator[tuple[str, bytes]]:
    for tag in ("python/object/apply:os.system", "python/object/new:os.system"):
        yield tag, f"name: !!{tag} ['touch {canary}']\n".encode()
    yield "python/module", f"a: !!python/object/apply:builtins.open ['{canary}', 'w']\n".encode()


def templates(canary: Path) -> Iterator[tuple[str, str]]:
    """Chat templates of jinja."""
    touch = f"os.system('touch {canary}')"
    yield "globals", "{{ cycler.__init__.__globals__." + touch + " }}"
    yield "globals of a function", "{{ raise_exception.__globals__['sys'].modules['os']" + touch[2:] + " }}"
    yield "subclasses", "{{ ''.__class__.__mro__[1].__subclasses__()[-1].__init__.__globals__." + touch + " }}"
    yield "import", "{% import 'os' as os %}{{ " + touch + " }}"


def code_folder(folder: Path, canary: Path) -> None:
    """Make a folder of a model ask for code of its own in every configuration that it has."""
    (folder / "own.py").write_text(f"open({str(canary)!r}, 'w')\nclass Own:\n    pass\n")
    for name in ("config.json", "tokenizer_config.json"):
        config = json.loads((folder / name).read_text())
        config["auto_map"] = {
            "AutoConfig": "own.Own", "AutoModel": "own.Own", "AutoModelForCausalLM": "own.Own",
            "AutoModelForSequenceClassification": "own.Own", "AutoTokenizer": ["own.Own", "own.Own"],
        }  # fmt: skip
        config["model_type"] = "own"
        (folder / name).write_text(json.dumps(config))


# --- archives ---


def _zip(*members: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, content in members:
            archive.writestr(info, content)
    return stream.getvalue()


_STANDS_FOR_NUL = "~NUL~"  # zipfile ends a name at its NUL, so that the real one must be put into the bytes


def _with_nul(archive: bytes) -> bytes:
    return archive.replace(_STANDS_FOR_NUL.encode(), b"\0" * len(_STANDS_FOR_NUL))


def _special(name: str, kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (kind | 0o777) << 16
    return info


def archives(canary: Path, files: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Archives that hold `files`, and something that would get out of their folder, or fill the disk."""
    good = list(files.items())
    climb = "../" * 12 + str(canary).lstrip("/")
    yield "..", _zip(*good, (climb, b"x"))
    yield ".. in the middle", _zip(*good, (f"glove/{climb}", b"x"))
    yield "an absolute name", _zip(*good, (str(canary), b"x"))
    yield "a backslash", _zip(*good, (climb.replace("/", "\\"), b"x"))
    yield "a drive", _zip(*good, ("C:/canary", b"x"))
    yield "a NUL behind a name that leads out", _with_nul(_zip(*good, (f"{climb}{_STANDS_FOR_NUL}.npy", b"x")))
    yield "a link to a file", _zip(*good, (_special("glove/link", stat.S_IFLNK), str(canary).encode()))
    through = (_special("glove/link", stat.S_IFLNK), str(canary.parent).encode()), (f"glove/link/{canary.name}", b"x")
    yield "a file through a link", _zip(*good, *through)
    for name, kind in (("device", stat.S_IFBLK), ("character device", stat.S_IFCHR), ("pipe", stat.S_IFIFO)):
        yield f"a {name}", _zip(*good, (_special("glove/special", kind), b""))
    yield "a name twice", _zip(*good, (good[0][0], b"x"), (good[0][0].upper(), b"y"))
    yield "a liar about its size", _liar(good)
    yield "a folder in the place of a file", _zip(*good[1:], (f"{good[0][0]}/x", b"x"))
    yield "a very long name", _zip(*good, ("glove/" + "x" * 3000, b"x"))


def bombs(files: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Archives of a few megabytes that unpack to much more."""
    yield "one large file", _bomb(list(files.items()), 4 << 30)


def _bomb(good: list[tuple[str, bytes]], size: int) -> bytes:
    """An archive of a few megabytes with a member of `size` zeros."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in good:
            archive.writestr(name, content)
        piece = bytes(1 << 24)
        with archive.open(zipfile.ZipInfo("glove/bomb"), "w", force_zip64=True) as member:
            member._compressor = __import__("zlib").compressobj(1, 8, -15)
            member._compress_type = zipfile.ZIP_DEFLATED
            member._zinfo.compress_type = zipfile.ZIP_DEFLATED
            for _ in range(size // len(piece)):
                member.write(piece)
    return stream.getvalue()


def _liar(good: list[tuple[str, bytes]]) -> bytes:
    """An archive whose directory says that a member of 64 MB has 10 bytes."""
    content = bytearray(_zip(*good, ("glove/liar", bytes(64 << 20))))
    place = content.rfind(b"PK\x01\x02")
    content[place + 24 : place + 28] = (10).to_bytes(4, "little")
    return bytes(content)


def gzip_bomb(size: int = 24 << 30) -> bytes:
    """`size` zeros without a line end, in some megabytes."""
    member = gzip.compress(bytes(64 << 20), mtime=0)
    return member * (size // (64 << 20))
