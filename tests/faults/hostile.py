"""Files made to hurt are put in every place that reads a file of somebody else.

    python -m tests.faults.hostile                 # all places: a minute or two
    python -m tests.faults.hostile --place pickle  # those whose name holds this

Each would leave a file behind, the canary, if what is in it were executed or written where it says: pickles in every
file that may hold one, YAML tags, chat templates, code of a model, archives that lead out of their folder. A case
survives when there is no canary, and the command or reader ends as it does for a malformed file. Bombs must be refused
before they fill memory (6 GB) or the disk (1 GB). What is exempt by design is the file of a reward that a user names.
"""

import argparse
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from tests.faults.counting import Count, Ending, attempt
from tests.faults.places.files import file_places
from tests.faults.places.folders import folder_places
from tests.faults.places.place import Place
from tests.faults.places.runs import run_places

MOST_WRITTEN = 1 << 30


def places() -> Iterator[Place]:
    for found in (file_places, folder_places, run_places):
        yield from found()


def try_place(place: Place, count: Count, folder: Path) -> None:
    """All cases of one place, each in a fresh copy of what it needs."""
    good, canary = folder / "good", folder / "canary" / "canary"
    canary.parent.mkdir(parents=True)
    good.mkdir()
    place.prepare(good)
    for what, content in place.contents(canary):
        trial = folder / "trial"
        shutil.copytree(good, trial)
        place.plant(trial, content)
        before = used_by(trial)
        ending, seconds = attempt(lambda: place.read(trial), lambda value: None)  # noqa: B023
        if canary.exists() or canary.is_symlink():
            ending = Ending(lost=f"the canary is there: what the file holds was executed or written ({place.name})")
            canary.unlink()
        elif used_by(trial) - before > MOST_WRITTEN:
            ending = Ending(lost="a bomb was unpacked")
        count.of(place.name).add(ending, what, seconds)
        shutil.rmtree(trial)
    shutil.rmtree(folder)


def used_by(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--place", help="only places whose name holds this")
    flags = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    count = Count("hostile")
    for place in places():
        if flags.place is None or flags.place.lower() in place.name.lower():
            with tempfile.TemporaryDirectory(prefix="faults-") as name:
                try_place(place, count, Path(name) / "place")
            print(f"{place.name}: {count.of(place.name).tried}", flush=True)
    count.end()


if __name__ == "__main__":
    main()
