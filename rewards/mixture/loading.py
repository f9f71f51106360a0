"""Rewards with the models behind them: for GRPO, and for Chain-of-Motion."""

from collections.abc import Callable, Mapping
from pathlib import Path

from dataset.captions.tagger import Tagger
from models.text_motion.evaluator import TextMotionEvaluator
from models.tokenizer.motion_tokenizer import MotionTokenizer
from rewards.base import RewardContext
from rewards.mixture.weighted import WeightedRewards
from utils.asset_hints import how_to_get
from utils.errors import InputError


def load_rewards(
    weights: Mapping[str, float],
    motion_tokenizer: MotionTokenizer,
    evaluator_folder: str | None,
    tagger: Callable[[], Tagger],
    semantic_model_name: str | None,
    nli_model_name: str | None,
    device: str,
    max_batch_size: int,
) -> tuple[WeightedRewards, TextMotionEvaluator | None]:
    """The rewards in `weights` and the evaluator among them, None without one.

    Args:
        weights: by name, all above 0 (`rewards.mixture.weighted.usable_for`); none at all gives no rewards.
        motion_tokenizer: decodes what is judged.
        evaluator_folder: behind `consistency`; not read without it.
        tagger: makes the tagger of captions for `consistency`; not called without it.
        semantic_model_name, nli_model_name, device, max_batch_size: as in `RewardContext`.

    Raises:
        InputError: a model is missing or cannot be loaded.
    """
    if not weights:
        return WeightedRewards([]), None
    evaluator = None
    if "consistency" in weights:
        if evaluator_folder is None or not Path(evaluator_folder).exists():
            found = "" if evaluator_folder is None else f", not {evaluator_folder}, which does not exist"
            raise InputError(
                f"the consistency reward needs --reward-evaluator FOLDER (made by prepare.train_evaluator){found}; "
                f"--reward-align-weight 0 leaves it out; {how_to_get('evaluator-t2m')}"
            )
        evaluator = TextMotionEvaluator.load(evaluator_folder, device=device)
    context = RewardContext(
        skeleton=motion_tokenizer.skeleton,
        nb_code=motion_tokenizer.nb_code,
        evaluator=evaluator,
        tagger=None if evaluator is None else tagger(),
        semantic_model_name=semantic_model_name,
        nli_model_name=nli_model_name,
        device=device,
        max_batch_size=max_batch_size,
    )
    return WeightedRewards.build(weights, context), evaluator
