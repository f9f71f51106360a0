"""A manifest lists files with sizes and SHA-256; one lies beside what was downloaded, and beside published evaluators.

    {"files": [{"path": "stats/mean.npy", "bytes": 1180, "sha256": "..."}, ...], ...}

Paths are relative to the folder that holds the manifest. Further entries are left to whoever writes the manifest.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from utils.errors import InputError
from utils.files.fingerprints import sha256_file
from utils.files.json_files import read_json, write_json

_WANTED = "not a manifest of files with path, bytes and sha256"
_DRIVE = re.compile(r"[A-Za-z]:")


def relative_path(name: str) -> PurePosixPath:
    """`name` as a path below some folder. Raises ValueError where it could lead out of it, on any system.

    Refused are absolute names, drive letters, `..`, and backslashes, which separate folders on Windows only.
    """
    if not name or "\0" in name:
        raise ValueError(f"{name!r} is not a file name")
    if "\\" in name:
        raise ValueError(f"{name!r} has a backslash")
    if name.startswith("/") or _DRIVE.match(name):
        raise ValueError(f"{name!r} is an absolute path")
    path = PurePosixPath(name)
    if ".." in path.parts or not path.parts:
        raise ValueError(f"{name!r} leads out of its folder")
    return path


@dataclass(frozen=True)
class ListedFile:
    path: str
    bytes: int
    sha256: str


def list_files(folder: str | Path, paths: Iterable[str]) -> list[ListedFile]:
    """What a manifest says of the files `paths` of `folder`."""
    folder = Path(folder)
    return [ListedFile(path, (folder / path).stat().st_size, sha256_file(folder / path)) for path in sorted(paths)]


def write_manifest(path: str | Path, files: Iterable[ListedFile], about: Mapping[str, Any]) -> None:
    write_json(path, {**about, "files": [asdict(file) for file in files]})


def read_manifest(path: str | Path) -> list[ListedFile]:
    """The files of a manifest. Raises InputError where it is none, or names a file outside its folder."""
    manifest = read_json(path, _WANTED)
    try:
        return [
            ListedFile(str(relative_path(row["path"])), int(row["bytes"]), str(row["sha256"]).lower())
            for row in manifest["files"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: {_WANTED} ({error!r})") from None


def differences(folder: str | Path, files: Sequence[ListedFile], contents: bool = True) -> list[str]:
    """What is wrong with the listed files of `folder`, a line each; without `contents` only by their sizes."""
    found = []
    for file in files:
        place = Path(folder) / file.path
        if not place.is_file():
            found.append(f"{file.path} is missing")
        elif (size := place.stat().st_size) != file.bytes:
            found.append(f"{file.path} has {size} bytes, not {file.bytes}")
        elif contents and (sha256 := sha256_file(place)) != file.sha256:
            found.append(f"{file.path} has SHA-256 {sha256}, not {file.sha256}")
    return found
