"""Flags of every command that makes a data set out of motions (``prepare.motions_from_*``)."""

from dataclasses import dataclass

from options.flags.parsing import flag, required_flag
from options.flags.ranges import POSITIVE, SEED


@dataclass
class DatasetFlags:
    """The data set to make: captions, splits, and the skeleton that all clips share."""

    _argument_group_name = "data set"

    out_dir: str = required_flag("data set folder to make or to continue")
    texts_dir: str | None = flag(
        None, "folder of <id>.txt with the captions, tagged or plain; without it the data set trains tokenizers only"
    )
    splits_dir: str | None = flag(
        None,
        "folder of train.txt, val.txt, test.txt; default: about 80/5/15 by the ids, and clips stay in their split",
    )
    dataname: str = flag("t2m", "skeleton: t2m (22 joints, 20 fps) or kit (21 joints, 12.5 fps)")
    target_offsets: str | None = flag(None, "skeleton to retarget to: a .npy of bone vectors (J, 3)")
    target_clip: str | None = flag(None, "clip whose first frame is the skeleton; default: the first training clip")
    no_retarget: bool = flag(False, "keep the proportions of every clip")
    mirror: bool = flag(False, "add the mirror image of every clip as M<id>, captions too, as HumanML3D does")
    cut_seconds: float | None = flag(
        None,
        "cut longer takes into equal parts <id>_s0, <id>_s1, ... of at most so many seconds; default: as the data set "
        "was cut before",
        within=POSITIVE,
    )
    any_posture: bool = flag(
        False, "take clips whatever their posture: sets of people who mostly lie, crawl or stand on their hands"
    )
    lexicon_texts: str | None = flag(
        None, "folder of tagged texts (such as HumanML3D's) that plain captions are tagged after, without spaCy"
    )
    skip_bad: bool = flag(False, "exit with success although some clips could not be used")
    seed: int = flag(0, "draws the split of new clips, with their ids", within=SEED)

    def __post_init__(self) -> None:
        if sum([self.target_offsets is not None, self.target_clip is not None, self.no_retarget]) > 1:
            raise ValueError("give only one of --target-offsets, --target-clip, --no-retarget")
        if self.lexicon_texts is not None and self.texts_dir is None:
            raise ValueError("--lexicon-texts needs --texts-dir")
