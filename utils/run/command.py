"""Every entry point ends in one of three ways: status 0, one clear line for bad input, or a traceback for a bug."""

import logging
import sys
import warnings
from collections.abc import Callable

from utils.errors import InputError
from utils.run.interrupt import termination_interrupts
from utils.run.launcher import launched_as_main

EXIT_BAD_INPUT = 2
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
    """Run an entry point; map `InputError` to one line and status 2, Ctrl-C and SIGTERM to one line and 130.

    Several processes stop together, so only the first of them says that it was interrupted.
    """
    try:
        with termination_interrupts():
            main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        if launched_as_main():
            print("interrupted: the last saved state is kept; run the same command again to continue", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
