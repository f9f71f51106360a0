"""What the fast parts of the suites of kills and full disks share: a few stages, run undisturbed once."""

import os

import pytest

from tests.faults.forks import no_core_dumps
from tests.faults.stages import named
from tests.faults.worlds import make_world

# Set in a process that has not computed with several threads yet: the children of one that has would wait for threads
# that they do not have. `test_forked.py` starts such a process.
FORKABLE = "MORL_FORKABLE"
collect_ignore = [] if os.environ.get(FORKABLE) else ["test_disk.py", "test_kill.py"]

FAST = ("make_toy_dataset", "motions_from_joints", "encode_motions", "write_cot_jsonl")


@pytest.fixture(scope="session")
def stages():
    return [stage for name in FAST for stage in named(name)]


@pytest.fixture(scope="session")
def world(tmp_path_factory, stages):
    with no_core_dumps():
        place = tmp_path_factory.mktemp("faults")
        yield make_world(place / "world", stages)


@pytest.fixture
def careless(monkeypatch):
    """Register a command of the name `careless`, for forked children to run; the stage that runs it."""
    import sys
    import types

    from tests.faults.stages import Stage

    def register(main):
        module = types.ModuleType("careless")
        module.main = main
        monkeypatch.setitem(sys.modules, "careless", module)
        return Stage("careless", "careless", "", "", "out.txt out.json")

    return register
