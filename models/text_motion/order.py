"""The order test asks an evaluator whether motions that are worse by construction are farther from their captions.

Four states of the same clips: the real motion, its reconstruction by a motion tokenizer, the real motion with its
frames shuffled, and the motion of another clip. A judge that puts them in another order measures something else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.stats import spearmanr

from dataset.humanml.layout import MotionRecord
from models.text_motion.evaluator import TextMotionEvaluator
from models.text_motion.real_motion import EmbeddedRecords
from utils.metrics.report import NORMAL_95, MetricValue, collect_repeats
from utils.metrics.text_motion import frechet_distance, samples_used, too_few
from utils.progress import Progress

REAL, REBUILT, SHUFFLED, ANOTHER = STATES = ("real", "reconstruction", "shuffled", "another clip")
_CLIPS_AT_ONCE = 512  # whose states are in memory at a time, however large the split
_TABLE = ("R@1", "R@3", "MM-Dist")


@dataclass(frozen=True)
class StatesConfig:
    """How states are made: segments of `segment` frames change places within a clip; `seed` draws all there is."""

    segment: int
    seed: int


@dataclass(frozen=True, eq=False)
class EmbeddedStates:
    """What one evaluator makes of N clips: captions (C, E) with the clip of each (C,), and motions (N, E) by state."""

    text: np.ndarray
    owners: np.ndarray
    motions: Mapping[str, np.ndarray]

    def distances(self) -> dict[str, np.ndarray]:
        """By state (N,): the distance of a clip's motion to its captions, their mean."""
        counts = np.bincount(self.owners)
        return {
            state: np.bincount(self.owners, np.linalg.norm(self.text - rows[self.owners], axis=1)) / counts
            for state, rows in self.motions.items()
        }


@dataclass(frozen=True)
class Order:
    """The outcome for one evaluator.

    Attributes:
        metrics: R@1, R@3, MM-Dist and FID against real motion, by state. FID of real motion is that of two halves of
            the clips, where they are more than the embedding has dimensions; "another clip" are the same motions.
        farther: by pair of neighbouring states, how much farther from its captions a clip is in the second one: mean
            and interval over clips.
    """

    metrics: Mapping[str, Mapping[str, MetricValue]]
    farther: Mapping[tuple[str, str], MetricValue]

    def sequence(self, metric: str) -> tuple[str, ...]:
        """The states from the best to the worst, by R@1 or MM-Dist; equal ones in the order of `STATES`."""
        sign = 1 if metric == "MM-Dist" else -1
        return tuple(sorted(STATES, key=lambda state: sign * _number(self.metrics[state][metric])))

    def known(self, metric: str) -> bool:
        """Whether there is a number for every state: R-precision needs a group of clips."""
        return all(self.metrics[state][metric].mean is not None for state in STATES)

    def holds(self, metric: str) -> bool:
        """Whether every state is worse than the one before it, and none as good."""
        values = [_number(self.metrics[state][metric]) for state in self.sequence(metric)]
        return self.sequence(metric) == STATES and all(first != second for first, second in pairwise(values))


def embed_states(
    evaluators: Sequence[TextMotionEvaluator],
    records: Sequence[MotionRecord],
    reconstruct: Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]],
    config: StatesConfig,
) -> list[EmbeddedStates]:
    """The same states of N >= 2 clips for every evaluator.

    All states are cut to the frames of the reconstruction, so that no length gives one away.

    Args:
        reconstruct: motions (T, D) -> what is left of each, (T', D) with T' <= T.
    """
    rng = np.random.default_rng(config.seed)
    found: list[dict[str, list[np.ndarray]]] = [{REAL: [], REBUILT: [], SHUFFLED: []} for _ in evaluators]
    with Progress(total=len(records), desc="order test", unit="clip") as bar:
        for start in range(0, len(records), _CLIPS_AT_ONCE):
            motions = [record.features for record in records[start : start + _CLIPS_AT_ONCE]]
            rebuilt = reconstruct(motions)
            real = [motion[: len(other)] for motion, other in zip(motions, rebuilt, strict=True)]
            shuffled = [shuffle_segments(motion, config.segment, rng) for motion in real]
            for evaluator, parts in zip(evaluators, found, strict=True):
                for state, clips in ((REAL, real), (REBUILT, rebuilt), (SHUFFLED, shuffled)):
                    parts[state].append(evaluator.embed_features(clips).cpu().numpy())
            bar.update(len(motions))
    # Another clip's: the clips in a circle, in random order, each gets the motion of the next one.
    circle = rng.permutation(len(records))
    others = np.empty(len(records), dtype=np.int64)
    others[circle] = np.roll(circle, -1)
    captions = [caption.tokens for record in records for caption in record.captions]
    owners = np.repeat(np.arange(len(records)), [len(record.captions) for record in records])
    embedded = []
    for evaluator, parts in zip(evaluators, found, strict=True):
        rows = {state: np.concatenate(part) for state, part in parts.items()}
        text = evaluator.embed_captions(captions).cpu().numpy()
        embedded.append(EmbeddedStates(text, owners, rows | {ANOTHER: rows[REAL][others]}))
    return embedded


def shuffle_segments(motion: np.ndarray, frames: int, rng: np.random.Generator) -> np.ndarray:
    """The rows of a motion (T, D) with its segments of so many frames (the last may be shorter) in random order."""
    segments = np.split(motion, range(frames, len(motion), frames))
    return np.concatenate([segments[index] for index in rng.permutation(len(segments))])


def find_order(embedded: EmbeddedStates, repeats: int, seed: int) -> Order:
    """The metrics of every state, by the same draws of captions and groups, and how far states are apart."""
    real = embedded.motions[REAL]
    metrics: dict[str, dict[str, MetricValue]] = {}
    for state, rows in embedded.motions.items():
        draws = EmbeddedRecords(embedded.text, embedded.owners, rows).repeats(repeats, np.random.default_rng(seed))
        found = collect_repeats(draws, samples_used(len(rows)))
        metrics[state] = {name: found[name] for name in _TABLE}
        metrics[state]["FID"] = MetricValue.over_repeats([frechet_distance(real, rows)], len(rows))
    metrics[REAL]["FID"] = _fid_of_halves(real, seed)
    distances = embedded.distances()
    farther = {pair: _mean_over_clips(distances[pair[1]] - distances[pair[0]]) for pair in pairwise(STATES)}
    return Order(metrics, farther)


def agreement(one: EmbeddedStates, other: EmbeddedStates) -> float:
    """The rank correlation of two evaluators' distances, over all clips in all states."""
    first, second = (np.concatenate([each.distances()[state] for state in STATES]) for each in (one, other))
    return float(spearmanr(first, second).statistic)


def _fid_of_halves(real: np.ndarray, seed: int) -> MetricValue:
    """A FID that is as near to 0 as it gets with so few clips; none where they are fewer than dimensions."""
    order, half = np.random.default_rng(seed).permutation(len(real)), len(real) // 2
    if too_few(half, real.shape[1]) is not None:
        return MetricValue(None, None, half, 0)
    return MetricValue.over_repeats([frechet_distance(real[order[:half]], real[order[half:]])], half)


def _mean_over_clips(values: np.ndarray) -> MetricValue:
    return MetricValue(
        float(values.mean()), NORMAL_95 * float(values.std()) / len(values) ** 0.5, len(values), 1, "clips"
    )


def _number(value: MetricValue) -> float:
    """A metric that could not be computed puts nothing in order."""
    return 0.0 if value.mean is None else value.mean
