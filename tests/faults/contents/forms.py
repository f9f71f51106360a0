"""Hypothesis strategies give damaged files, by the form of the good one."""

from typing import Any

from hypothesis import strategies as st

from tests.faults.contents.damage import (
    Damage,
    Draw,
    damage_breaks,
    damage_bytes,
    damage_encoding,
    damage_json,
    damage_jsonl,
    damage_lines,
    damage_words,
    in_gzip,
)
from tests.faults.contents.damage_arrays import damage_npy, damage_npy_header, damage_npz, damage_pickle, damage_torch

_TEXT = (damage_encoding, damage_breaks, damage_words, damage_words, damage_lines)
DAMAGES: dict[str, tuple[Damage, ...]] = {
    "bytes": (),
    "text": _TEXT,
    "json": (damage_json, damage_json, damage_json, damage_encoding, damage_words),
    "jsonl": (damage_jsonl, damage_jsonl, damage_jsonl, *_TEXT),
    "jsonl.gz": tuple(map(in_gzip, (damage_jsonl, damage_jsonl, *_TEXT))),
    "npy": (damage_npy, damage_npy, damage_npy_header),
    "npz": (damage_npz,),
    "torch": (damage_torch,),
    "pickle": (damage_pickle,),
}


def damaged(content: bytes, form: str) -> st.SearchStrategy[bytes]:
    """Files that were `content` once. `form`: a key of `DAMAGES`; whatever the form, its bytes are damaged too."""
    own = DAMAGES[form]

    @st.composite
    def strategy(draw: Any) -> bytes:
        data = Draw(draw)
        if own and data.whole(0, 3):
            made = data.one(own)(data, content)
            return made if data.whole(0, 9) else damage_bytes(data, made)
        return damage_bytes(data, content)

    return strategy()
