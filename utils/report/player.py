"""Motions are put into a page with the player of ``player.js``: one element, and the motions as data beside it."""

import base64
import html
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from utils.errors import InputError
from utils.files.outputs import MARK, carries
from utils.motion.body import body_height, bones, half_widths, side_of
from utils.motion.skeleton import Skeleton

_ROOM = Path(__file__).parent
_MILLIMETRES = 1000.0
_REACH = np.iinfo(np.int16)


@dataclass(frozen=True, eq=False)
class PlayedMotion:
    """A motion to play: joints (T, J, 3) in metres, Y up with the floor at 0, and what stands below it."""

    title: str
    joints: np.ndarray


@dataclass(frozen=True)
class Mark:
    """A stretch of the scrub bar: what was measured from `start` to `end` (seconds), and whether it is as told.

    `row`: the number of the motion that it is of; each has its own row under the bar.
    """

    start: float
    end: float
    text: str
    holds: bool
    row: int = 0


def player(
    name: str, motions: Sequence[PlayedMotion], skeleton: Skeleton, fps: float, marks: Sequence[Mark] = ()
) -> str:
    """The HTML of one player; motions play side by side in step.

    Args:
        name: another one for each player of a page.

    Raises:
        InputError: no motion, another skeleton, or values that are not finite.
    """
    if not motions:
        raise InputError("a player needs at least one motion")
    for motion in motions:
        if motion.joints.shape[1:] != (skeleton.num_joints, 3) or not len(motion.joints):
            raise InputError(
                f"{motion.title}: expected joints (T, {skeleton.num_joints}, 3), got {motion.joints.shape}"
            )
        if not np.isfinite(motion.joints).all():
            raise InputError(f"{motion.title}: joints hold values that are not finite (NaN)")
    data = {
        "fps": fps,
        "height": round(body_height(motions[0].joints, skeleton), 4),
        "bones": [[parent, joint, side_of(skeleton.joint_names[joint])] for parent, joint in bones(skeleton)],
        "widths": half_widths(skeleton).tolist(),
        "motions": [
            {"title": motion.title, "frames": len(motion.joints), "joints": _packed(motion.joints)}
            for motion in motions
        ],
        "marks": [
            {"from": mark.start, "to": mark.end, "text": mark.text, "holds": mark.holds, "row": mark.row}
            for mark in marks
        ],
    }
    return (
        f'<div class="player" data-player="{html.escape(name)}"></div>'
        f'<script type="application/json" id="{html.escape(name)}">{json_for_html(data)}</script>'
    )


def page(title: str, body: str) -> str:
    """A whole page that needs nothing else: no network, no other file."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="generator" content="{MARK}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_file('page.css')}</style></head>\n"
        f"<body>\n{body}\n<script>{_file('player.js')}</script></body></html>\n"
    )


def is_page(path: str | Path) -> bool:
    """Whether a file is a page of ours, and may be made anew; those of earlier versions only end as ours do."""
    return carries(path, MARK, _file("player.js").split("\n")[0])


def json_for_html(value: object) -> str:
    """JSON that cannot end the script element that it stands in."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _packed(joints: np.ndarray) -> str:
    """Whole millimetres as int16, in base64; a way beyond 32 m is cut at that distance.

    They are stored as differences from frame to frame, one joint and axis after the other, all low bytes before all
    high ones, and deflated: a third of the size.
    """
    rounded = np.clip(np.round(joints * _MILLIMETRES), _REACH.min, _REACH.max).astype("<i2").reshape(len(joints), -1)
    steps = np.diff(rounded, axis=0, prepend=np.zeros_like(rounded[:1]))  # int16 wraps, and wraps back in the player
    planes = np.ascontiguousarray(steps.T).view(np.uint8).reshape(-1, 2).T
    return base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode("ascii")


@cache
def _file(name: str) -> str:
    return (_ROOM / name).read_text(encoding="utf-8")
