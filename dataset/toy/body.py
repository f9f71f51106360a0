"""The toy data set has one body: the bone vectors and foot geometry of a made-up adult.

The proportions are our own (pelvis at about 0.93 m, 1.66 m tall); they come from no data set. Metres, Y up, a person
who faces +Z has the left side at +X, joints in the order of `utils.motion.skeleton.T2M`.
"""

import numpy as np

LEFT, RIGHT = 0, 1
SIDE_SIGN = np.array([1.0, -1.0])  # x direction of the left and the right side

_HIP = (0.088, -0.072, 0.0)
_COLLAR = (0.062, 0.128, -0.012)
_SHOULDER = (0.118, 0.022, -0.006)

# Rest offset of a joint from its parent, in the frame of the parent's segment.
SPINE_OFFSETS = {
    "spine1": (0.0, 0.100, -0.012),
    "spine2": (0.0, 0.130, 0.008),
    "spine3": (0.0, 0.062, 0.006),
    "neck": (0.0, 0.205, -0.016),
    "head": (0.0, 0.098, 0.038),
}

THIGH = 0.392
SHIN = 0.398
UPPER_ARM = 0.268
FOREARM = 0.252

ANKLE_HEIGHT = 0.085
TOE_HEIGHT = 0.020  # the toe joint lies inside the foot, not on the ground
TOE_FORWARD = 0.128  # from the ankle to the toe joint, along the foot
HEEL_BACK = 0.045  # from the ankle to the point where the heel touches the ground

STANDING_HEIGHT = ANKLE_HEIGHT + SHIN + THIGH - _HIP[1] - 0.010  # of the pelvis, knees a little bent
LEG_LENGTH = THIGH + SHIN


def _both_sides(offset: tuple[float, float, float]) -> np.ndarray:
    """The offset of the left joint and its mirror image for the right one, (2, 3)."""
    return np.array([offset, (-offset[0], offset[1], offset[2])])


HIPS = _both_sides(_HIP)
COLLARS = _both_sides(_COLLAR)
SHOULDERS = _both_sides(_SHOULDER)
