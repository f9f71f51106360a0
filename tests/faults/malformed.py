"""Every reader of a user's file is given files that are damaged, odd or made to hurt.

    python -m tests.faults.malformed                       # all readers: at least 5,000 cases, minutes
    python -m tests.faults.malformed --cases 300 --seed 1  # fewer for each reader, others
    python -m tests.faults.malformed --reader BVH          # one of them

A case survives when the reader gives a value that is right, or ends in the one line of a user's mistake. It is lost
when any other exception escapes, the message is not one line, the value is silently wrong by what `Reader.wrong`
knows, or it takes more than 30 s or 6 GB. Lost files are kept in --keep, to be tried again.
"""

import argparse
import hashlib
import importlib
import logging
import random
import re
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import hypothesis
import numpy as np

from tests.faults.contents.forms import damaged
from tests.faults.counting import Count, Ending, attempt
from tests.faults.readers.reader import Reader

ROOMS = ("text", "cot", "replies", "arrays", "models", "runs", "commands", "amass", "imports")
CASES = 100
AS_IT_SHOULD_BE = "as it should be"


def all_readers(rooms: Iterable[str] = ROOMS) -> list[Reader]:
    return [reader for room in rooms for reader in importlib.import_module(f"tests.faults.readers.{room}").READERS]


def generated(content: bytes, form: str, cases: int, seed: int) -> Iterator[bytes]:
    """`cases` damaged files at most; of a small file there may be fewer different ones."""
    found: list[bytes] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(damaged(content, form))
    def collect(new: bytes) -> None:
        found.append(new)

    collect()
    yield from found


def try_reader(reader: Reader, count: Count, cases: int, seed: int, keep: Path | None = None) -> None:
    """All cases of one reader, each counted."""
    tally = count.of(reader.name)
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        reader.prepare(folder)
        file = folder / reader.file
        good = file.read_bytes()
        own_seed = seed + int(hashlib.sha256(reader.name.encode()).hexdigest()[:6], 16)
        made = [(AS_IT_SHOULD_BE, good), *reader.made.items()]
        count_of_cases = max(1, round(cases * reader.share))
        drawn = ((f"case {n}", new) for n, new in enumerate(generated(good, reader.form, count_of_cases, own_seed)))
        for title, content in [*made, *drawn]:
            if file.is_symlink() or file.exists():
                file.unlink()
            file.write_bytes(content)
            random.seed(0)
            np.random.seed(0)
            ending, seconds = attempt(lambda: reader.read(folder), lambda value: reader.wrong(content, value))  # noqa: B023
            if title == AS_IT_SHOULD_BE and ending.line:
                ending = Ending(lost=f"a good file is refused: {ending.line}")
            tally.add(ending, f"{title}: {_shown(content)}{_kept(ending.lost, reader, content, keep)}", seconds)


def _shown(content: bytes) -> str:
    return f"{len(content)} bytes, {content[:60]!r}"


def _kept(lost: str, reader: Reader, content: bytes, keep: Path | None) -> str:
    """Where a lost file is kept."""
    if not lost or keep is None:
        return ""
    keep.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(content).hexdigest()[:8]
    path = keep / f"{re.sub(r'[^a-z0-9]+', '_', reader.name.lower())}-{digest}-{Path(reader.file).name}"
    if sum(1 for other in keep.iterdir() if other.name.startswith(path.name.split("-")[0])) < 40:
        path.write_bytes(content)
    return f" ({path})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=CASES, help="generated files for an average reader")
    parser.add_argument("--seed", type=int, default=0, help="of what is generated")
    parser.add_argument("--reader", help="only readers whose name holds this")
    parser.add_argument("--keep", type=Path, help="folder for the files that were lost")
    flags = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    count = Count("malformed")
    for reader in all_readers():
        if flags.reader is None or flags.reader.lower() in reader.name.lower():
            try_reader(reader, count, flags.cases, flags.seed, flags.keep)
            print(f"{reader.name}: {count.of(reader.name).tried}", flush=True)
    count.end()


if __name__ == "__main__":
    main()
