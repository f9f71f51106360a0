"""Many clips are packed into one raw float32 file, which is mapped into memory and shared by processes.

29,000 clips then open in seconds.

In the cache folder, for a pack named ``train``:
``train-<key>.f32``  the frames of all usable clips, one clip after the other, D little-endian float32 a frame
``train.json``       key, ids, frame counts, texts, what was wrong with the others; written last
``train.lock``       held while one process packs and others wait for it

The key names the clips and the size and time of each source file, so loading opens none of them, and a change of any
of them makes a new pack.
"""

import contextlib
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate, pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock, Timeout

from dataset.humanml.clip_files import ClipFiles
from utils.errors import InputError
from utils.files.atomic import is_unfinished, write_atomic, write_text
from utils.files.fingerprints import fingerprint
from utils.files.json_files import parse_json
from utils.progress import Progress

logger = logging.getLogger(__name__)

_FORMAT_VERSION = 4  # raised when clips are read or judged by other rules: packs of before are made anew
_DTYPE = np.dtype("<f4")
_SHOW_PROGRESS_AFTER = 2.0  # seconds until a bar appears: small data sets need none


@dataclass(frozen=True, eq=False)
class ClipPack:
    """N clips whose motion can be used, in the order asked for.

    Attributes:
        ids: N clip ids.
        features: N arrays (T, D) float32, denormalised: views of the mapped file. Writing into them changes neither
            the file nor what other processes see.
        texts: N contents of the text files; None where a text file cannot be used.
        bad_motions: reason by id, for the clips that are not among the N.
        bad_texts: reason by id, for each None in `texts`.
    """

    ids: tuple[str, ...]
    features: tuple[np.ndarray, ...]
    texts: tuple[str | None, ...]
    bad_motions: Mapping[str, str]
    bad_texts: Mapping[str, str]


@dataclass
class _Index:
    """The content of the .json."""

    key: str
    ids: list[str] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    texts: list[str | None] = field(default_factory=list)
    bad_motions: dict[str, str] = field(default_factory=dict)
    bad_texts: dict[str, str] = field(default_factory=dict)

    def pack(self, features: Sequence[np.ndarray]) -> ClipPack:
        return ClipPack(tuple(self.ids), tuple(features), tuple(self.texts), self.bad_motions, self.bad_texts)


def pack_clips(clips: Sequence[ClipFiles], feature_dim: int, folder: str | Path, name: str) -> ClipPack:
    """Load the pack `name` of `folder`; it is made first unless it holds these very clips as they are now.

    Packing holds one clip in memory at a time. Where the folder cannot be written (or the disk is full), all clips are
    held in memory instead and one logged line says so. Clips that cannot be used are recorded in the result.
    """
    stamps = "\n".join(clip.stamp() for clip in clips)
    key = fingerprint(f"{_FORMAT_VERSION} {feature_dim}\n{stamps}")
    store = _Store(Path(folder) / f"{name}.json", Path(folder) / f"{name}-{key}.f32", key, feature_dim)
    pack = store.load()
    if pack is not None:
        return pack
    try:
        store.index_path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(store.index_path.with_suffix(".lock")) as alone:
            pack = store.load()  # another process may have made it meanwhile
            return store.build(clips, alone) if pack is None else pack
    except OSError as error:
        logger.warning(f"{folder}: no shared file of the clips of {name} ({error}), they are held in memory instead")
    index = _Index(key)
    features = list(_read_clips(clips, feature_dim, index))
    return index.pack(features)


@dataclass(frozen=True)
class _Store:
    """The two files of a pack."""

    index_path: Path
    data_path: Path
    key: str
    feature_dim: int

    def load(self) -> ClipPack | None:
        """The pack, or None where there is none, a damaged one, or one of other clips."""
        try:
            fields = parse_json(self.index_path.read_bytes())
            if fields["key"] != self.key:
                return None
            index = _Index(**fields)
            if not len(index.ids) == len(index.frames) == len(index.texts):
                return None
            ends = list(accumulate(index.frames, initial=0))
            frames = _map(self.data_path, ends[-1], self.feature_dim)
            return index.pack([frames[start:stop] for start, stop in pairwise(ends)])
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def build(self, clips: Sequence[ClipFiles], alone: bool) -> ClipPack:
        """Write both files and load them. With `alone` nobody else is building: half-written files are leftovers."""
        if alone:
            self._remove(is_unfinished)
        index = _Index(self.key)

        def write(stream: BinaryIO) -> None:
            for features in _read_clips(clips, self.feature_dim, index):
                stream.write(features.astype(_DTYPE, copy=False))

        write_atomic(self.data_path, write)
        write_text(self.index_path, json.dumps(asdict(index)))
        pack = self.load()
        if pack is None:
            raise OSError(f"{self.data_path.name} was removed or replaced as soon as it was written")
        # Loaded, so older contents of this pack can go: a process that still has them mapped keeps them.
        self._remove()
        size = sum(features.nbytes for features in pack.features) / 1e6
        logger.info(f"{self.data_path}: {len(pack.ids)} clips packed for fast loading, {size:.1f} MB")
        return pack

    def _remove(self, is_named: Callable[[str, str], object] = lambda name, of: re.fullmatch(of, name)) -> None:
        """Delete the data files of this pack's other contents, of the names that `is_named` finds for their pattern."""
        pattern = rf"{re.escape(self.index_path.stem)}-[0-9a-f]{{12}}\.f32"
        for path in self.data_path.parent.iterdir():
            if is_named(path.name, pattern) and path != self.data_path:
                path.unlink(missing_ok=True)


def _map(path: Path, frames: int, feature_dim: int) -> np.ndarray:
    """The file as an array (frames, D), shared between processes. Raises ValueError for a file of another size."""
    if path.stat().st_size != frames * feature_dim * _DTYPE.itemsize:
        raise ValueError(f"{path}: not {frames} frames")
    if frames == 0:  # an empty file cannot be mapped
        return np.zeros((0, feature_dim), dtype=np.float32)
    # Copy-on-write, not read-only: torch.from_numpy warns about arrays that cannot be written.
    return np.asarray(np.memmap(path, dtype=_DTYPE, mode="c", shape=(frames, feature_dim)))


def _read_clips(clips: Sequence[ClipFiles], feature_dim: int, index: _Index) -> Iterator[np.ndarray]:
    """Yield the usable motions one by one, and write everything else about the clips into `index`."""
    for clip in Progress(clips, desc="packing clips", unit="clip", delay=_SHOW_PROGRESS_AFTER, leave=False):
        try:
            features = clip.read_motion(feature_dim)
        except InputError as error:
            index.bad_motions[clip.id] = str(error)
            continue
        index.ids.append(clip.id)
        index.frames.append(len(features))
        try:
            index.texts.append(clip.read_text())
        except InputError as error:
            index.texts.append(None)
            index.bad_texts[clip.id] = str(error)
        yield features


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold the lock, after waiting for it. Gives False where the file system has no locks: others may build too."""
    lock = FileLock(path)
    try:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            logger.info(f"{path.with_suffix('')}: another process is packing these clips, waiting for it")
            lock.acquire()
    except (OSError, NotImplementedError):
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
