"""Predictions on disk: ``predictions.jsonl``, or a folder of motions.

``predictions.jsonl``, one JSON object a line:

    id          clip id of the data set's split (a segment is ``<id>_<i>``)
    draw        number of the reply to the same prompt, from 0; absent = 0
    caption     t2m: the caption that was asked for; absent = one of the clip's captions, drawn by the seed
    text        the whole reply of a model of ours; or else, for any other system,
    codes       t2m: codebook indices (they are decoded with --motion-tokenizer), or
    motion      t2m: a .npy beside this file, features (T, D) or joints (T, J, 3), or
    answer      m2t: the predicted caption
    finished    false where the reply was cut at the length limit

In a folder every ``<id>.npy`` is a motion (t2m); the first line of ``<id>.txt`` beside it is the caption asked for,
read as a data set's texts are.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dataset.captions.files import first_caption
from models.evaluation.given_motions import refuse_no_people
from models.evaluation.predictions import CUT, EMPTY, Prediction, from_reply, with_motions
from models.tokenizer.motion_tokenizer import MotionTokenizer
from utils.errors import InputError
from utils.files.arrays import read_npy
from utils.files.json_files import numbered_rows
from utils.motion.features import features_from_joints
from utils.motion.plausibility import check_motion_file
from utils.motion.skeleton import Skeleton

PREDICTIONS_FILE = "predictions.jsonl"
_WRITTEN_CODE = re.compile(r"[+-]?[0-9]{1,18}")


def read_predictions(
    path: str | Path, task: str, skeleton: Skeleton, tokenizer: MotionTokenizer | None = None, look: bool = False
) -> list[Prediction]:
    """All lines of a predictions.jsonl, or all ``<id>.npy`` of a folder (t2m; ``<id>.txt`` beside it: the caption).

    Args:
        tokenizer: decodes rows that have codes or texts but no motion.
        look: whether motions that are given are looked at, as `refuse_no_people` does.

    Raises InputError with file:line for what cannot be read, and where most of those motions are no people; what can be
    read but not used is a prediction with a problem.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path, task, skeleton, look)
    if not path.is_file():
        raise InputError(f"{path}: no such predictions (a .jsonl file or a folder of .npy motions)")
    found: list[Prediction] = []
    seen: dict[tuple[str, int], int] = {}
    motions: list[Path] = []
    for number, row in numbered_rows(path):
        try:
            prediction = _parse_row(row, task, path.parent, skeleton)
        except InputError as error:
            raise InputError(f"{path}:{number}: {error}") from None
        key = prediction.id, prediction.draw
        if key in seen:
            raise InputError(f"{path}:{number}: draw {key[1]} of {key[0]} is on line {seen[key]} already")
        seen[key] = number
        found.append(prediction)
        if prediction.motion is not None:
            motions.append(path.parent / row["motion"])
    if not found:
        raise InputError(f"{path}: no prediction in it")
    # Draws are counted from 0, and one without a prediction makes a failure of every clip: that many cannot be meant.
    first, last = (which(key[1] for key in seen) for which in (min, max))
    if first:
        raise InputError(f"{path}: no prediction is a draw 0, the first is draw {first}: draws count from 0")
    if last > len(seen):
        line = next(line for key, line in seen.items() if key[1] == last)
        raise InputError(f"{path}:{line}: draw {last}, but there are {len(seen)} predictions (draws count from 0)")
    if look:
        refuse_no_people(motions, skeleton, path)
    return with_motions(found, tokenizer, str(path))


def _parse_row(row: dict[str, Any], task: str, folder: Path, skeleton: Skeleton) -> Prediction:
    if not isinstance(row.get("id"), str):
        raise InputError('expected an object with at least an "id" that is text (in quotation marks)')
    draw = row.get("draw", 0)
    if not isinstance(draw, int) or isinstance(draw, bool) or draw < 0:
        raise InputError(f'"draw" must be a whole number from 0, got {str(draw)[:60]}')
    finished = _checked(row, "finished", bool, True)
    caption, text, answer = (_checked(row, name, str, None) for name in ("caption", "text", "answer"))
    prediction = Prediction(row["id"], draw, caption, text, answer, finished=finished)
    if text is not None:
        return from_reply(prediction, task)  # again, so that a file is judged by the grammar of today
    if not finished:
        return replace(prediction, problem=CUT)
    if task == "m2t":
        return prediction if (answer or "").strip() else replace(prediction, problem=EMPTY)
    if row.get("motion") is not None:
        return replace(prediction, motion=_read_motion(folder / _checked(row, "motion", str, ""), skeleton))
    codes = _codes(row.get("codes"))
    return replace(prediction, codes=codes) if len(codes) else replace(prediction, problem=EMPTY)


def _codes(value: Any) -> np.ndarray:
    """(N,) int64 of a list of whole numbers, or of a text of them."""
    codes = value.split() if isinstance(value, str) else value or []
    if not isinstance(codes, list) or not all(map(_is_code, codes)):
        raise InputError('"codes" must be a list of whole numbers')
    return np.array([int(code) for code in codes], dtype=np.int64)


def _is_code(value: Any) -> bool:
    """Whether a value is a whole number, or the digits of one; true and false are none."""
    if isinstance(value, str):
        return _WRITTEN_CODE.fullmatch(value) is not None
    return type(value) is int or (isinstance(value, float) and value.is_integer() and abs(value) < 2**53)


def _checked(row: dict[str, Any], name: str, kind: type, default: Any) -> Any:
    value = row.get(name)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise InputError(f'"{name}" must be {"text" if kind is str else "true or false"}, got {str(value)[:60]}')
    return value


def _read_folder(folder: Path, task: str, skeleton: Skeleton, look: bool) -> list[Prediction]:
    if task != "t2m":
        raise InputError(
            f"{folder}: a folder of motions can be judged as t2m only; captions are given as a .jsonl file"
        )
    paths = sorted(folder.glob("*.npy"))
    if not paths:
        raise InputError(f"{folder}: no .npy motion in it")
    found = []
    for path in paths:
        text = path.with_suffix(".txt")
        caption = first_caption(text) if text.is_file() else None
        found.append(Prediction(path.stem, 0, caption, motion=_read_motion(path, skeleton)))
    if look:
        refuse_no_people(paths, skeleton, folder)
    return found


def _read_motion(path: Path, skeleton: Skeleton) -> np.ndarray:
    """(T, D) features from a file of features or of joints."""
    motion = read_npy(path)
    if motion.ndim == 3:
        try:
            motion = features_from_joints(motion, skeleton)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
    check_motion_file(path, motion, skeleton)
    return motion.astype(np.float32)
