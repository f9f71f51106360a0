"""Names of files that somebody else wrote down (in an archive, a manifest, a configuration), before they are used."""

import re
from pathlib import PurePosixPath

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
