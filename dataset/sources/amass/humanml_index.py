"""HumanML3D's ``index.csv`` says which part of which AMASS or HumanAct12 recording each clip is.

Columns ``source_path,start_frame,end_frame,new_name``, frames counted at 20 a second by the rule ``stride`` of
`dataset.sources.amass.clips.joints_of_clip`. The published processing first drops the beginning of the recordings of
five data sets (subjects stand in a calibration pose there) and takes HumanAct12 whole.
"""

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from utils.errors import InputError
from utils.files.arrays import read_npy
from utils.files.text_files import read_text
from utils.motion.skeleton import T2M

COLUMNS = ("source_path", "start_frame", "end_frame", "new_name")
HUMANACT12 = "humanact12"
_INDEX_FPS = 20
# Seconds at the start of each recording in which the subject stands in a calibration pose (published).
_DROPPED_SECONDS = {
    "Eyes_Japan_Dataset": 3.0,
    "MPI_HDM05": 3.0,
    "TotalCapture": 1.0,
    "MPI_Limits": 1.0,
    "Transitions_mocap": 0.5,
}
# The index's names of data sets -> their names on the AMASS site and in its newer archives.
_OTHER_NAMES = {
    "BioMotionLab_NTroje": ("BMLrub",),
    "DFaust_67": ("DFaust",),
    "Eyes_Japan_Dataset": ("EyesJapanDataset",),
    "MPI_HDM05": ("HDM05",),
    "MPI_Limits": ("PosePrior",),
    "MPI_mosh": ("MoSh",),
    "SSM_synced": ("SSM",),
    "TCD_handMocap": ("TCDHands",),
    "Transitions_mocap": ("Transitions",),
}
_OLD_END, _NEW_END = "_poses", "_stageii"
# To these two clips the published index gives a single frame, which has no velocity and so no features: HumanML3D has
# neither of them (EricGuo5513/HumanML3D, issue 120), and its splits list neither.
ONE_FRAME_CLIPS = ("009707", "011059")


@dataclass(frozen=True)
class IndexEntry:
    """One line of the index.

    Attributes:
        source: recording, relative to the data folder, without extension: ``KIT/3/kick_high_left02_poses``.
        start, end: frames at 20 a second, `end` not included; not used for HumanAct12.
        id: of the clip it becomes (``000000``).
    """

    source: str
    start: int
    end: int
    id: str

    @property
    def dataset(self) -> str:
        return self.source.split("/")[0]

    @property
    def is_humanact12(self) -> bool:
        """Whether the recording is of HumanAct12: joints (T, J, 3) in an .npy, upright already and taken whole."""
        return self.dataset == HUMANACT12


def read_index(path: str | Path) -> list[IndexEntry]:
    """All entries in order. Raises InputError with file:line for the first malformed or duplicate one."""
    try:
        return list(_entries(path, csv.reader(io.StringIO(read_text(path)), strict=True)))
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV file ({error})") from None


def _entries(path: str | Path, rows: Iterator[list[str]]) -> Iterator[IndexEntry]:
    line_of: dict[str, int] = {}
    header = next(rows, [])
    if tuple(header) != COLUMNS:
        raise InputError(f"{path}:1: expected the columns {','.join(COLUMNS)}, got {','.join(header)!r}")
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        place = f"{path}:{number}"
        entry = _entry(place, row)
        if entry.id in line_of:
            raise InputError(f"{place}: {entry.id} is the name of line {line_of[entry.id]} too")
        line_of[entry.id] = number
        yield entry


