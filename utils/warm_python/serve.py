"""A warm Python: it imports the libraries that commands import, once, and forks a child for every command line.

    folder="$(mktemp -d)"
    coproc WARM { exec python -m utils.warm_python.serve "$folder"; }
    until [ -x "$folder/python" ]; do sleep 0.1; done
    PATH="$folder:$PATH"

FOLDER gets an executable ``python``, to be used in the place of another one. Until the libraries are imported, and when
this process has gone, that is an ordinary Python. The process ends, and its folder goes, when its input is closed and
the commands that run have ended.

A child has the command line, folder, environment, streams and signals of who asked, and ends as Python ends; its
``sys.executable`` is ``FOLDER/python``, so that the commands that it starts are warm too. It knows nothing of the
project yet, so that a command imports the project in its own order. Linux only: other systems cannot fork what has
loaded such libraries, or cannot wait for a process beside other things. Where a library begins to work with a GPU when
it is imported, the process ends at once, and commands run in ordinary Pythons.
"""

import argparse
import gc
import os
import sys
from pathlib import Path

from utils.warm_python.fresh import be_fresh, end_like_python, import_libraries, run
from utils.warm_python.server import Server, write_python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder of its own")
    folder = parser.parse_args().folder.resolve()
    # As it was started, before libraries change it.
    environment = dict(os.environ)
    python = write_python(folder)
    added = {os.path.abspath(place) for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place}
    own = {"", os.getcwd(), *added}
    path = [place for place in sys.path if place not in own]
    # Everything that children share.
    if not import_libraries():
        return
    server = Server(folder, environment)
    gc.collect()
    gc.freeze()  # pages that no collection touches stay shared with the children
    # From here on in a child.
    request = server.next_child()
    be_fresh(request, python)
    end_like_python(lambda: run(request.words, path))


if __name__ == "__main__":
    main()
