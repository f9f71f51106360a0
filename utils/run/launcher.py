"""A launcher (torchrun, accelerate) tells its processes who they are; without one there is one process.

It needs nothing but the environment, so that it can be asked before anything is loaded.
"""

import os


def launched_processes() -> int:
    """How many processes a launcher started; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def launched_here() -> int:
    """How many of them are on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", launched_processes()))


def launched_as_main() -> bool:
    """This process is the only one, or the first of those that a launcher started: it prints and finishes."""
    return os.environ.get("RANK", "0") == "0"


def launcher_patience() -> float:
    """Seconds between Ctrl-C and the moment at which torchrun, or accelerate by it, kills what still runs."""
    return float(os.environ.get("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "30"))
