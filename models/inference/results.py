"""What a trained model gives whoever asks it: a motion for a sentence, a sentence for a motion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dataset.sources.amass.export import any_body, write_amass
from utils.errors import InputError
from utils.files.json_files import read_json, write_json
from utils.files.outputs import check_replaceable
from utils.motion.skeleton import Skeleton
from utils.motion_files.write import AMASS_ENDING, JSON_ENDING, WrittenMotion, check_written, places_of, write_motions


@dataclass(frozen=True, eq=False)
class GeneratedMotion:
    """A motion that was generated.

    Attributes:
        caption: what was asked for.
        reasoning: what the model thought before.
        codes: (N,) int64, those of a given beginning included.
        motion: (T, D) float32 features, denormalised.
        joints: (T, J, 3) float32 metres, Y up, left at +X, the floor at 0.
        skeleton: of the joints; its rate is that of the motion.
        scores: what Chain-of-Motion ranked it by, by scorer; empty where nothing ranked.
        trace: its candidates, as `com.trace` tells of them.
        parts: (caption, first frame) of each part, where several captions make one motion.
    """

    caption: str
    reasoning: str
    codes: np.ndarray
    motion: np.ndarray
    joints: np.ndarray
    skeleton: Skeleton
    scores: dict[str, float | None] = field(default_factory=dict)
    trace: Sequence[dict[str, Any]] = ()
    parts: tuple[tuple[str, int], ...] = ()

    @property
    def seconds(self) -> float:
        return len(self.joints) / self.skeleton.fps

    def written(self) -> WrittenMotion:
        """As files hold it."""
        return WrittenMotion(self.joints, self.skeleton, self.skeleton.fps, self.caption)

    def save(self, path: str | Path, rig: str = "mixamo", body_models: str | Path | None = None) -> Path:
        """Write it as .bvh, .glb, .gif, .mp4, .png, .html, .npy, .json (`as_dict`) or .npz (AMASS).

        An .npy holds joints as data sets do: in metres for HumanML3D.

        Args:
            rig: joint names of .bvh and .glb.
            body_models: folder of SMPL bodies, needed for .npz.
        """
        return save_motions(path, [self], rig, body_models)[0]

    def as_dict(self) -> dict[str, Any]:
        """All but the features, as JSON holds it."""
        return {
            "caption": self.caption,
            "reasoning": self.reasoning,
            "seconds": round(self.seconds, 3),
            "fps": self.skeleton.fps,
            "scores": self.scores,
            "parts": [list(part) for part in self.parts],
            "codes": self.codes.tolist(),
            "joint_names": list(self.skeleton.joint_names),
            "joints": np.round(self.joints, 4).tolist(),
        }


@dataclass(frozen=True, eq=False)
class DescribedMotion:
    """A caption that was written for a motion, or for a window of a long one.

    Attributes:
        caption, reasoning: the model's answer and what it thought before.
        start, end: seconds of the described part.
        codes: (N,) int64 of that part.
        joints: (T, J, 3) metres, of that part, as it was given.
        skeleton: of the joints.
    """

    caption: str
    reasoning: str
    start: float
    end: float
    codes: np.ndarray
    joints: np.ndarray
    skeleton: Skeleton

    def as_dict(self) -> dict[str, Any]:
        return {
            "caption": self.caption,
            "reasoning": self.reasoning,
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "codes": self.codes.tolist(),
        }

    def written(self) -> WrittenMotion:
        """As files hold it."""
        return WrittenMotion(self.joints, self.skeleton, self.skeleton.fps, self.caption)


def check_places(path: str | Path, count: int) -> None:
    """Refuse, for so many motions or captions, to write over a file that was not written here. Raises InputError."""
    if Path(path).suffix.lower() == JSON_ENDING:
        check_replaceable(path, _is_answer)
    else:
        check_written(Path(path), count)


def _is_answer(path: Path) -> bool:
    """Whether a .json is of `save_motions` or `save_captions`."""
    held = read_json(path)
    rows = held["motions"] if held.keys() == {"motions"} else [row for rows in held.values() for row in rows]
    return all({"caption", "reasoning", "codes"} <= row.keys() for row in rows)


def save_motions(
    path: str | Path, motions: Sequence[GeneratedMotion], rig: str = "mixamo", body_models: str | Path | None = None
) -> list[Path]:
    """Write motions into files of the kind that the ending says (`utils.motion_files.write`); .json holds all of them.

    Returns:
        the files
    """
    if Path(path).suffix.lower() == JSON_ENDING:
        write_json(path, {"motions": [motion.as_dict() for motion in motions]})
        return [Path(path)]
    return _write(Path(path), [motion.written() for motion in motions], rig, body_models)


def save_captions(
    path: str | Path,
    described: Mapping[str, Sequence[DescribedMotion]],
    rig: str = "mixamo",
    body_models: str | Path | None = None,
) -> list[Path]:
    """Write captions, by the name of the motion that they describe, as .json; or the described motions themselves."""
    if Path(path).suffix.lower() == JSON_ENDING:
        write_json(path, {name: [window.as_dict() for window in windows] for name, windows in described.items()})
        return [Path(path)]
    written = [window.written() for windows in described.values() for window in windows]
    return _write(Path(path), written, rig, body_models)


def _write(path: Path, motions: Sequence[WrittenMotion], rig: str, body_models: str | Path | None) -> list[Path]:
    if path.suffix.lower() != AMASS_ENDING:
        return write_motions(path, motions, rig)
    if body_models is None:
        raise InputError(f"{path}: AMASS stores poses of a body: give body_models, a folder of SMPL bodies")
    body, places = any_body(body_models), places_of(path, len(motions))
    for place, motion in zip(places, motions, strict=True):
        write_amass(place, motion.joints, motion.skeleton, motion.fps, body)
    return places
