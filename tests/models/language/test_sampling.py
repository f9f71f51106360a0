"""Noise that is a function: distributed as Gumbel, independent along every axis, and an exact draw with it."""

import math

import numpy as np
import pytest
import torch

from models.language import sampling as seeded_sampling
from models.language.sampling import SeededSampling, gumbel_noise, row_states

MASK = (1 << 64) - 1


def splitmix64(state: int, counter: int) -> int:
    """The reference in integers of any size: https://prng.di.unimi.it/splitmix64.c, output number `counter`."""
    z = (state + (counter + 1) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def test_the_reference_is_splitmix64():
    assert [splitmix64(1234567, n) for n in range(3)] == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize("seed", [0, 7, -1, 2**63 + 5, 2**70 + 7])
def test_int64_wraps_around_like_the_reference(seed):
    keys, step, tokens = [0, 3, -5, 2**40], 11, [0, 1, 999, 151_000]
    states = row_states(seed, keys)
    noise = gumbel_noise(states, step, torch.tensor(tokens))
    for row, key in enumerate(keys):
        state = splitmix64(splitmix64(seed & MASK, 0), key)
        assert states[row].item() & MASK == state
        for column, token in enumerate(tokens):
            complement = ((splitmix64(splitmix64(state, step), token) >> 11) + 0.5) / 2**53
            assert noise[row, column].item() == pytest.approx(-math.log(-math.log1p(-complement)), abs=1e-5)


@pytest.fixture(scope="module")
def noise():
    """(rows, steps, tokens) = (40, 50, 500): a million values, of consecutive keys."""
    states, tokens = row_states(3, range(40)), torch.arange(500)
    return torch.stack([gumbel_noise(states, step, tokens) for step in range(50)], dim=1).double()


def test_moments_are_those_of_gumbel(noise):
    count = noise.numel()
    sd = math.pi / math.sqrt(6)
    assert noise.mean().item() == pytest.approx(np.euler_gamma, abs=4 * sd / math.sqrt(count))
    # The variance of a sample variance is (kurtosis - 1) / n * sd^4; Gumbel's kurtosis is 5.4.
    assert noise.var().item() == pytest.approx(sd**2, abs=4 * math.sqrt(4.4 / count) * sd**2)
    # And the tails that decide draws: P(noise > x) = 1 - exp(-exp(-x)).
    for x in (-1.5, 0.0, 3.0, 8.0):
        share = 1 - math.exp(-math.exp(-x))
        wanted = pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / count))
        assert (noise > x).double().mean().item() == wanted


@pytest.mark.parametrize("axis", [0, 1, 2], ids=["rows", "steps", "tokens"])
@pytest.mark.parametrize("lag", [1, 2, 16])
def test_neighbours_are_uncorrelated(noise, axis, lag):
    length = noise.shape[axis] - lag
    first, second = noise.narrow(axis, 0, length).flatten(), noise.narrow(axis, lag, length).flatten()
    correlation = torch.corrcoef(torch.stack([first, second]))[0, 1].item()
    assert abs(correlation) < 4 / math.sqrt(len(first))


def test_no_row_step_or_token_stands_out(noise):
    """Means along one axis scatter as those of independent values: chi-squared over all of them within 5 sigma."""
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        means, count = noise.mean(dim=others), noise.numel() / noise.shape[axis]
        chi2 = ((means - np.euler_gamma) ** 2 * count / (math.pi**2 / 6)).sum().item()
        assert abs(chi2 - len(means)) < 5 * math.sqrt(2 * len(means))


def test_neighbouring_seeds_are_uncorrelated():
    tokens, keys = torch.arange(1000), range(100)
    a, b = (gumbel_noise(row_states(seed, keys), 0, tokens).flatten() for seed in (0, 1))
    assert abs(torch.corrcoef(torch.stack([a, b]))[0, 1].item()) < 4 / math.sqrt(len(a))


def test_extreme_hashes_give_finite_noise(monkeypatch):
    extremes = torch.tensor([[0, 1 << 11, -1, (1 << 63) - 1, -(1 << 63)]])
    monkeypatch.setattr(seeded_sampling, "_hashed", lambda state, counter: extremes.clone())
    noise = gumbel_noise(torch.zeros(1, 1, dtype=torch.int64), 0, torch.arange(5))[0]
    assert noise.isfinite().all()
    assert noise[0] == noise.max() and noise[0] > 36 and noise[2] == noise.min()  # smallest and largest 53 bits


LOGITS = torch.tensor([1.0, 0.2, -0.5, 2.0, -1.0])


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 1.0), (1.5, 0.8)])
def test_frequencies_are_the_filtered_softmax(temperature, top_p):
    count = 20_000
    draw = SeededSampling(temperature, top_p, seed=5, keys=range(count), prompt_length=3)
    chosen = draw(torch.zeros(count, 3, dtype=torch.long), LOGITS.expand(count, -1)).argmax(dim=-1)
    wanted = torch.softmax(LOGITS.double() / temperature, dim=0)
    if top_p < 1:  # the smallest set of likeliest tokens that holds top_p
        likeliest = wanted.argsort(descending=True)
        kept = likeliest[: int((wanted[likeliest].cumsum(0) < top_p).sum()) + 1]
        assert 1 < len(kept) < len(LOGITS)
        nucleus = torch.zeros_like(wanted)
        nucleus[kept] = wanted[kept] / wanted[kept].sum()
        wanted = nucleus
    frequencies = torch.bincount(chosen, minlength=5) / count
    assert ((frequencies - wanted).abs() <= 3 * (wanted * (1 - wanted) / count).sqrt()).all()


def test_a_row_draws_the_same_wherever_it_stands(monkeypatch):
    logits = torch.randn(6, 300, generator=torch.Generator().manual_seed(0))
    together = SeededSampling(0.9, 0.95, 1, range(6), 8)(torch.zeros(6, 10, dtype=torch.long), logits)
    monkeypatch.setitem(seeded_sampling._ELEMENTS_AT_ONCE, "cpu", 70)  # in chunks, the last one incomplete
    for row in range(6):  # alone, after a shorter prompt, at the same step
        alone = SeededSampling(0.9, 0.95, 1, [row], 4)(torch.zeros(1, 6, dtype=torch.long), logits[row : row + 1])
        assert torch.equal(alone[0], together[row])


def test_it_leaves_the_logits_and_the_generator_alone():
    logits, state = torch.randn(2, 10), torch.get_rng_state()
    before = logits.clone()
    SeededSampling(1.0, 1.0, 0, [0, 1], 1)(torch.zeros(2, 1, dtype=torch.long), logits)
    assert torch.equal(logits, before) and torch.equal(torch.get_rng_state(), state)
