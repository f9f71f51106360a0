"""The rewards of a GRPO run, with the models behind them."""

from collections.abc import Mapping

from dataset.data_tagger import tagger_of
from models.motion_tokenizer import MotionTokenizer
from models.text_motion_evaluator import TextMotionEvaluator
from rewards.base import RewardContext
from rewards.build import WeightedRewards
from utils.errors import InputError


def load_rewards(
    weights: Mapping[str, float],
    motion_tokenizer: MotionTokenizer,
    evaluator_folder: str | None,
    data_root: str,
    semantic_model_name: str | None,
    nli_model_name: str | None,
    device: str,
    max_batch_size: int,
) -> tuple[WeightedRewards, str | None]:
    """The rewards in `weights` and the fingerprint of the evaluator among them, None without one.

    Args:
        weights: by name, all above 0 (`rewards.build.usable_for`).
        motion_tokenizer: decodes what is judged.
        evaluator_folder: behind `consistency`; not read without it.
        data_root: data set whose captions the tagger of `consistency` learns from.
        semantic_model_name, nli_model_name, device, max_batch_size: as in `RewardContext`.

    Raises:
        InputError: a model is missing or cannot be loaded.
    """
    evaluator = tagger = None
    if "consistency" in weights:
        if evaluator_folder is None:
            raise InputError(
                "the consistency reward needs --reward-evaluator FOLDER (made by prepare.train_evaluator); "
                "--reward-align-weight 0 leaves it out"
            )
        evaluator = TextMotionEvaluator.load(evaluator_folder, device=device)
        tagger = tagger_of(data_root, evaluator.skeleton)
    context = RewardContext(
        skeleton=motion_tokenizer.skeleton,
        nb_code=motion_tokenizer.nb_code,
        evaluator=evaluator,
        tagger=tagger,
        semantic_model_name=semantic_model_name,
        nli_model_name=nli_model_name,
        device=device,
        max_batch_size=max_batch_size,
    )
    return WeightedRewards.build(weights, context), evaluator and evaluator.fingerprint
