"""BVH files: a small one of five joints, and people in a T-pose on the skeletons of the shipped joint mappings."""

import numpy as np

# Left side of a T-pose in metres, facing +Z; the right side is its mirror image.
BODY = {
    "Ground": (0, 0, 0),
    "Hips": (0, 0.95, 0),
    "Spine": (0, 1.07, 0),
    "Spine1": (0, 1.2, 0),
    "Spine2": (0, 1.3, 0),
    "Neck": (0, 1.47, 0),
    "Neck1": (0, 1.53, 0),
    "Head": (0, 1.6, 0.02),
    "UpLeg": (0.09, 0.88, 0),
    "Leg": (0.1, 0.48, 0.01),
    "Foot": (0.1, 0.08, 0),
    "Toe": (0.12, 0.02, 0.14),
    "Shoulder": (0.05, 1.42, 0),
    "Arm": (0.17, 1.42, 0),
    "ForeArm": (0.44, 1.42, 0),
    "Hand": (0.69, 1.42, 0),
}
SIDE_CHAINS = ("UpLeg Leg Foot Toe", "Shoulder Arm ForeArm Hand")
SHIPPED_METRES = dict.fromkeys(
    ("bandai_namco", "biped", "cmu", "daz", "daz_friendly", "daz_genesis8", "daz_genesis9", "ipi", "lafan1", "mixamo",
     "rokoko", "smpl"), 0.01,
) | {"cmu": 0.056444}  # fmt: skip
LIMBS = ("{side}UpLeg {side}Leg {side}Foot {side}ToeBase", "{side}Shoulder {side}Arm {side}ForeArm {side}Hand")
DAZ_LIMBS = ("{l}Thigh {l}Shin {l}Foot {l}Toe", "{l}Collar {l}Shldr {l}ForeArm {l}Hand")
# For each table: centre joints upwards as name = name in BODY, the joint that carries the arms, legs, arms.
SKELETONS = {
    "bandai_namco": (
        "joint_Root=Ground Hips=Hips Spine=Spine Chest=Spine2 Neck=Neck Head=Head",
        "Chest",
        ("UpperLeg_{s} LowerLeg_{s} Foot_{s} Toes_{s}", "Shoulder_{s} UpperArm_{s} LowerArm_{s} Hand_{s}"),
    ),
    # As in the real files LowerBack lies in Hips, and Neck and the shoulders lie in Spine1.
    "cmu": ("Hips=Hips LowerBack=Hips Spine=Spine Spine1=Spine1 Neck=Spine1 Neck1=Neck1 Head=Head", "Spine1", LIMBS),
    "lafan1": (
        "Hips=Hips Spine=Spine Spine1=Spine1 Spine2=Spine2 Neck=Neck Head=Head",
        "Spine2",
        (LIMBS[0].replace("ToeBase", "Toe"), LIMBS[1]),
    ),
    "mixamo": ("Hips=Hips Spine=Spine Spine1=Spine1 Spine2=Spine2 Neck=Neck Head=Head", "Spine2", LIMBS),
    # Where the lowest joint of the spine lies in the hips.
    "rokoko": (
        "Hips=Hips Spine1=Hips Spine2=Spine Spine3=Spine1 Spine4=Spine2 Neck=Neck Head=Head",
        "Spine4",
        ("{side}Thigh {side}Shin {side}Foot {side}Toe", LIMBS[1]),
    ),
    "ipi": (
        "Hip=Hips LowerSpine=Spine MiddleSpine=Spine1 Chest=Spine2 Neck=Neck Head=Head",
        "Chest",
        ("{s}Thigh {s}Shin {s}Foot {s}Toe", "{s}Clavicle {s}Shoulder {s}Forearm {s}Hand"),
    ),
    "daz": ("hip=Hips abdomen=Spine chest=Spine2 neck=Neck head=Head", "chest", DAZ_LIMBS),
    "daz_friendly": (
        "hip=Hips abdomen=Spine chest=Spine2 neck=Neck head=Head",
        "chest",
        (DAZ_LIMBS[0].replace("{l}Toe", "{l}Foot_End_Site"), DAZ_LIMBS[1]),
    ),
    "daz_genesis8": (
        "hip=Hips abdomenLower=Hips abdomenUpper=Spine chestLower=Spine1 chestUpper=Spine2 neckLower=Neck "
        "neckUpper=Neck1 head=Head",
        "chestUpper",
        ("{l}ThighBend {l}Shin {l}Foot {l}Toe", "{l}Collar {l}ShldrBend {l}ForearmBend {l}Hand"),
    ),
    "daz_genesis9": (
        "hip=Hips spine1=Hips spine2=Spine spine3=Spine1 spine4=Spine2 neck1=Neck neck2=Neck1 head=Head",
        "spine4",
        ("{l}_thigh {l}_shin {l}_foot {l}_toes", "{l}_shoulder {l}_upperarm {l}_forearm {l}_hand"),
    ),
    "smpl": (
        "Pelvis=Hips Spine1=Spine Spine2=Spine1 Spine3=Spine2 Neck=Neck Head=Head",
        "Spine3",
        ("{s}_Hip {s}_Knee {s}_Ankle {s}_Foot", "{s}_Collar {s}_Shoulder {s}_Elbow {s}_Wrist"),
    ),
    "biped": (
        "Pelvis=Hips Spine=Hips Spine1=Spine Spine2=Spine2 Neck=Neck Head=Head",
        "Spine2",
        ("{s}_Thigh {s}_Calf {s}_Foot {s}_Toe0", "{s}_Clavicle {s}_UpperArm {s}_Forearm {s}_Hand"),
    ),
}


