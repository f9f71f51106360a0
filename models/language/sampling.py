"""Sampling without a generator: which token a row draws is a function of seed, row key and step, of nothing else.

The Gumbel-max trick: the argmax of logits plus independent Gumbel noise is an exact draw from their softmax
(Gumbel 1954; Maddison et al. 2014, "A* sampling"). The noise of a token is a hash of (seed, key, step, token), so a
row draws the same tokens alone, in any batch, at any place in the batch, and after an interruption.

The hash is splitmix64 (Steele et al. 2014, "Fast splittable pseudorandom number generators"), three levels deep: the
seed's stream gives every row a state, a row's stream gives every step a state, a step's stream runs over the tokens.
torch's int64 wraps around like the uint64 of the paper; only the right shift must be made logical.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import LogitsProcessor, TemperatureLogitsWarper, TopPLogitsWarper


def _signed(value: int) -> int:
    """The int64 with the same low 64 bits."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


_GOLDEN = _signed(0x9E3779B97F4A7C15)
_FACTORS = ((30, _signed(0xBF58476D1CE4E5B9)), (27, _signed(0x94D049BB133111EB)))
# Noise is made for so many tokens at once: a large vocabulary times a large batch would otherwise hold several
# int64 tables of its size (150k x 128: 155 MB each). On a CPU they stay near its caches; a GPU has the memory, and
# every block costs it some twenty launches. The draws are the same.
_ELEMENTS_AT_ONCE = {"cpu": 1 << 20, "cuda": 1 << 24}


def row_states(seed: int, keys: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
    """(B, 1) int64 states of the rows with `keys`; equal keys share their noise. Any integers, negative ones too."""
    root = torch.tensor(_signed(seed), device=device)
    return _hashed(_hashed(root, torch.zeros_like(root)), torch.tensor([[_signed(key)] for key in keys], device=device))


def gumbel_noise(states: Tensor, step: int, tokens: Tensor) -> Tensor:
    """Gumbel noise, mean 0.5772, variance pi^2 / 6.

    Args:
        states: (B, 1) int64 of `row_states`.
        step: number of tokens drawn before.
        tokens: (V,) int64 token ids.

    Returns:
        (B, V) float32, finite.
    """
    bits = _hashed(_hashed(states, torch.full_like(states, step)), tokens)
    bits.bitwise_right_shift_(11).bitwise_and_((1 << 53) - 1)
    # 1 - u rather than u: the largest noise decides, and float32 is finest near 0. So the tail, where a rare token
    # wins against a large vocabulary, keeps its resolution. Below 1, since rounding would reach it.
    complement = bits.to(torch.float32).add_(0.5).mul_(2.0**-53).clamp_(max=1 - 2.0**-24)
    return complement.neg_().log1p_().neg_().log_().neg_()


def _hashed(state: Tensor, counter: Tensor) -> Tensor:
    """Output number `counter` of the splitmix64 generator in `state`; int64 tensors that broadcast."""
    bits = state + (counter + 1) * _GOLDEN
    for shift, factor in _FACTORS:
        bits.bitwise_xor_(_shifted(bits, shift)).mul_(factor)
    return bits.bitwise_xor_(_shifted(bits, 31))


def _shifted(bits: Tensor, shift: int) -> Tensor:
    """Logical right shift: torch's shift of an int64 draws the sign in."""
    return bits.bitwise_right_shift(shift).bitwise_and_((1 << (64 - shift)) - 1)


class SeededSampling(LogitsProcessor):
    """Makes the argmax of the scores a draw.

    Args:
        temperature: above 0.
        top_p: nucleus; 1 = the whole distribution.
        seed: other seed, other draws.
        keys: one integer per row of the batch.
        prompt_length: columns of the (padded) prompt, so that the first new token is step 0 in every batch.
        device: where the logits are.
        tells: note the log-probabilities of what is drawn, for `told`.
    """

    def __init__(
        self,
        temperature: float,
        top_p: float,
        seed: int,
        keys: Sequence[int],
        prompt_length: int,
        device: torch.device | str = "cpu",
        tells: bool = False,
    ) -> None:
        self._temperature = TemperatureLogitsWarper(float(temperature))
        self._nucleus = TopPLogitsWarper(top_p) if top_p < 1 else None
        self._states = row_states(seed, keys, device)
        self._prompt_length = prompt_length
        self._tells, self._count, self._rows = tells, len(keys), torch.arange(len(keys), device=device)
        self._told: list[Tensor] = []  # of each step (B,), not a number for rows that have left

    def keep(self, rows: Tensor) -> None:
        """From now on the batch has only its `rows` (M,), in this order."""
        self._states, self._rows = self._states[rows], self._rows[rows]

    def told(self) -> list[list[float]]:
        """Of each row the log-probabilities of its draws, under temperature and nucleus and what came before them."""
        return torch.stack(self._told, dim=1).tolist()

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """(B, L) ids so far and (B, V) float logits -> (B, V) scores whose argmax is the draw."""
        scores = self._temperature(input_ids, scores)  # a copy, so what follows may write into it
        if self._nucleus is not None:
            scores = self._nucleus(input_ids, scores)
        before = scores.clone() if self._tells else None
        step, (rows, size) = input_ids.shape[1] - self._prompt_length, scores.shape
        width = max(1, _ELEMENTS_AT_ONCE[scores.device.type] // rows)
        for start in range(0, size, width):
            tokens = torch.arange(start, min(start + width, size), device=scores.device)
            scores[:, start : start + width] += gumbel_noise(self._states, step, tokens)
        if before is not None:
            self._note(before, scores.argmax(dim=-1))
        return scores

    def _note(self, scores: Tensor, drawn: Tensor) -> None:
        """(B, V) scores without noise and (B,) drawn ids -> one column of `told`."""
        column = scores.new_full((self._count,), torch.nan)
        column[self._rows] = scores.gather(1, drawn[:, None])[:, 0] - scores.logsumexp(dim=1)
        self._told.append(column)
