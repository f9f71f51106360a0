"""``conversion.jsonl`` beside the clips of a data set says what each was made from, and which statistics are ours.

A later run converts what is new or changed by it. Dates decide nothing: a file that is replaced by an older one (an
archive unpacked, `cp -p`) is another file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from utils.errors import InputError
from utils.files.fingerprints import fingerprint, fingerprint_file
from utils.files.journal import Journal
from utils.files.text_files import unreadable

RECORD_FILE = "conversion.jsonl"
_STATISTICS = "statistics"  # the key of a line about Mean.npy and Std.npy, which has no id


@dataclass(frozen=True)
class ClipRecord:
    """What one clip of a data set was made from, as fingerprints.

    Attributes:
        id: of the clip.
        motion: what its motion was made from.
        captions: what its captions were made from; None where they are not ours, or there are none.
        text: its text file as we wrote it; a file of another content is somebody else's.
        split: where the clip was last; None while it is in no split.
        take: id of the longer take that the clip is a part of; None where it is a whole one.
    """

    id: str
    motion: str
    captions: str | None = None
    text: str | None = None
    split: str | None = None
    take: str | None = None


class ConversionRecord:
    """The records of a data set folder, read once. A clip is recorded after its files, and a line that a kill has torn
    is no record; such a clip is judged by its files.

    Args:
        root: the data set folder.

    Attributes:
        statistics: fingerprints of Mean.npy and Std.npy as our commands wrote them; none in records of before they were
            written down.
    """

    def __init__(self, root: str | Path) -> None:
        self._journal = Journal(Path(root) / RECORD_FILE)
        self._clips: dict[str, ClipRecord] = {}
        self.statistics: tuple[str, ...] = ()
        for row in self._journal.rows():
            if isinstance(names := row.get(_STATISTICS), list):
                self.statistics = tuple(map(str, names))
            values = {name: row.get(name) for name in ClipRecord.__dataclass_fields__}
            if all(isinstance(value, str | None) for value in values.values()) and values["id"] and values["motion"]:
                self._clips[values["id"]] = ClipRecord(**values)

    def get(self, id: str) -> ClipRecord | None:
        return self._clips.get(id)

    def put(self, clip: ClipRecord) -> None:
        """Record a clip, at once."""
        if self._clips.get(clip.id) != clip:
            self._clips[clip.id] = clip
            self._journal.append(asdict(clip))

    def splits(self) -> dict[str, str]:
        """The split of each clip that is, or was last, in one."""
        return {clip.id: clip.split for clip in self._clips.values() if clip.split is not None}

    def takes(self) -> dict[str, str]:
        """The take of each clip that is a part of one."""
        return {clip.id: clip.take for clip in self._clips.values() if clip.take is not None}

    def put_splits(self, splits: Mapping[str, Iterable[str]]) -> None:
        """Record which clips are in which split; of a clip that is in none the last one is kept."""
        for split, ids in splits.items():
            for id in ids:
                if id in self._clips:
                    self._clips[id] = replace(self._clips[id], split=split)
        about = [{_STATISTICS: list(self.statistics)}] if self.statistics else []
        self._journal.replace([*map(asdict, self._clips.values()), *about])

    def put_statistics(self, *values: np.ndarray, besides: bool = False) -> None:
        """Record, at once, that these values (D,) of Mean.npy and Std.npy are ours; with `besides` those before too."""
        names = tuple(dict.fromkeys([*(self.statistics if besides else ()), *map(_name_of, values)]))
        if names != self.statistics:
            self.statistics = names
            self._journal.append({_STATISTICS: list(names)})

    def wrote_statistics(self, values: np.ndarray) -> bool:
        """Whether our commands wrote these values."""
        return _name_of(values) in self.statistics


def _name_of(values: np.ndarray) -> str:
    return fingerprint(np.asarray(values, dtype=np.float32))


class SourceFingerprints:
    """Fingerprints of source files; each file is read once, however many clips are cut from it."""

    def __init__(self) -> None:
        self._files: dict[Path, str] = {}

    def of(self, paths: Iterable[Path], *how: str) -> str:
        """The fingerprint of some files' contents, not of their names, and of what was done with them (`how`).

        Raises:
            InputError: a file cannot be read.
        """
        return fingerprint("\n".join([*(self._file(path) for path in paths), *how]))

    def _file(self, path: Path) -> str:
        if path not in self._files:
            if path.exists() and not path.is_file():
                raise InputError(f"{path}: is not a file")
            try:
                self._files[path] = fingerprint_file(path)
            except OSError as error:
                raise unreadable(path, error) from None
        return self._files[path]
