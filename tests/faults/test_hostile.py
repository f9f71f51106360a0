"""A fast part of the suite of files made to hurt, and that the suite sees a canary."""

import contextlib
import itertools
import logging
import pickle
from dataclasses import replace

import pytest

from tests.faults.contents import payloads
from tests.faults.counting import Count
from tests.faults.hostile import try_place
from tests.faults.places.files import file_places
from tests.faults.places.folders import folder_places
from tests.faults.places.place import Place, nothing, over

FEW = 4
PLACES = [place for place in (*file_places(), *folder_places()) if not place.name.startswith("bomb")]


@pytest.fixture(autouse=True)
def quiet():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_nothing_in_a_file_is_executed_or_written_outside(place, tmp_path):
    count = Count("hostile")
    most = None if place.name.startswith("archive") else FEW

    def some(canary):
        return itertools.islice(place.contents(canary), most)

    try_place(replace(place, contents=some), count, tmp_path / "place")
    assert count.tried > 0 and count.lost == 0, "\n".join(count.lines())


def test_every_pickle_would_leave_the_canary_where_it_is_opened(tmp_path):
    canary = tmp_path / "canary"
    for what, content in payloads.pickles(canary):
        with contextlib.suppress(RuntimeError, ValueError):  # what torch and numpy say after they have opened it
            pickle.loads(content)
        assert canary.is_file(), what
        canary.unlink()


def test_the_suite_sees_a_reader_that_opens_pickles(tmp_path):
    def read(folder):
        return pickle.loads((folder / "x.pkl").read_bytes())

    count = Count("hostile")
    try_place(Place("careless", nothing, payloads.pickles, over("x.pkl"), read), count, tmp_path / "place")
    assert count.tried == count.lost > 5 and any("the canary is there" in line for line in count.lines())


def test_the_archives_would_leave_the_canary_where_they_are_unpacked_carelessly(tmp_path):
    """That the paths in them lead where they should: followed by hand, since zipfile itself takes them out."""
    import zipfile

    canary, tried = tmp_path / "canary", 0
    for what, content in payloads.archives(canary, {"glove/a": b"a", "glove/b": b"b"}):
        if what in ("..", ".. in the middle", "an absolute name", "a NUL behind a name that leads out"):
            tried += 1
            (tmp_path / "x.zip").write_bytes(content)
            with zipfile.ZipFile(tmp_path / "x.zip") as archive:
                names = [(tmp_path / "deep" / name).resolve() for name in archive.namelist()]
            assert canary.resolve() in names, what
    assert tried == 4