def _entry(place: str, row: list[str]) -> IndexEntry:
    if len(row) != len(COLUMNS):
        raise InputError(f"{place}: expected {','.join(COLUMNS)}, got {len(row)} values")
    source_path, start, end, new_name = row
    source = source_path.strip().removeprefix("./").removeprefix("pose_data/").removesuffix(".npy").removesuffix(".npz")
    parts = PurePosixPath(source).parts
    if len(parts) < 2 or ".." in parts or source.startswith("/"):
        raise InputError(f"{place}: expected a path such as ./pose_data/KIT/3/name_poses.npy, got {source_path!r}")
    try:
        frames = int(start), int(end)
    except ValueError:
        raise InputError(
            f"{place}: start_frame and end_frame must be whole numbers, got {start[:20]!r}, {end[:20]!r}"
        ) from None
    if frames[0] < 0:
        raise InputError(f"{place}: start_frame must not be negative, got {start}")
    id = new_name.strip().removesuffix(".npy")
    if id in ("", "..") or PurePosixPath(id).name != id or "\\" in id:
        raise InputError(f"{place}: new_name must be a file name such as 000000.npy, got {new_name!r}")
    return IndexEntry(source, *frames, id)


def cut(joints: np.ndarray, entry: IndexEntry) -> np.ndarray:
    """The clip's frames of a whole recording (T, J, 3) at 20 frames a second; HumanAct12 is not cut.

    An end beyond the recording is cut to its last frame, as in the published processing. Raises InputError when
    nothing is left.
    """
    if entry.is_humanact12:
        return joints
    dropped = int(_DROPPED_SECONDS.get(entry.dataset, 0.0) * _INDEX_FPS)
    part = joints[dropped:][entry.start : entry.end]
    if len(part) == 0:
        raise InputError(
            f"{entry.id}: frames {entry.start} to {entry.end} of {entry.source} are empty: it has {len(joints)} frames "
            f"and the first {dropped} are dropped"
        )
    return part


def read_humanact12(path: str | Path) -> np.ndarray:
    """(T, 22, 3) body joints of one HumanAct12 file, which may hold hand joints behind them."""
    joints = read_npy(path)
    if joints.ndim != 3 or joints.shape[1] < T2M.num_joints or joints.shape[2] != 3 or len(joints) == 0:
        raise InputError(f"{path}: expected joints (T, >= {T2M.num_joints}, 3), got {joints.shape}")
    if not np.isfinite(joints).all():
        raise InputError(f"{path}: joints hold values that are not finite numbers (NaN)")
    return joints[:, : T2M.num_joints]


def is_newer(path: Path) -> bool:
    """Whether a recording is of the newer archives (SMPL-H or SMPL-X, ``*_stageii.npz``).

    Its frame rate can be another than the one the index counts in (CMU: 120 for 60), and then the frames of the index
    are another part of it, at another speed.
    """
    return path.stem.endswith(_NEW_END)


def find_source(root: str | Path, entry: IndexEntry) -> Path:
    """The file of an entry's recording below a data folder: an AMASS .npz, or the .npy of HumanAct12.

    Three differences are tolerated: the newer names of data sets; one more folder level (an archive unpacked into a
    folder of its name); and, where there is no ``_poses`` file, the ``_stageii`` file of the newer archives, if there
    is exactly one (spaces are underscores there; see `is_newer`). Raises InputError that lists what was tried.
    """
    root = Path(root)
    name, _, rest = entry.source.partition("/")
    if entry.is_humanact12:
        old = [root / f"{entry.source}.npy", root / f"{rest}.npy", root / f"{Path(rest).name}.npy"]
        new: list[Path] = []
    else:
        names = (name, *_OTHER_NAMES.get(name, ()))
        folders = [root / inner for inner in names] + [root / outer / inner for outer in names for inner in names]
        old = [folder / f"{rest}.npz" for folder in folders]
        newer = f"{rest.removesuffix(_OLD_END)}{_NEW_END}.npz"
        ends = dict.fromkeys((newer, newer.replace(" ", "_"))) if rest.endswith(_OLD_END) else ()
        new = [folder / end for folder in folders for end in ends]
    for path in old:
        if os.path.isfile(path):  # Path.is_file raises where the name is too long for a file
            return path
    found = [path for path in new if os.path.isfile(path)]
    if len(found) > 1:
        raise InputError(f"{entry.id}: several files could be {entry.source}: {', '.join(map(str, found))}")
    if not found:
        tried = ", ".join(str(path.relative_to(root)) for path in dict.fromkeys(old + new))
        raise InputError(f"{entry.id}: {entry.source} is not below {root}; looked for {tried}")
    return found[0]
