"""The one exception that means "what you gave cannot be used", and what the system refuses, in words.

Entry points turn both into a single line on stderr and exit status 2 (see `utils.run.command`); everything else
that escapes is a bug of ours and keeps its traceback.
"""

import errno
import os
import re

# What the system refuses for reasons outside of this program, and the way out.
_REFUSED = {
    errno.ENOSPC: "make room and run the same command again; whatever was whole before is there still",
    errno.EDQUOT: "make room and run the same command again; whatever was whole before is there still",
    errno.EFBIG: "a file would grow beyond what is allowed (ulimit -f, or the file system)",
    errno.EROFS: "give a place that can be written to",
    errno.EACCES: "give a place that you may use, or change its permissions",
    errno.EPERM: "give a place that you may use, or change its permissions",
    errno.ENOTDIR: "a file stands where a folder is needed: give another place",
    errno.EISDIR: "a folder stands where a file is needed: give another place",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.EEXIST: "a file stands where a folder is needed: give another place",
    errno.EIO: "the disk or the network behind it fails",
    errno.ESTALE: "the network file system has gone: mount it and run the same command again",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ELOOP: "links lead in a circle: give another place",
    errno.EAGAIN: "end other processes, or raise the limit of processes and threads (ulimit -u)",
    errno.ENOMEM: "more memory is needed, or less at a time (a smaller batch)",
}
# What libraries make other exceptions of, some without saying of which: torch has "unexpected pos" for a full disk.
_DISGUISED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM)
# Libraries in other languages tell of the system's refusal in words only.
_REFUSED_IN_WORDS = re.compile(r"os error (\d+)|No space left on device")
_NO_THREAD_IN_WORDS = "can't start new thread"
_NO_MEMORY_IN_WORDS = re.compile(r"can't allocate memory|(CUDA|HIP|MPS).* out of memory")


class InputError(Exception):
    """Bad input from the user: says what was given, what was expected and where (``file.jsonl:12``)."""


def first_line(error: BaseException) -> str:
    """What an exception of a library says, without its further lines."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def refused_by_system(error: BaseException) -> str | None:
    """What of an exception, or of what led to it, was the system's refusal and no fault of ours; None: nothing.

    What an exception was raised from counts in any case. What was only being handled when it was raised counts for a
    full disk and the like, which libraries lose so; anything else there had its answer already.
    """
    seen: set[int] = set()
    found: BaseException | None = error
    only_handled = False
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        number, line = _refusal(found)
        if line is not None and (number in _DISGUISED or not only_handled):
            return line
        if found.__cause__ is not None or found.__suppress_context__:
            found = found.__cause__
        else:
            found, only_handled = found.__context__, True
    return None


def _refusal(error: BaseException) -> tuple[int | None, str | None]:
    """The number of the system's refusal that an exception is by itself, and the line about it; None for neither."""
    place, number = "", None
    if isinstance(error, OSError) and error.errno is not None:
        number = error.errno if error.errno != errno.EAGAIN else None  # of a thread only: else it is no refusal
        place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, (str, bytes, os.PathLike)) else ""
    elif isinstance(error, MemoryError) or _NO_MEMORY_IN_WORDS.search(str(error)) is not None:
        number = errno.ENOMEM
    elif isinstance(error, RuntimeError) and str(error) == _NO_THREAD_IN_WORDS:
        number = errno.EAGAIN
    elif (found := _REFUSED_IN_WORDS.search(str(error))) is not None:
        number = int(found[1] or errno.ENOSPC)
    if number not in _REFUSED:
        return None, None
    words = (error.strerror if isinstance(error, OSError) else None) or os.strerror(number)
    return number, f"{place}{words}; {_REFUSED[number]}"
