"""The clips of a data set folder are brought up to date one by one: what is there and still true is left alone.

What somebody else wrote among them is never replaced: a text file of other content than ours stays as it is.
"""

import errno
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dataset.captions.lines import Caption
from dataset.humanml.layout import JOINTS_FOLDER, caption_text, clip_files
from dataset.sources.config import ConversionConfig
from dataset.sources.conversion import SourceClip, convert_motion
from dataset.sources.record import ClipRecord, ConversionRecord, SourceFingerprints
from utils.errors import InputError
from utils.files.arrays import npy_shape
from utils.files.atomic import write_text
from utils.files.fingerprints import fingerprint, fingerprint_file
from utils.files.text_files import text_of
from utils.motion.skeleton import Skeleton

# What the system refuses because of a clip's name; all else that it refuses ends the run.
_OF_A_NAME = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)


@dataclass(frozen=True)
class GivenCaptions:
    """The captions of a clip and where they are from.

    Attributes:
        captions: tagged; none where all that the files hold is about other parts of the clip's take.
        paths: the text files they are from.
        mirrored: they are the mirror images of what the files hold.
    """

    captions: Sequence[Caption]
    paths: tuple[Path, ...]
    mirrored: bool = False


@dataclass
class ClipWriter:
    """Writes clips, and counts what it did.

    Attributes:
        root: the data set folder.
        record: what its clips were made from.
        lengths: frames of each motion that was converted, by id.
        told: ids whose captions were written and whose motion was there.
        adopted: ids of clips without a record, taken as they are because they are newer than their sources.
        kept_texts: ids whose captions were given and not written: the text file that is there is somebody else's.
        kept_statistics: Mean.npy and Std.npy were not written: those that are there are somebody else's.
    """

    root: Path
    config: ConversionConfig
    skeleton: Skeleton
    record: ConversionRecord
    lengths: dict[str, int] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    kept_texts: list[str] = field(default_factory=list)
    kept_statistics: bool = False
    _sources: SourceFingerprints = field(default_factory=SourceFingerprints)

    def bring(self, clip: SourceClip, given: GivenCaptions | None) -> None:
        """Make the files of a clip say what its sources say. Without captions its text file is not touched.

        Raises:
            InputError: a source cannot be used, or the name of the clip not be written.
            OSError: the system refuses to write.
        """
        try:
            self._bring(clip, given)
        except OSError as error:
            if error.errno in _OF_A_NAME:
                raise InputError(f"{error.filename}: {error.strerror}: rename {clip.paths[0]}") from None
            raise

    def _bring(self, clip: SourceClip, given: GivenCaptions | None) -> None:
        motion = self._sources.of(clip.paths, clip.part, "mirrored" if clip.mirrored else "")
        known = self.record.get(clip.id)
        if known is None and self._is_newer(clip):
            self.adopted.append(clip.id)
            known = ClipRecord(clip.id, motion)
        is_there = known is not None and known.motion == motion and self.has_motion(clip.id)
        if not is_there:
            self.lengths[clip.id] = convert_motion(self.root, clip, self.config, self.skeleton)
        take = None if clip.cut is None else clip.cut.take
        made = replace(known or ClipRecord(clip.id, motion), motion=motion, take=take)
        if given is not None:
            told = self._write_captions(made, given, is_ours_by_age=clip.id in self.adopted)
            if is_there and (told.captions, told.text) != (made.captions, made.text) and clip.id not in self.adopted:
                self.told.append(clip.id)
            made = told
        self.record.put(made)

    def has_motion(self, id: str) -> bool:
        """Whether both files of the clip's motion are there and whole: what a bad copy has cut is made again."""
        features = npy_shape(clip_files(self.root, id).motion)
        joints = npy_shape(self.root / JOINTS_FOLDER / f"{id}.npy")
        if not features or not joints:
            return False
        of_skeleton = features[1:] == (self.skeleton.feature_dim,) and joints[1:] == (self.skeleton.num_joints, 3)
        return of_skeleton and features[0] == joints[0]

    def is_short(self, id: str) -> bool:
        """Whether the clip's motion has fewer frames than readers of this skeleton take."""
        shape = npy_shape(clip_files(self.root, id).motion)
        return not shape or shape[0] < self.skeleton.min_frames

    def seconds(self, id: str) -> float:
        """How long the clip's motion is; 0 where there is none."""
        shape = npy_shape(clip_files(self.root, id).motion)
        return shape[0] / self.skeleton.fps if shape else 0.0

    def _is_newer(self, clip: SourceClip) -> bool:
        """Whether the motion is there and newer than what it is made from: all that is known without a record."""
        made = clip_files(self.root, clip.id).motion
        return self.has_motion(clip.id) and all(p.stat().st_mtime <= made.stat().st_mtime for p in clip.paths)

    def _write_captions(self, known: ClipRecord, given: GivenCaptions, is_ours_by_age: bool) -> ClipRecord:
        """Write the text file unless it is made from these captions already, or is somebody else's."""
        files, content = clip_files(self.root, known.id), caption_text(given.captions)
        captions = self._sources.of(given.paths, "mirrored" if given.mirrored else "")
        made = fingerprint(content)
        if files.text.exists():
            if (known.captions, known.text) == (captions, made):  # the words may be the same and their tags others
                return known
            there = _of_text(files.text)
            older = is_ours_by_age and files.text.stat().st_mtime <= files.motion.stat().st_mtime
            if there not in (made, known.text) and not older:
                self.kept_texts.append(known.id)
                return known
        if not given.captions:
            files.text.unlink(missing_ok=True)
            return replace(known, captions=None, text=None)
        write_text(files.text, content)
        return replace(known, captions=captions, text=made)


def _of_text(path: Path) -> str:
    """The fingerprint of a text, whatever ends its lines: git and unpackers change that on their way."""
    try:
        return fingerprint(text_of(path.read_bytes(), ""))
    except InputError:
        return fingerprint_file(path)
