"""The real-motion pack that may lie beside the repository."""

import itertools

import numpy as np
import pytest

from tests.places import SHARED

PACK = SHARED / "data" / "bnr" / "joints_test.npz"
needs_pack = pytest.mark.skipif(not PACK.is_file(), reason="the real-motion pack is not beside the repository")


def read_pack(split: str = "test") -> dict[str, np.ndarray]:
    """Clips of a split by name: (T, 22, 3) joints in metres."""
    with np.load(PACK.with_name(f"joints_{split}.npz")) as pack:
        names, offsets, root = pack["names"], pack["offsets"], pack["root"]
        local = pack["local"].astype(np.float32) * pack["local_scale"]
    joints = np.concatenate([np.zeros((len(root), 1, 3), np.float32), local], axis=1) + root[:, None]
    return {str(name): joints[a:b] for name, (a, b) in zip(names, itertools.pairwise(offsets), strict=True)}
