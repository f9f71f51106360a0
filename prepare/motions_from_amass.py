"""Turn AMASS motions into a data set in the HumanML3D layout; with --index, into HumanML3D itself.

AMASS: *.npz as downloaded (SMPL-H or SMPL-X), in sub-folders; CMU/80/80_63_poses.npz becomes the clip
CMU_80_80_63_poses, whose captions are <that>.txt. AMASS stores poses: the joints come from the body models (SMPL-H of
the MANO site, SMPL-X), which you download under their own licence. Motions are resampled to 20 frames a second
(slerp), their z axis becomes y. With --index, HumanML3D's index.csv says which part of which recording is which clip,
frames are picked as published, HumanAct12's joints are taken from below the same folder, every clip gets its mirror
image, and the skeleton is that of clip 000021. Captions and splits of HumanML3D are given as --texts-dir and
--splits-dir. A second run converts only what is new or changed.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from dataset.sources.amass.body_model import FAMILY_JOINTS, NUM_BETAS, BodyModel, find_body_model
from dataset.sources.amass.clips import GENDERS, AmassClip, is_motion_file, joints_of_clip, read_amass, stored_gender
from dataset.sources.amass.humanml_index import (
    ONE_FRAME_CLIPS,
    IndexEntry,
    cut,
    find_source,
    is_newer,
    read_humanact12,
    read_index,
)
from dataset.sources.conversion import SourceClip, source_files, source_id
from options.flags.dataset import DatasetFlags
from options.flags.parsing import flag, parse_flags, required_flag
from prepare.conversion.convert import convert_dataset
from utils.errors import InputError
from utils.motion.skeleton import T2M
from utils.run.command import run_command
from utils.run.devices import resolve_device

# The clip whose skeleton all of HumanML3D has (published processing).
_HUMANML3D_TARGET = "000021"
AS_STORED = "as-stored"


@dataclass
class AmassFlags:
    """Flags: where AMASS and the body models are, and how they are used."""

    _argument_group_name = "AMASS"

    amass_dir: str = required_flag("folder of AMASS .npz files, searched with its sub-folders")
    body_models: str = required_flag("folder of body models: smplh/male/model.npz or smplh/SMPLH_MALE.npz, ...")
    index: str | None = flag(None, "HumanML3D's index.csv: cut and name the clips as it says, and mirror them")
    newer_recordings: bool = flag(
        False, "with --index: take *_stageii.npz where *_poses.npz is missing, though its frame rate may be another"
    )
    gender: str = flag(AS_STORED, f"body model to use: {AS_STORED}, {', '.join(GENDERS)}")
    num_betas: int = flag(NUM_BETAS, "shape coefficients to use (published: 10)")
    device: str = flag("auto", "auto, cpu, cuda or cuda:N")

    def __post_init__(self) -> None:
        if self.gender not in (AS_STORED, *GENDERS):
            raise ValueError(f"--gender must be {AS_STORED} or one of {', '.join(GENDERS)}, got {self.gender}")
        if self.num_betas < 0:
            raise ValueError(f"--num-betas must not be negative, got {self.num_betas}")


class AmassReader:
    """Reads the joints of AMASS files. A body model is loaded when the first clip needs it."""

    def __init__(self, flags: AmassFlags) -> None:
        self._flags, self._device = flags, resolve_device(flags.device)
        self._model = cache(self._load_model)
        self._bodies = cache(self._find_bodies)
        self.made_from = cache(self._made_from)

    def resampled(self, path: Path) -> np.ndarray:
        """The joints (T, 22, 3) of a whole recording at 20 frames a second."""
        return self._joints(path, "resample")

    def indexed(self, path: Path, entry: IndexEntry) -> np.ndarray:
        """The joints (T, 22, 3) of the part of a recording that is one clip of HumanML3D."""
        return cut(read_humanact12(path) if entry.is_humanact12 else self._joints(path, "stride"), entry)

    def check_body_model(self, clip: AmassClip) -> None:
        """Raise InputError when there is no body model for a recording like this one."""
        self._model(clip.family, self._gender(clip))

    def _made_from(self, path: Path) -> tuple[Path, ...]:
        """The files that clips of a recording are made from: it and the bodies of its gender, of any family."""
        stored = self._flags.gender == AS_STORED and path.suffix == ".npz"
        gender = stored_gender(path) if stored else self._flags.gender
        return (path, *self._bodies(gender)) if gender in GENDERS and path.suffix == ".npz" else (path,)

    def _find_bodies(self, gender: str) -> tuple[Path, ...]:
        found = []
        for family in FAMILY_JOINTS:
            with contextlib.suppress(InputError):
                found.append(find_body_model(self._flags.body_models, family, gender))
        return tuple(dict.fromkeys(found))

    def _joints(self, path: Path, rule: str) -> np.ndarray:
        clip = read_amass(path)
        try:
            return joints_of_clip(clip, self._model(clip.family, self._gender(clip)), rule=rule)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    def _gender(self, clip: AmassClip) -> str:
        return clip.gender if self._flags.gender == AS_STORED else self._flags.gender

    def _load_model(self, family: str, gender: str) -> BodyModel:
        path = find_body_model(self._flags.body_models, family, gender)
        return BodyModel.load(path, self._device, self._flags.num_betas)


def main() -> None:
    amass, flags = parse_flags(AmassFlags, DatasetFlags, description=__doc__)
    if amass.index is not None and flags.cut_seconds is not None:
        raise InputError("--cut-seconds: the clips of --index are cut already")
    if flags.dataname != T2M.name:
        raise InputError(f"--dataname {flags.dataname}: AMASS gives the 22 joints of {T2M.name}")
    folder = Path(amass.amass_dir)
    if not folder.is_dir():
        raise InputError(f"{folder}: {'is a file, expected a folder' if folder.is_file() else 'no such folder'}")
    reader = AmassReader(amass)
    one_frame, bad = [], {}
    if amass.index is None:
        clips = recordings(folder, reader)
    else:
        one_frame, entries = without_one_frame(folder, read_index(amass.index), reader)
        clips, bad = indexed_clips(folder, entries, reader, amass.newer_recordings)
        flags = replace(flags, mirror=True)
    _check_body_model(reader, clips)
    targets = [] if amass.index is None else [_HUMANML3D_TARGET]
    looked_for = f"{folder}/<id>.npz" if amass.index is None else f"the name <id> in {amass.index}"
    convert_dataset(clips, flags, T2M, describe(amass), looked_for, targets, bad, one_frame)


def recordings(folder: Path, reader: AmassReader) -> list[SourceClip]:
    """Every motion below `folder`, each as a clip."""
    paths = source_files(folder, ".npz", below=True)
    motions = [path for path in paths if is_motion_file(path)]
    if not motions:
        raise InputError(f"{folder}: no AMASS motion in it or below it ({len(paths)} .npz files without poses)")
    if len(motions) < len(paths):
        print(f"{len(paths) - len(motions)} .npz files hold a body shape and no motion: left out")
    return [
        SourceClip(source_id(folder, path), reader.made_from(path), partial(reader.resampled, path)) for path in motions
    ]


def without_one_frame(
    folder: Path, entries: Sequence[IndexEntry], reader: AmassReader
) -> tuple[list[str], list[IndexEntry]]:
    """The ids of the known clips that have one frame, printed, and the other entries."""
    found = [entry.id for entry in entries if entry.id in ONE_FRAME_CLIPS and has_one_frame(folder, entry, reader)]
    if found:
        print(f"{len(found)} clips of the index have one frame ({', '.join(found)}): left out, as published")
    return found, [entry for entry in entries if entry.id not in found]


def has_one_frame(folder: Path, entry: IndexEntry, reader: AmassReader) -> bool:
    if entry.end - entry.start == 1:
        return True
    try:
        return len(reader.indexed(find_source(folder, entry), entry)) == 1
    except InputError:
        return False  # it will be reported as a bad clip


def indexed_clips(
    folder: Path, entries: Sequence[IndexEntry], reader: AmassReader, newer_recordings: bool
) -> tuple[list[SourceClip], dict[str, str]]:
    """The clips of the index whose recording is there, and by id why the others cannot be made."""
    clips, bad, newer = [], {}, []
    for entry in entries:
        try:
            path = find_source(folder, entry)
        except InputError as error:
            bad[entry.id] = str(error)
            continue
        if is_newer(path):
            newer.append(entry.id)
            if not newer_recordings:
                bad[entry.id] = (
                    f"{path}: only this recording of the newer archives is there, not {Path(entry.source).name}.npz, "
                    "which the index counts in: their frame rates can differ, and then it is another part at another "
                    "speed. Download AMASS's SMPL+H G files, or take it with --newer-recordings"
                )
                continue
        part = f"{entry.start} {entry.end}"
        clips.append(SourceClip(entry.id, reader.made_from(path), partial(reader.indexed, path, entry), part))
    if newer and newer_recordings:
        print(f"note: {len(newer)} clips are of *_stageii.npz ({', '.join(newer[:3])} ...), not of *_poses.npz")
    return clips, bad


def _check_body_model(reader: AmassReader, clips: Sequence[SourceClip]) -> None:
    """Fail before the conversion, and not once for each clip, when there is no body model for the recordings."""
    for clip in clips:
        if clip.paths[0].suffix != ".npz":
            continue
        try:
            recording = read_amass(clip.paths[0])
        except InputError:
            continue  # it will be reported as a bad clip
        reader.check_body_model(recording)
        return


def describe(amass: AmassFlags) -> str:
    """The flags that decide the joints, in words: all clips of a data set are made with the same ones."""
    rule = "resampled" if amass.index is None else f"cut by {Path(amass.index).name}"
    return f"AMASS, {rule}, body {amass.gender}, {amass.num_betas} betas"


if __name__ == "__main__":
    run_command(main)
