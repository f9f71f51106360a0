import numpy as np
import pytest
from scipy.linalg import sqrtm

from utils.metrics.text_motion import (
    diversity,
    diversity_pairs,
    evaluate_text_to_motion,
    frechet_distance,
    matching_score,
    multimodality,
    r_precision,
    samples_used,
    too_few,
    unit_length,
)


def scipy_frechet(a, b):
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    shift = a.mean(0) - b.mean(0)
    return shift @ shift + np.trace(cov_a) + np.trace(cov_b) - 2 * np.trace(sqrtm(cov_a @ cov_b).real)


def test_frechet_of_one_dimensional_gaussians_by_hand():
    # means 0 and 3, unbiased standard deviations 2 and 1: 3^2 + (2 - 1)^2
    real = np.array([[-2.0], [0.0], [2.0]])
    generated = np.array([[2.0], [3.0], [4.0]])
    assert frechet_distance(real, generated) == pytest.approx(10.0)


def test_frechet_equals_scipy():
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(24, 24))
    a, b = rng.normal(size=(400, 24)) @ mix, rng.normal(0.3, 1.2, size=(300, 24)) @ mix.T
    assert frechet_distance(a, b) == pytest.approx(scipy_frechet(a, b), rel=1e-6)


def test_frechet_equals_scipy_at_512_dimensions():
    """How much faster it is: tests/benchmarks/frechet_distance.py."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(1200, 512)), rng.normal(0.1, 1.1, size=(1100, 512))
    assert frechet_distance(a, b) == pytest.approx(scipy_frechet(a, b), rel=1e-6)


@pytest.mark.parametrize(("real", "generated", "dims"), [(40, 50, 64), (20, 500, 64), (500, 20, 64), (100, 80, 128)])
def test_frechet_with_fewer_samples_than_dimensions(real, generated, dims):
    """Against scipy, whose root is complex here, and against the singular values of the data themselves."""
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(real, dims)), rng.normal(0.1, 1.1, size=(generated, dims))
    found = frechet_distance(a, b)
    assert type(found) is float
    assert found == pytest.approx(scipy_frechet(a, b), rel=1e-6)
    first, second = ((x - x.mean(0)) / np.sqrt(len(x) - 1) for x in (a, b))
    shift = a.mean(0) - b.mean(0)
    overlap = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    exact = shift @ shift + (first**2).sum() + (second**2).sum() - 2 * overlap
    assert found == pytest.approx(exact, rel=1e-12)
    assert frechet_distance(b, a) == pytest.approx(found, rel=1e-12)


@pytest.mark.parametrize("decades", [1, 4, 8])
def test_frechet_of_badly_scaled_embeddings(decades):
    """Trained embeddings vary far more in some directions than in others."""
    rng = np.random.default_rng(4)
    turn = np.linalg.qr(rng.normal(size=(32, 32)))[0]
    scale = np.logspace(0, -decades, 32)
    # Orthonormal columns without mean: the covariance of `white` is exactly the identity.
    draws = [rng.normal(size=(200, 32)) for _ in range(2)]
    white = [np.linalg.qr(draw - draw.mean(0))[0] * np.sqrt(199) for draw in draws]
    first, second = white[0] * scale @ turn, 1.5 * white[1] * scale @ turn
    # Where covariances commute, the distance is the sum of squared differences of the standard deviations.
    assert frechet_distance(first, second) == pytest.approx(0.25 * (scale**2).sum(), rel=1e-9)
    assert frechet_distance(first, first) == pytest.approx(0.0, abs=1e-12)


def test_frechet_of_few_samples_is_finite_and_zero_for_the_same_set():
    rng = np.random.default_rng(1)
    few = rng.normal(size=(5, 64))
    assert frechet_distance(few, few[::-1]) == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(few[:1], few[1:2]) == pytest.approx(np.sum((few[0] - few[1]) ** 2))
    assert frechet_distance(few, few + 1.0) == pytest.approx(64.0)
    assert np.isnan(frechet_distance(few[:0], few))


def test_frechet_of_opposite_subspaces():
    # Variance 1 along x against variance 1 along y: nothing overlaps, so the traces add up.
    real = np.array([[1.0, 0.0], [-1.0, 0.0]]) / np.sqrt(2)
    assert frechet_distance(real, real[:, ::-1]) == pytest.approx(2.0)


def test_not_finite_embeddings_are_an_error():
    bad = np.array([[0.0, np.nan]])
    with pytest.raises(ValueError, match="NaN"):
        frechet_distance(bad, bad)
    with pytest.raises(ValueError, match="NaN"):
        r_precision(bad, bad)


def test_r_precision_by_hand():
    # One group of 4 on a line. Text 0 -> nearest 0. Text 1 -> 0, then 1. Text 2 -> 3, 1, then 2. Text 3 -> 3.
    motion = np.array([[0.0], [10.0], [40.0], [20.0]])
    text = np.array([[1.0], [4.0], [22.0], [21.0]])
    np.testing.assert_allclose(r_precision(text, motion, top_k=3, group=4), [2 / 4, 3 / 4, 4 / 4])


def test_r_precision_groups_in_order_and_drops_the_last():
    motion = np.array([[0.0], [1.0], [0.0], [1.0], [5.0]])
    text = np.array([[0.0], [1.0], [1.0], [0.0], [5.0]])  # first group right, second swapped, fifth alone
    np.testing.assert_allclose(r_precision(text, motion, top_k=2, group=2), [0.5, 1.0])
    assert np.isnan(r_precision(text, motion, group=32)).all()


def test_an_unusable_pair_is_a_miss_and_still_a_rival():
    motion = np.array([[0.0], [10.0], [20.0]])
    text = np.array([[1.0], [12.0], [19.0]])
    np.testing.assert_allclose(r_precision(text, motion, top_k=2, group=3), [1.0, 1.0])
    usable = np.array([True, False, True])
    np.testing.assert_allclose(r_precision(text, motion, top_k=2, group=3, usable=usable), [2 / 3, 2 / 3])
    # Where it takes the place of the right one, it does so as before.
    text = np.array([[9.0], [12.0], [19.0]])
    np.testing.assert_allclose(r_precision(text, motion, top_k=2, group=3, usable=usable), [1 / 3, 2 / 3])


def test_a_tie_goes_to_the_earlier_row():
    motion, text = np.zeros((3, 1)), np.zeros((3, 1))
    np.testing.assert_allclose(r_precision(text, motion, top_k=3, group=3), [1 / 3, 2 / 3, 1.0])


def test_more_ranks_than_the_group_has():
    """Two validation clips, three ranks."""
    text = motion = np.array([[0.0], [1.0]])
    np.testing.assert_allclose(r_precision(text, motion[::-1], top_k=3, group=2), [0.0, 1.0, 1.0])
    np.testing.assert_allclose(r_precision(text, motion, 3, 2, usable=np.array([True, False])), [0.5, 0.5, 0.5])


def test_collapsed_embeddings_score_chance():
    text, motion = np.random.default_rng(0).normal(size=(64, 8)), np.ones((64, 8))
    np.testing.assert_allclose(r_precision(text, motion), [1 / 32, 2 / 32, 3 / 32])


def test_matching_score_by_hand():
    assert matching_score(np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[3.0, 4.0], [1.0, 2.0]])) == 3.0


def test_diversity_of_two_points():
    # Both draws are permutations of {0, 1}: every pair is at distance 0 or 5, and both pairs alike.
    points = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert {diversity(points, 2, np.random.default_rng(seed)) for seed in range(20)} == {0.0, 5.0}
    with pytest.raises(ValueError, match="3 pairs"):
        diversity(points, 3, np.random.default_rng(0))
    assert np.isnan(diversity(points[:1], 1, np.random.default_rng(0)))


def test_diversity_estimates_the_mean_distance():
    points = np.random.default_rng(0).normal(size=(2000, 32))
    assert diversity(points, 300, np.random.default_rng(1)) == pytest.approx(np.sqrt(64), abs=0.25)
    assert [diversity_pairs(n) for n in (5, 100, 300, 301, 5000)] == [5, 100, 100, 300, 300]


def test_multimodality_looks_only_within_a_text():
    far_apart = np.array([0.0, 1000.0])[:, None, None] + np.zeros((2, 6, 1))
    assert multimodality(far_apart, 3, np.random.default_rng(0)) == 0.0
    with pytest.raises(ValueError, match="samples per text"):
        multimodality(far_apart, 7, np.random.default_rng(0))


def test_multimodality_by_hand():
    # Two samples a text: both draws are permutations, so every pair is at 0 or at the texts' own distances 5 and 1.
    samples = np.array([[[0.0, 0.0], [3.0, 4.0]], [[1.0, 1.0], [1.0, 2.0]]])
    assert {multimodality(samples, 2, np.random.default_rng(seed)) for seed in range(20)} == {0.0, 3.0}
    assert np.isnan(multimodality(samples[:, :1], 1, np.random.default_rng(0)))


def test_frechet_of_many_samples_in_a_subspace():
    rng = np.random.default_rng(2)
    basis = rng.normal(size=(3, 16))
    a, b = rng.normal(size=(200, 3)), rng.normal(0.5, 2.0, size=(200, 3))
    square = np.linalg.qr(basis.T)[0].T  # orthonormal rows: distances in the subspace are those of the 3 numbers
    assert frechet_distance(a @ square, b @ square) == pytest.approx(scipy_frechet(a, b), rel=1e-6)


# The protocol: all metrics over one set of motions.


@pytest.fixture
def points():
    return np.random.default_rng(0).normal(size=(100, 16))


def test_protocol_on_perfect_motion(points):
    found = evaluate_text_to_motion(points, points, points, np.random.default_rng(0))
    assert tuple(found) == ("R@1", "R@2", "R@3", "MM-Dist", "FID", "FID-norm", "Diversity")
    assert [found[name] for name in ("R@1", "R@2", "R@3", "MM-Dist")] == [1, 1, 1, 0]


def test_better_motion_is_better_on_every_metric(points):
    rng = np.random.default_rng(1)
    near, far = (points + scale * rng.normal(size=points.shape) for scale in (0.3, 2.0))
    good, bad = (evaluate_text_to_motion(points, m, points, np.random.default_rng(2)) for m in (near, far))
    assert good["R@1"] > bad["R@1"]
    assert good["MM-Dist"] < bad["MM-Dist"]
    assert good["FID"] < bad["FID"]


def test_fid_on_normalised_embeddings_sees_directions_only(points):
    longer = 3.0 * points
    found = evaluate_text_to_motion(points, longer, points, np.random.default_rng(0))
    assert found["FID"] > 10 and found["FID-norm"] < 0.05  # two draws of 96 of the 100
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    turned = evaluate_text_to_motion(points, -np.abs(points), points, np.random.default_rng(0))
    assert turned["FID-norm"] == pytest.approx(frechet_distance(unit, -np.abs(unit)), rel=0.1)
    assert unit_length(np.zeros((2, 3))).tolist() == np.zeros((2, 3)).tolist()


def test_pairs_stay_together_and_groups_change_with_the_generator(points):
    noisy = points + np.random.default_rng(3).normal(size=points.shape)
    first, again, other = (evaluate_text_to_motion(points, noisy, points, np.random.default_rng(s)) for s in (0, 0, 1))
    assert first == again
    assert first != other
    assert first["R@1"] > 0.3  # chance is 1 / 32: shuffling must not tear captions from their motions


def test_protocol_with_few_samples_does_not_crash(points):
    found = evaluate_text_to_motion(points[:7], points[:7], points[:40], np.random.default_rng(0))
    assert np.isnan(found["R@1"])
    assert np.isfinite([found["MM-Dist"], found["FID"], found["Diversity"]]).all()


@pytest.mark.parametrize(("samples", "used"), [(0, 0), (5, 5), (31, 31), (32, 32), (40, 32), (64, 64), (65, 64)])
def test_whole_groups_are_used_and_all_samples_where_they_are_no_group(samples, used):
    assert samples_used(samples) == used


def test_a_fid_of_fewer_motions_than_dimensions_is_named():
    assert too_few(512, 512) is None and too_few(32, 8) is None and too_few(0, 512) is None
    assert too_few(256, 512) == (
        "FID is of 256 motions in 512 dimensions: it needs more motions than dimensions to mean much"
    )
    assert too_few(5, 4).endswith("; R-precision needs 32")
