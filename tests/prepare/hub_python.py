"""A Python whose hub is on this machine, for commands that fetch from one or push to it.

Libraries read the address of the hub when they are imported. So one warm Python serves the tests of a file where their
hubs, one after the other, have one address and one folder for what they fetch.
"""

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.warm_python import WarmPython

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@dataclass(frozen=True)
class HubPython:
    """Where the hubs of a file are, the environment of its commands, and the Python that runs them."""

    port: int
    environment: dict[str, str]
    python: str

    def forget(self) -> None:
        """Remove what was fetched, as on a machine that never asked."""
        shutil.rmtree(self.environment["HF_HOME"], ignore_errors=True)


@contextmanager
def hub_python(home: Path, **environment: str) -> Iterator[HubPython]:
    """Commands that have another environment than this one get a fresh Python.

    Args:
        home: HF_HOME of the commands.
        environment: further variables of theirs.
    """
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {name: value for name, value in os.environ.items() if name not in (*PROXIES, "HF_TOKEN")}
    own |= {"HF_ENDPOINT": f"http://127.0.0.1:{port}", "HF_HUB_OFFLINE": "0", "HF_HOME": str(home)}
    own |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1"} | environment
    with WarmPython(own) as warm:
        yield HubPython(port, own, warm.python)
