"""Chain-of-Motion as its flags say: how many candidates in how many rounds, and what ranks them.

Imports are late: `--help` must not wait for torch and transformers.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from options.flags.com import ComFlags
from options.flags.rewards import RewardFlags

if TYPE_CHECKING:
    from com.reply_search import ComConfig
    from dataset.captions.tagger import Tagger
    from models.text_motion.evaluator import TextMotionEvaluator
    from models.tokenizer.motion_tokenizer import MotionTokenizer
    from rewards.models import RewardModels


def scorers_of(com: ComFlags, rewards: RewardFlags, task: str) -> dict[str, float]:
    """Weight by name of what ranks: the scorers that were named, or the rewards of training that read no true caption.

    The vote among captions (`com.scorers.AGREEMENT`) is one of them where the task has it.
    """
    from com.scorers import AGREEMENT
    from rewards.mixture.loading import parse_reward_weights
    from rewards.mixture.ranking import scorer_weights

    weights = parse_reward_weights(named) if (named := com.com_scorers or rewards.rewards) else rewards.weights(True)
    return scorer_weights(weights, task, AGREEMENT, com.com_scorers is not None, com.com_oracle)


def default_tagger() -> "Tagger":
    """What tags captions of no data set: the best tagger that is installed, which knows the words of the toy people."""
    from dataset.captions.tagger import CaptionTagger
    from dataset.toy.lexicon import lexicon_pairs

    return CaptionTagger.default(lexicon_pairs())


def search_of(
    com: ComFlags,
    weights: dict[str, float],
    models: "RewardModels",
    tokenizer: "MotionTokenizer",
    tagger: "Callable[[], Tagger]",
) -> "tuple[ComConfig, TextMotionEvaluator | None]":
    """The search, and the evaluator among its scorers.

    Args:
        weights: of `scorers_of`.
        models: behind the scorers.
        tagger: makes what gives an evaluator the tags of a caption; called where a scorer needs it.
    """
    from com.reply_search import REVISE, ComConfig
    from com.revision import FAULT
    from com.scorers import AGREEMENT, Ranking
    from rewards.lacking import Lacking
    from rewards.mixture.loading import load_rewards
    from rewards.text_models import SentenceEncoder

    # What ranks: rewards that read no true caption, and votes.
    votes = weights.get(AGREEMENT, 0.0)
    rewarding = load_rewards(
        {name: weight for name, weight in weights.items() if name != AGREEMENT}, tokenizer, models, tagger
    )
    factors, embed = dict(zip(rewarding.rewards.names, rewarding.rewards.weights, strict=True)), None
    if votes:
        factors[AGREEMENT] = votes
        embed = SentenceEncoder(models.semantic, models.device, models.max_batch_size).embed
    shown = ", ".join(f"{name} x {weight:g}" for name, weight in factors.items())
    logging.info("Chain-of-Motion ranks by %s", shown)
    # How it searches.
    lacking = Lacking(tokenizer.skeleton, tokenizer.nb_code, models.device)
    config = ComConfig(
        com.com_candidates,
        com.com_refine_steps,
        Ranking(rewarding.rewards.table, factors, embed),
        lacking,
        com.com_patience,
        tuple(com.com_temperature),
        com.com_max_new_tokens,
        com.com_refine or REVISE,
        com.com_tokens,
        lacking.right_until if com.com_cut == FAULT else None,
    )
    return config, rewarding.evaluator
