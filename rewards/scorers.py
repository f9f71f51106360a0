"""Which rewards rank the candidates of Chain-of-Motion: those that never read a true caption."""

from collections.abc import Mapping

from rewards.build import reference_free, usable_for
from utils.errors import InputError


def scorer_weights(weights: Mapping[str, float], task: str, votes: str, named: bool, oracle: bool) -> dict[str, float]:
    """The entries of `weights` that judge `task`, without those that read the true caption.

    Args:
        weights: by name of reward, and perhaps `votes`.
        task: ``t2m`` or ``m2t``.
        votes: name of the scorer that compares the candidates of a query with each other (m2t). It takes over the
            weight of what is left out.
        named: the user named these scorers: then nothing is left out silently.
        oracle: true captions may be read.

    Raises:
        InputError: unknown names, none that judges `task`, or scorers that were named and may not be used.
    """
    rest = {name: weight for name, weight in weights.items() if name != votes}
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
