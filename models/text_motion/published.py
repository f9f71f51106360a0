"""The files of a published evaluator are found in its folder and checked against each other.

    t2m/text_mot_match/model/finest.tar          weights
    t2m/Comp_v6_KLD01/opt.txt                    sizes, in part: the published code sets the others itself
    t2m/Comp_v6_KLD01/meta/{mean,std}.npy        what features are normalised with

The folder of opt.txt and meta is Comp_v6_KLD01 in the archive of the evaluator's authors for HumanML3D (github.com/
EricGuo5513/text-to-motion), Comp_v6_KLD005 in theirs for KIT-ML and in what many hand on. Others again hand on
finest.tar in other folders. `find_weights` and `find_files` say in which order they look.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset.humanml.pairs import FRAMES_PER_UNIT, MAX_FRAMES
from models.text_motion.sizes import EvaluatorSizes
from utils.errors import InputError
from utils.files.text_files import numbered_lines
from utils.motion.skeleton import SKELETONS, Skeleton

WEIGHTS_FILE = "finest.tar"
WEIGHTS_PLACES = (f"text_mot_match/model/{WEIGHTS_FILE}", f"model/{WEIGHTS_FILE}", WEIGHTS_FILE)
_AUTHORS = ("Comp_v6_KLD005", "Comp_v6_KLD01")
OPT_PLACES = (*(f"{folder}/opt.txt" for folder in _AUTHORS), "text_mot_match/opt.txt")
# T2M-GPT and what was built on it keep the evaluator's statistics in the folder of a tokenizer.
STATISTICS_PLACES = (*(f"{folder}/meta" for folder in _AUTHORS), "VQVAEV3_CB1024_CMT_H1024_NRES3/meta")
# In the published evaluator's std the root and foot-contact columns are those of its data set divided by 25 (measured
# on HumanML3D: 0.040, all other columns 1.00), so that they weigh more. 1 / 5 is halfway from 1 / 25 to 1, in ratio.
PUBLISHED_SCALE, LARGEST_SCALE = 1 / 25, 1 / 5
# A contact is 0 or 1, so no data set's std of it is above 1 / 2, nor the published evaluator's above 0.02 (HumanML3D:
# 0.356 and 0.014). Halfway, in ratio, as above.
LARGEST_CONTACT_STD = LARGEST_SCALE / 2

OptValue = bool | int | float | str
_OPT_LINE = re.compile(r"(\w+)\s*[:=]\s*(.*)")
_INTEGER, _FLOAT = re.compile(r"[+-]?[0-9]{1,18}"), re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][+-]?\d+)?")


@dataclass(frozen=True)
class PublishedFiles:
    """The files of one published evaluator; `opt` is None where there is no opt.txt."""

    weights: Path
    opt: Path | None
    mean: Path
    std: Path


def find_weights(place: str | Path) -> Path | None:
    """The weights of a published evaluator: `place` itself if a file, else the first of `WEIGHTS_PLACES`, or None."""
    place = Path(place)
    if place.is_file():
        return place
    return next((place / name for name in WEIGHTS_PLACES if (place / name).is_file()), None)


def find_files(
    place: str | Path, opt: str | Path | None = None, statistics: tuple[str | Path, str | Path] | None = None
) -> PublishedFiles:
    """The files of a published evaluator; an `opt` or `statistics` (mean, std) given come first.

    Statistics are looked for in `STATISTICS_PLACES` of the folder that holds text_mot_match, then in meta/ beside
    finest.tar, then beside it; opt.txt in `OPT_PLACES`, then beside finest.tar. Raises InputError where weights or
    statistics are missing.
    """
    weights = find_weights(place)
    if weights is None:
        several = sorted(str(path) for path in Path(place).glob(f"*/{WEIGHTS_PLACES[0]}"))
        hint = f"; there are {', '.join(several)}: name one" if several else ""
        raise InputError(f"{place}: no {WEIGHTS_FILE} (looked for {', '.join(WEIGHTS_PLACES)}){hint}")
    beside, root = weights.parent, _root(weights)
    if opt is None:
        places = [root / name for name in OPT_PLACES] + [beside / "opt.txt"]
        opt = next((path for path in places if path.is_file()), None)
    if statistics is None:
        folders = [*(root / name for name in STATISTICS_PLACES), beside / "meta", beside]
        found = [folder for folder in folders if all((folder / f"{name}.npy").is_file() for name in ("mean", "std"))]
        if not found:
            shown = ", ".join(str(folder) for folder in folders)
            raise InputError(f"no mean.npy and std.npy of this evaluator in {shown}: give --mean FILE --std FILE")
        statistics = (found[0] / "mean.npy", found[0] / "std.npy")
    mean, std = map(Path, statistics)
    return PublishedFiles(weights, None if opt is None else Path(opt), mean, std)


def _root(weights: Path) -> Path:
    """The folder of one data set (t2m/, kit/), as far as it can be told from the weights' path."""
    weights = weights.absolute()  # links are not followed: a cache may link to a file of another name
    if weights.parts[-3:-1] == ("text_mot_match", "model"):
        return weights.parents[2]
    return weights.parents[1] if weights.parent.name == "model" else weights.parent


