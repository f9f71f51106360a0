"""The patch of peft is still needed, and enough."""

import subprocess
import sys

UNPATCHED = """
from peft.utils.other import TrainableTokensWrapper
assert not hasattr(TrainableTokensWrapper, "bias")
"""


def test_the_patch_is_still_needed():
    """When this fails, peft hands `bias` on by itself: delete models/policy/adapters.py."""
    subprocess.run([sys.executable, "-c", UNPATCHED], check=True)
