"""Agreement among candidates: the caption that says what most others say (minimum Bayes risk decoding).

Kumar and Byrne 2004, "Minimum Bayes-Risk Decoding for Statistical Machine Translation", with the cosine of sentence
embeddings as gain. The candidates of the first round, drawn from the model's own distribution, stand for what may be
true; those of later rounds, written after the best attempt was shown, are judged by them and do not vote.
"""

from collections.abc import Callable, Sequence

import torch

from models.rollout import Rollout

Embed = Callable[[Sequence[str]], torch.Tensor]
AGREEMENT = "agreement"
WORST = -1.0


def agreement(candidates: Sequence[Rollout], voters: Sequence[Sequence[Rollout]], embed: Embed) -> list[float | None]:
    """Mean cosine in [-1, 1] of each candidate's answer and its voters' answers.

    Args:
        candidates: N candidates; one without an answer gets -1.
        voters: for each, the candidates of its query's first round. It does not vote for itself; a voter without an
            answer does not vote. Equal answers vote as often as they were drawn.
        embed: texts -> (M, E) rows of length 1.

    Returns:
        One value a candidate, None where nobody votes on it.
    """
    found: list[float | None] = []
    for candidate, group in zip(candidates, voters, strict=True):
        others = [voter.answer for voter in group if voter is not candidate and voter.answer]
        if not candidate.answer:
            found.append(WORST)
        elif not others:
            found.append(None)
        else:
            own, *rows = embed([candidate.answer, *others])
            found.append(float((torch.stack(rows) @ own).mean().clamp(-1, 1)))
    return found
