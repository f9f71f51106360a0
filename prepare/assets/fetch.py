"""One archive is fetched: by the Google Drive client, from a plain address, or from a file that is here already."""

import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

from prepare.assets.catalogue import DriveArchive
from utils.errors import InputError
from utils.progress import Progress

TIMEOUT_S = 30
_PIECE = 1 << 20
_PART = ".part"


class SourceUnavailable(InputError):
    """The asset cannot be fetched from this source now; nothing is known to be wrong with it."""


def fetch_from_drive(source: DriveArchive, folder: Path) -> Path:
    """Download with `gdown`, which resumes what it left in `folder`. Its own messages go to the terminal.

    Proxies are taken from HTTPS_PROXY and HTTP_PROXY, by gdown itself. Raises SourceUnavailable.
    """
    archive = folder / source.archive
    client = _drive_client()
    ended = subprocess.run([client, source.url, "-O", str(archive), "--continue"], check=False)
    if ended.returncode or not archive.is_file():
        by_hand = f"or save {source.url} with a browser and give --archive FILE"
        raise SourceUnavailable(
            f"Google Drive: gdown ended with status {ended.returncode} (its message is above){_full_disk(folder)}. "
            f"Run the same command again to go on where it stopped; behind a proxy set HTTPS_PROXY; {by_hand}"
        )
    return archive


def _drive_client() -> str:
    """The program gdown: on PATH, or beside this Python, whose environment need not be active."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)])
    client = shutil.which("gdown", path=places)
    if client is None:
        raise SourceUnavailable("Google Drive needs the program gdown: pip install gdown")
    return client


def _full_disk(folder: Path) -> str:
    free = shutil.disk_usage(folder).free
    return f"; the disk is full ({free} bytes free below {folder})" if free < _PIECE else ""


def fetch_archive(place: str, name: str, folder: Path) -> Path:
    """The archive at `place`: a file, used where it lies, or an http(s) address, downloaded into `folder` as `name`."""
    if place.startswith(("http://", "https://")):
        return fetch_url(place, folder / name)
    if not Path(place).is_file():
        raise InputError(f"--archive {place}: no such file (an address begins with http:// or https://)")
    return Path(place)


def fetch_url(url: str, path: Path) -> Path:
    """Download `url` to `path`, going on from what an earlier try left. A complete `path` is not downloaded again.

    Proxies are taken from the environment. Raises SourceUnavailable where the server cannot be reached, refuses, or
    ends early.
    """
    if path.is_file():
        return path
    part = path.with_name(path.name + _PART)
    begun = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={begun}-"} if begun else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            resumed = answer.status == 206
            _copy(answer, part, begun if resumed else 0)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # the part that was left is as long as the whole file, or longer
            part.unlink()
            raise SourceUnavailable(f"{url}: the part that was left did not fit: run the command again") from None
        raise SourceUnavailable(f"{url}: the server answers {error.code} {error.reason}") from None
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        raise SourceUnavailable(f"{url}: {error}; run the same command again to go on where it stopped") from None
    part.replace(path)
    return path


def _copy(answer: "urllib.response.addinfourl", part: Path, begun: int) -> None:
    expected = answer.headers.get("Content-Length")
    total = None if expected is None else begun + int(expected)
    bar = Progress(total=total, initial=begun, unit="B", unit_scale=True, desc=part.stem)
    with bar, part.open("ab" if begun else "wb") as stream:
        while piece := answer.read(_PIECE):
            stream.write(piece)
            bar.update(len(piece))
        found = stream.tell()
    if total is not None and found != total:
        raise ConnectionError(f"the connection ended after {found} of {total} bytes")