END = "_End_Site"


def numbers(values):
    return " ".join(f"{value:.9f}" for value in values)


def body(name):
    """Joint names of a shipped table's skeleton -> (parent, place in metres), parents first."""
    centre, chest, limbs = SKELETONS[name]
    pairs = [pair.split("=") for pair in centre.split()]
    above = [None, *(joint for joint, _ in pairs)]
    joints = {joint: (parent, np.array(BODY[bone])) for parent, (joint, bone) in zip(above, pairs, strict=False)}
    hips = next(joint for joint, bone in pairs if bone == "Hips")
    for side, sign in (("Left", 1), ("Right", -1)):
        for parent, spelling, bones in zip((hips, chest), limbs, SIDE_CHAINS, strict=True):
            names = spelling.format(side=side, s=side[0], l=side[0].lower()).split()
            for joint, bone in zip(names, bones.split(), strict=True):
                bone = "Spine1" if name == "cmu" and bone == "Shoulder" else bone
                joints[joint] = (parent, np.array(BODY[bone]) * (sign, 1, 1))
                parent = joint
    return joints


def bvh_text(joints, metres_per_unit, prefix="", turn=None, frames=2, frame_time=0.05, swing=0.0):
    """A T-pose that moves by 1 unit a frame along the file's x; `turn` (3, 3) gives the file's axes.

    Every joint but the root swings about its z by up to `swing` degrees, each in its own time.
    """
    turn = np.eye(3) if turn is None else turn

    def lines(name):
        parent, place = joints[name]
        if name.endswith(END):
            yield f"End Site\n{{\nOFFSET {numbers(turn @ (place - joints[parent][1]) / metres_per_unit)}\n}}\n"
            return
        offset = turn @ (place - (joints[parent][1] if parent else 0)) / metres_per_unit
        channels = "6 Xposition Yposition Zposition " if parent is None else "3 "
        yield f"{'JOINT' if parent else 'ROOT'} {prefix}{name}\n{{\nOFFSET {numbers(offset)}\n"
        yield f"CHANNELS {channels}Zrotation Yrotation Xrotation\n"
        for child in (child for child, (above, _) in joints.items() if above == name):
            yield from lines(child)
        yield "}\n"

    root = next(iter(joints))
    count = sum(not name.endswith(END) for name in joints) - 1
    start = turn @ joints[root][1] / metres_per_unit
    angles = swing * np.sin(np.arange(frames)[:, None] / 7 + np.arange(count))
    values = np.zeros((frames, 6 + 3 * count))
    values[:, :3] = start
    values[:, 0] += np.arange(frames)
    values[:, 6::3] = angles
    rows = "\n".join(numbers(frame) for frame in values)
    head = f"MOTION\nFrames: {frames}\nFrame Time: {frame_time}"
    return f"HIERARCHY\n{''.join(lines(root))}{head}\n{rows}\n"


# A travelling root above the hips, an arm with another rotation order, a hand that has position channels of its own.
HIERARCHY = """HIERARCHY
ROOT Reference
{
  OFFSET 0 0 0
  CHANNELS 3 Xposition Yposition Zposition
  JOINT Hips
  {
    OFFSET 0 10 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT Arm
    {
      OFFSET 1 0 0
      CHANNELS 3 Xrotation Yrotation Zrotation
      JOINT Hand
      {
        OFFSET 0 2 0
        CHANNELS 2 Zposition Xposition
        End Site
        {
          OFFSET 7 7 7
        }
      }
    }
    JOINT Tail
    {
      OFFSET 0 0 -3
    }
  }
}
"""


def write(tmp_path, frames, hierarchy=HIERARCHY, frame_time="0.05"):
    """A file of these rows of values."""
    path = tmp_path / "motion.bvh"
    rows = "\n".join(" ".join(map(str, frame)) for frame in frames)
    path.write_text(f"{hierarchy}MOTION\nFrames: {len(frames)}\nFrame Time: {frame_time}\n{rows}\n", encoding="utf-8")
    return path
