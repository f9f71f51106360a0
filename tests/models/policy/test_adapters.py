"""The patch of peft is still needed, and enough."""

import subprocess

from tests.warm_python import warm_python

UNPATCHED = """
from peft.utils.other import TrainableTokensWrapper
assert not hasattr(TrainableTokensWrapper, "bias")
"""


def test_the_patch_is_still_needed(tmp_path):
    """When this fails, peft hands `bias` on by itself: delete models/policy/adapters.py."""
    (tmp_path / "unpatched.py").write_text(UNPATCHED)
    subprocess.run([warm_python(), tmp_path / "unpatched.py"], check=True)  # which has nothing of the project
