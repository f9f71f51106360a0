"""Names, files and specs become rewards; tables and sums hold None where nothing applies."""

import importlib

import pytest

from models.language.rollout import Rollout
from rewards import REWARDS
from rewards.base import Reward, RewardContext
from rewards.cache import ResultCache
from rewards.mixture.loading import build_rewards, load_reward, parse_reward_weights, usable_for
from rewards.mixture.weighted import WeightedReward, WeightedRewards
from utils.errors import InputError
from utils.motion.skeleton import T2M

CONTEXT = RewardContext(skeleton=T2M, nb_code=512)


def rollout(task="t2m", reference=None, text="") -> Rollout:
    return Rollout(task, "a caption", text, "", "", None, None, reference=reference)


class Length(Reward):
    name = "length"

    def __init__(self, context):
        super().__init__(context)
        self.seen = 0
        self.cache = ResultCache()

    def caches(self):
        return {"lengths": self.cache}

    def score_applicable(self, rollouts):
        self.seen += len(rollouts)
        return self.cache.get_many([one.text for one in rollouts], lambda texts: [float(len(text)) for text in texts])


class OnlyM2t(Length):
    tasks = ("m2t",)


class ReadsReference(Length):
    needs_reference = True


def test_every_name_points_at_a_class_of_that_name_and_of_known_tasks():
    for name, target in REWARDS.items():
        module, _, class_name = target.partition(":")
        reward_class = getattr(importlib.import_module(module), class_name)
        assert reward_class.name == name
        assert set(reward_class.tasks) <= {"t2m", "m2t"}


def test_base_scores_only_what_applies_and_keeps_the_order():
    rollouts = [rollout("t2m", text="ab"), rollout("m2t", text="abc"), rollout("t2m"), rollout("m2t", text="a")]
    assert Length(CONTEXT).score(rollouts) == [2.0, 3.0, 0.0, 1.0]
    assert OnlyM2t(CONTEXT).score(rollouts) == [None, 3.0, None, 1.0]
    assert ReadsReference(CONTEXT).score([rollout(text="ab"), rollout(text="ab", reference=("x",))]) == [None, 2.0]
    assert OnlyM2t(CONTEXT).score([]) == []


def test_table_and_total_by_hand():
    rewards = WeightedRewards(
        [
            WeightedReward("all", Length(CONTEXT), 0.5),
            WeightedReward("m2t", OnlyM2t(CONTEXT), 2.0),
            WeightedReward("reference", ReadsReference(CONTEXT), 10.0),
        ]
    )
    rollouts = [rollout("t2m", text="ab"), rollout("m2t", text="abc"), rollout("m2t", text="a", reference=("x",))]
    assert rewards.table(rollouts) == {
        "all": [2.0, 3.0, 1.0],
        "m2t": [None, 3.0, 1.0],
        "reference": [None, None, 1.0],
    }
    assert rewards.total(rollouts) == [1.0, 7.5, 12.5]


def test_total_is_none_where_no_reward_applies():
    rewards = WeightedRewards([WeightedReward("m2t", OnlyM2t(CONTEXT), 1.0)])
    assert rewards.total([rollout("t2m"), rollout("m2t", text="ab")]) == [None, 2.0]


def test_caches_are_counted():
    rewards = WeightedRewards([WeightedReward("length", Length(CONTEXT), 1.0)])
    rewards.total([rollout(text="a"), rollout(text="a"), rollout(text="b")])
    statistics = rewards.cache_statistics()["length/lengths"]
    assert (statistics.hits, statistics.misses, statistics.size) == (1, 2, 2)


def test_cache_drops_what_was_used_longest_ago_and_asks_once_for_each_key():
    asked = []

    def compute(keys):
        asked.append(list(keys))
        return [key * 10 for key in keys]

    cache = ResultCache(capacity=2)
    assert cache.get_many([1, 2, 1], compute) == [10, 20, 10]
    assert cache.get_many([1, 3], compute) == [10, 30]
    assert cache.get_many([1, 2], compute) == [10, 20]
    assert asked == [[1, 2], [3], [2]]


