"""Which rewards rank the candidates of Chain-of-Motion: those that never read a true caption."""

from collections.abc import Mapping

from rewards.mixture.loading import reference_free, usable_for
from utils.errors import InputError

# A weight of training times this is one of ranking. Within the candidates of one caption `physical` varies a fifth as
# much as `consistency` (standard deviations .021 against .08 to .12, on real and on toy clips): with the weights of
# training it would decide nothing. GRPO divides by the spread instead, but a search has to compare rounds.
RANKING_FACTORS = {"physical": 4.0}


def scorer_weights(weights: Mapping[str, float], task: str, votes: str, named: bool, oracle: bool) -> dict[str, float]:
    """The entries of `weights` that judge `task`, without those that read the true caption.

    Args:
        weights: by name of reward, and perhaps `votes`.
        task: ``t2m`` or ``m2t``.
        votes: name of the scorer that compares the candidates of a query with each other (m2t). It takes over the
            weight of what is left out.
        named: the user named these scorers: then nothing is left out silently, and the weights are taken as they are;
            else they are weights of training, and `RANKING_FACTORS` apply.
        oracle: true captions may be read.

    Raises:
        InputError: unknown names, none that judges `task`, or scorers that were named and may not be used.
    """
    factors = {} if named else RANKING_FACTORS
    rest = {name: weight * factors.get(name, 1.0) for name, weight in weights.items() if name != votes}
    vote = weights.get(votes, 0.0)
    if vote and task == "t2m":
        raise InputError(f"scorer {votes!r} compares captions: it ranks replies of m2t only")
    usable = usable_for(rest, (task,)) if rest or not vote else {}
    free = usable if oracle else reference_free(usable)
    reading = [name for name in usable if name not in free]
    if named and reading:
        raise InputError(f"scorer {', '.join(reading)} reads the true captions: only --com-oracle allows that")
    vote += sum(usable[name] for name in reading)
    return {**free, votes: vote} if vote else free
