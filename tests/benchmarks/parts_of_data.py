"""Parts without a model: features, facts, claims, FID, and how soon files are ready."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from dataset.claims import claims as claims_of_text
from dataset.cot.samples import read_cot_jsonl
from dataset.facts.motion_facts import motion_facts
from dataset.humanml.layout import read_split
from dataset.toy.clips import toy_clips
from tests.benchmarks.cot_reading_speed import write_lines
from tests.benchmarks.frechet_distance import scipy_distance
from tests.benchmarks.measuring import Figure, Machine, median, scaling, taken
from tests.benchmarks.reader_speed import make_clips
from utils.metrics.text_motion import frechet_distance
from utils.motion.features import features_from_joints, joints_from_features
from utils.motion.skeleton import T2M

NB_CODE = 512


def features(machine: Machine) -> Iterator[Figure]:
    """Joints to features and back, clip by clip."""
    joints = [clip.joints for clip in toy_clips(machine.amounts.clips[0], seed=0)]
    made = [features_from_joints(one, T2M) for one in joints]
    count, repeats = len(joints), machine.amounts.repeats
    for what, work in (
        ("features of joints", lambda: [features_from_joints(one, T2M) for one in joints]),
        ("joints of features", lambda: [joints_from_features(one, T2M) for one in made]),
    ):
        yield Figure(what, count / median(work, repeats), "clips/s", f"{count} toy clips, one by one")


def facts(machine: Machine) -> Iterator[Figure]:
    """What a motion does, in figures; what a text claims."""
    clips = [list(toy_clips(count, seed=0)) for count in machine.amounts.clips]
    seconds = [min(taken(lambda some=some: [motion_facts(one.joints, T2M) for one in some], 1)) for some in clips]
    how = f"{len(clips[-1])} toy clips"
    yield Figure("facts of motions", len(clips[-1]) / seconds[-1], "clips/s", how)
    yield scaling("facts by clips", machine.amounts.clips, seconds, "clips")
    texts = [[caption.text for clip in some for caption in clip.captions] for some in clips]
    seconds = []
    for some in texts:
        claims_of_text._read.cache_clear()
        (first,) = taken_once(lambda some=some: [claims_of_text.claims_of(text) for text in some])
        seconds.append(first)
    again = median(lambda: [claims_of_text.claims_of(text) for text in texts[-1]], 1)
    how = f"{len(texts[-1])} captions, {len(set(texts[-1]))} different, read for the first time"
    yield Figure("claims of captions", len(texts[-1]) / seconds[-1], "captions/s", how)
    yield Figure("claims of captions, again", len(texts[-1]) / again, "captions/s", "the same captions")
    yield scaling("claims by captions", [len(some) for some in texts], seconds, "captions")


def taken_once(work: Callable[[], Any]) -> list[float]:
    """CPU seconds of one call that nothing was prepared for."""
    started = time.process_time()
    work()
    return [max(time.process_time() - started, 1e-9)]


def fid(machine: Machine) -> Iterator[Figure]:
    """The Frechet distance beside scipy's square root of a matrix."""
    rng, width = np.random.default_rng(0), machine.amounts.sizes.evaluator.embedding_size
    for samples in machine.amounts.samples:
        real, made = rng.normal(size=(samples, width)), rng.normal(0.1, 1.1, size=(samples, width))
        ours = median(lambda a=real, b=made: frechet_distance(a, b), machine.amounts.repeats)
        theirs = median(lambda a=real, b=made: scipy_distance(a, b), 1)
        # Two covariances in float64, whose peak is half of that of float32.
        limit = 2 * 2 * samples * width**2 / (machine.peak / 2)
        yield Figure(f"FID of {samples}", ours, "s", f"{width} dimensions; plain: scipy's formula", limit, theirs)


def readers(machine: Machine) -> Iterator[Figure]:
    """A split of motions, first and again; lines of chain of thought, without a cache and with one."""
    seconds = {"first": [], "again": []}
    for count in machine.amounts.records:
        root = machine.folder / f"records{count}"
        root.mkdir()
        size = make_clips(root, count)
        for when in seconds:
            seconds[when] += taken_once(lambda root=root: read_split(root, "train", T2M))
    for when, own in seconds.items():
        how = f"{machine.amounts.records[-1]} motions of {size / 1e6:,.0f} MB"
        yield Figure(f"motions, {when}", count / own[-1], "clips/s", how)
        yield scaling(f"motions, {when}, by clips", machine.amounts.records, own, "clips")
    seconds = {"without a cache": [], "again": []}
    for count in machine.amounts.lines:
        file = machine.folder / f"lines{count}.jsonl"
        write_lines(file, count)
        for when in seconds:
            seconds[when] += taken_once(lambda file=file: read_cot_jsonl(file, NB_CODE))
    for when, own in seconds.items():
        how = f"{count} lines of {file.stat().st_size / 1e6:.1f} MB"
        yield Figure(f"lines, {when}", count / own[-1], "lines/s", how)
        yield scaling(f"lines, {when}, by lines", machine.amounts.lines, own, "lines")
