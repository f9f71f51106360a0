"""The motions of an evaluation are kept as files, one a reply and kind, named by clip and draw."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from models.evaluation.predictions import Prediction
from models.evaluation.predictions_file import PREDICTIONS_FILE, read_predictions
from models.tokenizer.motion_tokenizer import MotionTokenizer
from utils.files.atomic import remove_unfinished
from utils.files.json_files import numbered_rows
from utils.motion.features import joints_from_features
from utils.motion.skeleton import Skeleton
from utils.motion_files.write import WrittenMotion, write_motions

MOTIONS_FOLDER = "motions"
KINDS = ("npy", "bvh", "glb")


def save_motions(run: Path, predictions: Iterable[Prediction], kinds: Sequence[str], skeleton: Skeleton) -> None:
    """Write ``motions/<id>_draw<n>.<kind>`` of every reply that has a motion, into the folder of a run.

    What is there stays: a file is written whole or not at all, and the replies of a run are always the same.

    Args:
        kinds: of `KINDS`; .npy holds joints (T, J, 3) as data sets do, in metres for HumanML3D.
    """
    folder = run / MOTIONS_FOLDER
    remove_unfinished(folder)
    for prediction in predictions:
        if prediction.motion is None:
            continue
        name = f"{prediction.id}_draw{prediction.draw}"
        places = [folder / f"{name}.{kind}" for kind in kinds]
        if missing := [place for place in places if not place.is_file()]:
            joints = skeleton.in_metres(joints_from_features(prediction.motion, skeleton))
            written = WrittenMotion(joints, skeleton, skeleton.fps, prediction.caption or name)
            for place in missing:
                write_motions(place, [written])


def save_motions_of(
    run: Path, given: str | None, kinds: Sequence[str], skeleton: Skeleton, tokenizer: MotionTokenizer | None
) -> None:
    """The same of an evaluation that was finished before its motions were asked for.

    Args:
        given: the predictions that it judged; None: it wrote its own.
    """
    judged = {(row["id"], row["draw"]) for _, row in numbered_rows(run / PREDICTIONS_FILE)}
    found = read_predictions(given or run / PREDICTIONS_FILE, "t2m", skeleton, tokenizer)
    save_motions(run, [one for one in found if (one.id, one.draw) in judged], kinds, skeleton)
