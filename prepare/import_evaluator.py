"""Import the published text-motion evaluator, so that --eval-evaluator and --reward-evaluator can name it.

    python -m prepare.import_evaluator --published downloads/t2m --word-vectors glove

reads text_mot_match/model/finest.tar, Comp_v6_KLD01/opt.txt and Comp_v6_KLD01/meta/{mean,std}.npy of downloads/t2m,
checks them against each other, and writes checkpoints/t2m, where evaluation looks by default; kit alike. --published
may also name finest.tar or any folder that holds it; --word-vectors a folder of our_vab_{data.npy,words.pkl,idx.pkl}.

Statistics are --mean and --std, else from Comp_v6_KLD005/meta, Comp_v6_KLD01/meta, VQVAEV3_CB1024_CMT_H1024_NRES3/meta
(T2M-GPT), meta/ beside finest.tar, or beside it, whichever is found first. They are the evaluator's own, not a data
set's Mean.npy and Std.npy, which are refused (--data-statistics takes them); --data-root compares closer.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dataset.captions.word_vectors import WordVectorizer
from dataset.humanml.layout import read_mean_std
from models.text_motion.file_names import ABOUT_FILE
from models.text_motion.published import (
    PublishedFiles,
    check_opt,
    check_scale,
    find_files,
    read_opt,
    skeleton_of,
)
from models.text_motion.sizes import EvaluatorSizes
from options.flags.parsing import flag, parse_flags, required_flag
from utils.errors import InputError
from utils.files.arrays import read_npy
from utils.files.fingerprints import fingerprint
from utils.files.folders import write_folder
from utils.motion.skeleton import Skeleton
from utils.run.command import run_command

if TYPE_CHECKING:
    from models.text_motion.evaluator import TextMotionEvaluator


@dataclass
class ImportEvaluatorFlags:
    """Flags: what is imported, and where to."""

    _argument_group_name = "published evaluator"

    published: str = required_flag("finest.tar, or a folder that holds it (t2m/ or kit/ of the published layout)")
    word_vectors: str = required_flag("folder of our_vab_{data.npy,words.pkl,idx.pkl} (GloVe)")
    opt: str | None = flag(None, "opt.txt to check the weights against; default: that of the published layout")
    mean: str | None = flag(None, "mean.npy of the evaluator, together with --std; default: see above")
    std: str | None = flag(None, "std.npy of the evaluator")
    data_root: str | None = flag(None, "data set whose Std.npy the evaluator's is compared with, to notice a mix-up")
    data_statistics: bool = flag(False, "take statistics that look like a data set's own Mean.npy and Std.npy")
    out_dir: str = flag("checkpoints", "folder of evaluators")
    exp_name: str | None = flag(None, "evaluator folder within OUT_DIR; default: t2m or kit, whichever it is")

    def __post_init__(self) -> None:
        if (self.mean is None) != (self.std is None):
            raise ValueError("--mean and --std belong together: give both or neither")


def main() -> None:
    (flags,) = parse_flags(ImportEvaluatorFlags, description=__doc__)
    # Find the files, and check weights, opt.txt, statistics and words against each other.
    statistics = None if flags.mean is None or flags.std is None else (flags.mean, flags.std)
    files = find_files(flags.published, flags.opt, statistics)
    # Late imports: `--help` and a mistyped flag must not wait for torch.
    from models.text_motion.evaluator import TextMotionEvaluator
    from models.text_motion.networks import sizes_of_state
    from utils.files.torch_files import read_torch_file

    state = read_torch_file(files.weights)
    try:
        feature_dim, sizes = sizes_of_state(state)
    except InputError as error:
        ready = (files.weights.parent / ABOUT_FILE).is_file()
        hint = f"; {files.weights.parent} is no published folder, it is ready as it is" if ready else ""
        raise InputError(f"{files.weights}: {error}{hint}") from None
    skeleton = skeleton_of(feature_dim, str(files.weights))
    opt_line = _checked_opt(files, feature_dim, sizes)
    mean, std = _statistics(files, skeleton)
    words = WordVectorizer.load(flags.word_vectors)
    try:
        evaluator = TextMotionEvaluator.from_published(state, mean, std, skeleton, words)
    except InputError as error:
        raise InputError(f"{files.weights} with {files.mean} and {flags.word_vectors}: {error}") from None
    scale_line = _scale(flags, files.std, std, skeleton)

    folder = Path(flags.out_dir) / (flags.exp_name or skeleton.name)
    done = "already imported" if _save(evaluator, folder, files.weights) else "imported"
    print(f"{done}: {folder}, evaluator {evaluator.fingerprint}")
    print(f"  skeleton    {skeleton.name}: {skeleton.num_joints} joints, {feature_dim} features")
    print(f"  weights     {files.weights}")
    print(
        f"  sizes       movement {sizes.movement_hidden} -> {sizes.movement_size}, text {sizes.text_hidden}, motion "
        f"{sizes.motion_hidden}, embedding {sizes.embedding_size}, words {sizes.word_size} + {sizes.pos_size} classes"
    )
    print(f"  opt.txt     {opt_line}")
    print(f"  statistics  {files.mean}, {files.std.name}: fingerprint {fingerprint(evaluator.mean, evaluator.std)}")
    print(f"  std scale   {scale_line}")
    print(f"  words       {flags.word_vectors}: {len(words.words)} of size {words.dim}")


def _checked_opt(files: PublishedFiles, feature_dim: int, sizes: EvaluatorSizes) -> str:
    if files.opt is None:
        return f"none found: the skeleton follows from the {feature_dim} features that the weights read"
    agreed = check_opt(files.opt, read_opt(files.opt), feature_dim, sizes)
    shown = ", ".join(f"{key} {value}" for key, value in agreed.items())
    return f"{files.opt}: agrees with the weights" + (f" ({shown})" if shown else ", which it says nothing about")


def _statistics(files: PublishedFiles, skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    mean, std = read_npy(files.mean), read_npy(files.std)
    for path, array in ((files.mean, mean), (files.std, std)):
        if array.shape != (skeleton.feature_dim,):
            wanted = f"({skeleton.feature_dim},), as {files.weights} reads"
            raise InputError(f"{path}: shape {array.shape}, expected {wanted}")
    return mean, std


def _scale(flags: ImportEvaluatorFlags, path: Path, std: np.ndarray, skeleton: Skeleton) -> str:
    """Half a line about the scale of the statistics. Raises InputError where they look like those of a data set."""
    data = None
    if flags.data_root is not None:
        data = (flags.data_root, read_mean_std(flags.data_root)[1])
        if data[1].shape != std.shape:
            raise InputError(f"--data-root {flags.data_root}: {len(data[1])} features, but {path} has {len(std)}")
    if flags.data_statistics:
        return "taken as it is (--data-statistics)"
    return check_scale(path, std, skeleton, data)


def _save(evaluator: "TextMotionEvaluator", folder: Path, weights: Path) -> bool:
    """Write the evaluator. True where it was there already; other content is never replaced."""
    if (folder / ABOUT_FILE).exists():
        there = type(evaluator).load(folder).fingerprint
        if there == evaluator.fingerprint:
            return True
        raise InputError(f"{folder} holds another evaluator ({there}): give another --exp-name (nothing was changed)")
    if folder.absolute() == weights.parent.absolute():
        raise InputError(f"{folder} holds {weights.name} itself: give another --exp-name (nothing was changed)")
    try:
        write_folder(folder, evaluator.save, may_replace=False, last=ABOUT_FILE)
    except InputError as error:
        raise InputError(f"{error}: give another --exp-name") from None
    return False


if __name__ == "__main__":
    run_command(main)
