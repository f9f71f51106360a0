"""Every entry point ends in one of three ways: status 0, one clear line for what the user can mend, or a traceback for
a bug of ours."""

import logging
import os
import select
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import TextIO

from utils.errors import InputError, refused_by_system
from utils.run.interrupt import termination_interrupts
from utils.run.launcher import launched_as_main

EXIT_BAD_INPUT = 2
_AFTER_THE_FIRST = 10.0  # seconds; torchrun was seen to need 5 to notice
EXIT_INTERRUPTED = 130


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

    Several processes stop together, so only the first of them says that it was interrupted, and a mistake of the user's
    once.
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
        if not _nobody_reads(sys.stdout):
            raise
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
        logging.debug("refused by the system", exc_info=error)  # where, for whoever looks closer
        _end(refusal, EXIT_BAD_INPUT)
    finally:
        threading.excepthook = in_thread


def _nobody_reads(stream: TextIO) -> bool:
    """Whether the other end of an output is closed. A pipe of another kind that breaks is no wish to stop."""
    if not hasattr(select, "poll"):  # Windows
        return True
    poll = select.poll()
    poll.register(stream.fileno(), 0)  # an end that is closed is told unasked
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _on_failed_thread(failed: threading.ExceptHookArgs) -> None:
    """What the system refused to a thread that writes (TensorBoard's) is raised in the main one too, which says it."""
    if failed.exc_value is None or refused_by_system(failed.exc_value) is None:
        threading.__excepthook__(failed)


def _end(message: str, status: int) -> None:
    if not launched_as_main():
        # All processes find the same mistake. The first tells it and ends, and the launcher ends those that wait.
        time.sleep(_AFTER_THE_FIRST)
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)