def read_opt(path: str | Path) -> dict[str, OptValue]:
    """Values of an opt.txt: lines `key: value` between a header and a footer of dashes. Raises InputError.

    `key = value` is read too, since people add lines by hand. Values are True, False, integers, floats, or text.
    """
    values: dict[str, OptValue] = {}
    for number, line in numbered_lines(path):
        line = line.strip()
        if line.startswith("---"):
            continue
        match = _OPT_LINE.fullmatch(line)
        if match is None:
            raise InputError(f"{path}:{number}: {line[:60]!r} is not a line `key: value`")
        values[match[1]] = _opt_value(match[2])
    return values


def _opt_value(text: str) -> OptValue:
    if text in ("True", "False"):
        return text == "True"
    if _INTEGER.fullmatch(text) and len(text) < 19:
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) and math.isfinite(float(text)) else text


def check_opt(
    where: str | Path, values: Mapping[str, OptValue], feature_dim: int, sizes: EvaluatorSizes
) -> dict[str, OptValue]:
    """The values of an opt.txt that the weights confirm, by key. Raises InputError for the first contradiction.

    Args:
        where: the opt.txt, for the message.
        feature_dim, sizes: of the weights (`sizes_of_state`).
    """
    skeleton = skeleton_of(feature_dim, str(where))
    expected: dict[str, tuple[OptValue, str]] = {
        "dataset_name": (skeleton.name, f"the weights read {feature_dim} features"),
        "dim_pose": (feature_dim, "as in the weights"),
        "joints_num": (skeleton.num_joints, f"the weights read {feature_dim} features"),
        "dim_word": (sizes.word_size, "as in the weights"),
        "dim_pos_ohot": (sizes.pos_size, "as in the weights"),
        "dim_text_hidden": (sizes.text_hidden, "as in the weights"),
        "dim_motion_hidden": (sizes.motion_hidden, "as in the weights"),
        "dim_coemb_hidden": (sizes.embedding_size, "as in the weights"),
        "dim_movement_enc_hidden": (sizes.movement_hidden, "as in the weights"),
        "dim_movement_latent": (sizes.movement_size, "as in the weights"),
        "max_motion_length": (MAX_FRAMES, "the longest motion that evaluators here read"),
        "unit_length": (FRAMES_PER_UNIT, "the frames of a movement unit"),
    }
    for key, (value, why) in expected.items():
        if key in values and values[key] != value:
            raise InputError(f"{where}: {key} is {values[key]}, expected {value} ({why})")
    return {key: value for key, value in values.items() if key in expected}


def skeleton_of(feature_dim: int, where: str) -> Skeleton:
    """The skeleton whose motions have so many features. Raises InputError, beginning with `where`, for none."""
    for skeleton in SKELETONS.values():
        if skeleton.feature_dim == feature_dim:
            return skeleton
    known = ", ".join(f"{skeleton.feature_dim} ({name})" for name, skeleton in SKELETONS.items())
    raise InputError(f"{where}: the weights read {feature_dim} features, expected one of {known}")


def check_scale(
    path: str | Path, std: np.ndarray, skeleton: Skeleton, data: tuple[str, np.ndarray] | None = None
) -> str:
    """Half a line about the scale of an evaluator's std (D,).

    Args:
        path: of the std, for the message.
        data: name and std (D,) of the data set that the evaluator was trained on, where they are known.

    Raises:
        InputError: it looks like the std of a data set, with which every number of the evaluator would be wrong.
    """
    contact = float(np.median(std[skeleton.contacts_slice]))
    shown, own = f"foot contacts {contact:.4f}", contact > LARGEST_CONTACT_STD
    if data is not None:
        root, contacts = relative_scale(std, data[1], skeleton)
        shown += f"; root {root:.3f}, foot contacts {contacts:.3f} of {data[0]} (published: {PUBLISHED_SCALE:.3f})"
        own = own or max(root, contacts) > LARGEST_SCALE
    if own:
        raise InputError(
            f"{path}: this looks like the Std.npy of a data set ({shown}), and not like the evaluator's own std.npy, "
            f"whose root and foot contact columns are {1 / PUBLISHED_SCALE:.0f} times smaller; with wrong statistics "
            "every number is wrong: give --mean and --std of the evaluator (meta/mean.npy and meta/std.npy of its "
            "archive), or --data-statistics where it was trained with those of its data set"
        )
    return shown


def relative_scale(std: np.ndarray, data_std: np.ndarray, skeleton: Skeleton) -> tuple[float, float]:
    """How small an evaluator's std (D,) is in the root and in the contact columns, compared with its data set's (D,).

    Both are medians of std / data_std over these columns, divided by the median over all other columns:
    `PUBLISHED_SCALE` for the published evaluator, 1 for a data set's own statistics.
    """
    ratio = np.asarray(std, dtype=np.float64) / data_std
    special = np.zeros(skeleton.feature_dim, dtype=bool)
    special[skeleton.root_slice] = special[skeleton.contacts_slice] = True
    others = np.median(ratio[~special])
    root, contacts = (np.median(ratio[columns]) for columns in (skeleton.root_slice, skeleton.contacts_slice))
    return float(root / others), float(contacts / others)
