"""The fast parts of the suites that fork run in a process of their own (`tests.faults.conftest`)."""

import os
import re
import subprocess

import pytest

from tests.faults.conftest import FORKABLE
from tests.places import ROOT
from tests.warm_python import warm_python

pytestmark = pytest.mark.pipeline


@pytest.mark.parametrize("suite", ["disk", "kill"])
def test_a_suite_that_forks(suite):
    environment = {**os.environ, FORKABLE: "1", "OMP_NUM_THREADS": "1"}
    command = [warm_python(environment), "-m", "pytest", "-c", ".pytest.ini", "-q", f"tests/faults/test_{suite}.py"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 5
