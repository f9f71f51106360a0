"""A stand-in for a full disk within this process: no file may grow beyond a size (ulimit -f)."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_file_beyond(room: int) -> Iterator[None]:
    """Within it a file that would grow beyond `room` bytes ends in an OSError, "File too large"."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit_files(room)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def limit_files(room: int) -> None:
    """The same for the rest of a process: to be called in a child."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
