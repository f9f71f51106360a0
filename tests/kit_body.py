"""KIT-ML's body out of SMPL's: no motion of KIT-ML is at hand."""

import numpy as np

from utils.motion.skeleton import KIT, T2M

# KIT's joints out of those of T2M: one, or a point between two.
SAME = {
    "root": "pelvis", "spine1": "spine1", "spine2": "spine2", "spine3": "spine3", "head": "head",
    **{f"{side}_{kit}": f"{side}_{t2m}" for side in ("left", "right") for kit, t2m in
       (("shoulder", "shoulder"), ("elbow", "elbow"), ("wrist", "wrist"), ("hip", "hip"), ("knee", "knee"),
        ("ankle", "ankle"), ("foot", "foot"))},
}  # fmt: skip


def kit_joints(joints):
    """(T, 22, 3) metres of T2M -> (T, 21, 3) in the unit and with the sides of KIT."""
    result = np.empty((len(joints), KIT.num_joints, 3))
    for index, name in enumerate(KIT.joint_names):
        if name in SAME:
            result[:, index] = joints[:, T2M.joint(SAME[name])]
        else:  # the heel, between ankle and toes
            side = name.split("_")[0]
            result[:, index] = (joints[:, T2M.joint(f"{side}_ankle")] + joints[:, T2M.joint(f"{side}_foot")]) / 2
    return KIT.from_metres(result)