def test_parse_reward_weights():
    assert parse_reward_weights("format=0.2, my/reward.py:Mine=1e-1") == {"format": 0.2, "my/reward.py:Mine": 0.1}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("format", "expected name=weight"),
        ("=0.2", "expected name=weight"),
        ("format=high", "'high' is not a number"),
        ("format=-1", "at least 0"),
        ("format=nan", "finite"),
        ("format=1,format=2", "given twice"),
        (" , ", "no reward"),
    ],
)
def test_bad_specs_are_named(spec, message):
    with pytest.raises(InputError, match=message):
        parse_reward_weights(spec)


def test_build_leaves_out_weight_zero_and_refuses_nothing():
    built = build_rewards({"format": 0.2, "semantic": 0.0}, CONTEXT)  # semantic would need a model
    assert (built.names, built.weights) == (("format",), (0.2,))
    with pytest.raises(InputError, match="weight above 0"):
        build_rewards({"format": 0.0}, CONTEXT)


OWN_REWARD = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Helper:
    value: "float"

class Mine:
    tasks = ("t2m",)
    needs_reference = False

    def __init__(self, context):
        self.nb_code = context.nb_code

    def score(self, rollouts):
        return [Helper(self.nb_code / 2).value for _ in rollouts]

class NoReward:
    pass

class BadTask(Mine):
    tasks = "t2m"

class TooFew(Mine):
    def score(self, rollouts):
        return []

class NotFinite(Mine):
    def score(self, rollouts):
        return [float("nan")] * len(rollouts)
"""


@pytest.fixture
def own_file(tmp_path):
    path = tmp_path / "my_reward.py"
    path.write_text(OWN_REWARD)
    return path


def test_a_reward_of_your_own_is_usable_by_file_and_class(own_file):
    assert load_reward(f"{own_file}:Mine", CONTEXT).score([rollout()]) == [256.0]
    rewards = build_rewards(parse_reward_weights(f"{own_file}:Mine=0.5,format=1"), CONTEXT)
    assert rewards.total([rollout("t2m")]) == [128.0 - 1.0]
    assert rewards.table([rollout("m2t")])["Mine"] == [None]


def test_what_is_wrong_with_an_own_reward_is_said(own_file):
    for name, message in [
        ("physics", "unknown reward 'physics'.*format, physical"),
        (f"{own_file}", "unknown reward"),
        (f"{own_file.parent}/absent.py:Mine", "does not exist"),
        (f"{own_file}:Absent", "no class 'Absent'.*Mine"),
        (f"{own_file}:NoReward", "lacks tasks"),
        (f"{own_file}:BadTask", "tasks must be a tuple"),
    ]:
        with pytest.raises(InputError, match=message):
            load_reward(name, CONTEXT)
    for name, message in [("TooFew", "gave 0 scores for 1 rollouts"), ("NotFinite", "gave nan")]:
        with pytest.raises(InputError, match=message):
            build_rewards({f"{own_file}:{name}": 1.0}, CONTEXT).total([rollout()])


def test_names_are_unique():
    with pytest.raises(InputError, match="share a name"):
        WeightedRewards([WeightedReward("a", Length(CONTEXT), 1.0), WeightedReward("a", Length(CONTEXT), 1.0)])


def test_usable_for_keeps_the_rewards_of_a_task_without_loading_any(own_file):
    weights = {"format": 0.2, "semantic": 0.5, "physical": 0.5, f"{own_file}:Mine": 0.3, "coherence": 0.0}
    assert list(usable_for(weights, ["m2t"])) == ["format", "semantic"]
    assert list(usable_for(weights, ["t2m"])) == ["format", "physical", f"{own_file}:Mine"]
    assert usable_for(weights, ["t2m", "m2t"]) == {name: weight for name, weight in weights.items() if weight}
    with pytest.raises(InputError, match="none of the rewards physical has a weight and judges m2t"):
        usable_for({"physical": 1.0}, ["m2t"])
    with pytest.raises(InputError, match="unknown reward"):
        usable_for({"physics": 1.0}, ["t2m"])
