"""Which joints of a file the names of a table mean, whatever a rig or an exporter put before them.

``Hips`` is also ``mixamorig:Hips``, ``Armature|Hips``, ``rig.Hips``, ``Character1_Hips`` and ``mixamorigHips``, and
``L Thigh`` is ``Bip01 L Thigh`` and ``Bip01_L_Thigh``: one prefix for all names, capitals and separators as they come.
"""

import re
from collections.abc import Collection, Sequence

_SEPARATORS = re.compile(r"[\s.:|_-]+")
# What stands between the name of a body and that of its joint, each joint having its own.
_NAMESPACE = re.compile(r"[:|]")


def joints_named(names: Collection[str], joint_names: Sequence[str]) -> dict[str, list[int]]:
    """Each of `names` -> the indices of the joints that it may mean: none where it is missing, several where the file
    does not tell (several bodies)."""
    found = {name: [joint_names.index(name)] for name in names if name in joint_names}
    if len(found) == len(names):
        return found
    plain = [_plain(joint) for joint in joint_names]
    wanted = {name: _plain(name) for name in names}
    fitting = _prefixes(list(wanted.values()), plain)
    for name, word in wanted.items():
        if name not in found:
            found[name] = [index for index, joint in enumerate(plain) if any(joint == p + word for p in fitting)]
        if not found[name]:
            found[name] = [i for i, joint in enumerate(joint_names) if _plain(_NAMESPACE.split(joint)[-1]) == word]
    return found


def _prefixes(wanted: list[str], plain: list[str]) -> list[str]:
    """The prefixes under which most of the words are found; a prefix that no separator ends must have them all."""
    endings = {joint.removesuffix(word) for word in wanted for joint in plain if joint.endswith(word)}
    joints = set(plain)
    counts = {prefix: sum(prefix + word in joints for word in wanted) for prefix in endings}
    counts = {
        prefix: count
        for prefix, count in counts.items()
        if count == len(wanted) or prefix == "" or prefix.endswith("_")
    }
    most = max(counts.values(), default=0)
    best = sorted(prefix for prefix, count in counts.items() if count == most)
    return best[:1] if "" in best else best


def _plain(name: str) -> str:
    return _SEPARATORS.sub("_", name.strip()).casefold()
