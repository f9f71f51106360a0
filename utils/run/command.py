"""Every entry point ends in one of three ways: status 0, one clear line for what the user can mend, or a traceback for
a bug of ours."""

import errno
import logging
import os
import re
import sys
import threading
import warnings
from collections.abc import Callable

from utils.errors import InputError
from utils.run.interrupt import termination_interrupts
from utils.run.launcher import launched_as_main

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

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
    errno.ENOMEM: "more memory is needed, or less at a time (a smaller batch)",
}
# Libraries in other languages tell of the system's refusal in words only.
_REFUSED_IN_WORDS = re.compile(r"os error (\d+)|No space left on device")
_NO_MEMORY_IN_WORDS = re.compile(r"can't allocate memory|(CUDA|HIP|MPS).* out of memory")


def quiet_libraries() -> None:
    """Leave the console to our own bars and summaries: no bars of transformers and datasets for what takes a moment.

    For entry points that use those libraries; call it before the long work starts.
    """
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # what it looks for in vain on a CPU
    # Between the libraries themselves: trl's use of a renamed transformers attribute, peft's note on saving rows.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\.")
    warnings.filterwarnings("ignore", message="Setting `save_embedding_layers`")


def run_command(main: Callable[[], None]) -> None:
    """Run an entry point; map `InputError` and what the system refuses (a full disk, a folder that may not be written
    to) to one line and status 2, Ctrl-C and SIGTERM to one line and 130.

    Several processes stop together, so only the first of them says that it was interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a console of another encoding gets an escape for what it cannot show
            stream.reconfigure(errors="backslashreplace")
    in_thread, threading.excepthook = threading.excepthook, _on_failed_thread
    try:
        with termination_interrupts():
            main()
            sys.stdout.flush()
    except InputError as error:
        _end(str(error), EXIT_BAD_INPUT)
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`): nothing is left to say, and Python must not try at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        if launched_as_main():
            print("interrupted: the last saved state is kept; run the same command again to continue", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        refusal = refused_by_system(error)
        if refusal is None:
            raise
        _end(refusal, EXIT_BAD_INPUT)
    finally:
        threading.excepthook = in_thread


def _on_failed_thread(failed: threading.ExceptHookArgs) -> None:
    """What the system refused to a thread that writes (TensorBoard's) is raised in the main one too, which says it."""
    if failed.exc_value is None or refused_by_system(failed.exc_value) is None:
        threading.__excepthook__(failed)


def refused_by_system(error: BaseException) -> str | None:
    """What of an exception, or of what led to it, was the system's refusal and no fault of ours; None: nothing."""
    seen: BaseException | None = error
    while seen is not None:
        number, words, place = None, "", ""
        if isinstance(seen, OSError):
            number, words = seen.errno, seen.strerror or ""
            place = f"{os.fsdecode(seen.filename)}: " if isinstance(seen.filename, (str, bytes, os.PathLike)) else ""
        elif isinstance(seen, MemoryError) or _NO_MEMORY_IN_WORDS.search(str(seen)) is not None:
            number, words = errno.ENOMEM, os.strerror(errno.ENOMEM)
        elif (found := _REFUSED_IN_WORDS.search(str(seen))) is not None:
            number = int(found[1] or errno.ENOSPC)
            words = os.strerror(number)
        if number in _REFUSED:
            return f"{place}{words}; {_REFUSED[number]}"
        seen = seen.__cause__ or seen.__context__
    return None


def _end(message: str, status: int) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)
