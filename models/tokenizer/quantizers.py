"""The four published quantizers choose the nearest code; they differ in how their codes learn.

All of them measure squared distances and pass the gradient straight through.

=========== ============================================================ =========================
name        how codes learn                                              dead codes
=========== ============================================================ =========================
ema_reset   exponential moving average of the latents that chose them    replaced by random latents
ema         the same                                                     stay
orig        gradient of the distance to their latents                    stay
reset       gradient                                                     replaced at every step
=========== ============================================================ =========================

State-dict keys are the published ones (``codebook`` or ``embedding.weight``) and nothing else, so that published files
load strictly. What training needs besides (averages, random state) travels in `training_state`.

With several processes (`join`) each quantizes its share of the latents; counts, sums and replacements are those of all
latents together, so that every process holds the same codebook as one process alone would.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from utils.run.processes import ALONE, Processes

# An average of less than this many latents a step makes a code dead (published).
DEAD_BELOW = 1.0


@dataclass(frozen=True)
class QuantizerOutput:
    """Result of a quantizer's forward.

    Attributes:
        latents: (B, N, C) chosen codes; the gradient passes straight through to the input.
        codes: (B, N) int64.
        commit: scalar loss that ties latents and codes to each other. In training with several processes it is the
            share of this process; the shares add up to the mean over all latents.
        counts: (nb_code,) how often each code was chosen, padding not counted; in training by all processes together.
    """

    latents: Tensor
    codes: Tensor
    commit: Tensor
    counts: Tensor

    @property
    def perplexity(self) -> Tensor:
        """Scalar, exp of the entropy of the codes in this batch."""
        return perplexity(self.counts)


def perplexity(counts: Tensor) -> Tensor:
    """(nb_code,) counts -> exp of the entropy of their distribution (published formula)."""
    shares = counts / counts.sum()
    return torch.exp(-(shares * torch.log(shares + 1e-7)).sum())


class _Quantizer(nn.Module):
    """The common part of all four quantizers.

    Args:
        mu: share of the old average that a step keeps (moving averages only).
        beta: weight of the loss that pulls codes to their latents (codes that learn by gradient only).
    """

    def __init__(self, nb_code: int, code_dim: int, mu: float = 0.99, beta: float = 1.0) -> None:
        super().__init__()
        self.nb_code = nb_code
        self.code_dim = code_dim
        self.mu = mu
        self.beta = beta
        self._generator = torch.Generator().manual_seed(0)
        self._processes = ALONE
        self._prepared = False  # whether `_prepare` has seen that there is nothing to do: each look waits for a GPU

    def table(self) -> Tensor:
        """(nb_code, code_dim) codes as vectors."""
        raise NotImplementedError

    def _prepare(self, latents: Tensor) -> None:
        """Called before a training step with its (M, C) latents."""

    def _learn(self, latents: Tensor, codes: Tensor, counts: Tensor) -> None:
        """Called after a training step with this process's (M, C) latents and (M,) codes, and all processes' counts."""

    def _commit_loss(self, latents: Tensor, chosen: Tensor) -> Tensor:
        return functional.mse_loss(latents, chosen.detach())

    @torch.no_grad()
    def nearest(self, latents: Tensor) -> Tensor:
        """(..., C) latents -> (...) int64 codes by squared Euclidean distance."""
        return self._distances(latents).argmin(1).reshape(latents.shape[:-1])

    @torch.no_grad()
    def nearest_with_margin(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """As `nearest`, with a margin (...): how much farther away the second nearest code is.

        The margin is the difference of the squared distances over the squares that they are computed from. So rounding
        errors of the latents and of the distances have a known size in it.
        """
        distances = self._distances(latents)
        best, codes = distances.min(1)
        second = distances.scatter_(1, codes.unsqueeze(1), float("inf")).amin(1)
        squares = latents.square().sum(-1).flatten() + self.table().square().sum(1).mean()
        return codes.reshape(latents.shape[:-1]), ((second - best) / squares).reshape(latents.shape[:-1])

    def _distances(self, latents: Tensor) -> Tensor:
        """(..., C) latents -> (M, nb_code) squared distances."""
        table, flat = self.table(), latents.reshape(-1, latents.shape[-1])
        return flat.square().sum(1, keepdim=True) - 2 * flat @ table.T + table.square().sum(1)

    def forward(self, latents: Tensor, valid: Tensor | None = None) -> QuantizerOutput:
        """Quantize (B, N, C) latents; `valid` (B, 1, N) of 0/1 keeps padding out of losses and averages."""
        with torch.autocast(latents.device.type, enabled=False):
            # Padding is encoded too (its codes are ignored), but only real latents count and learn.
            # Their places are looked up once: a GPU makes the host wait whenever it selects by a mask.
            places = None if valid is None else (valid[:, 0] > 0).flatten().nonzero().squeeze(1)
            real = latents.flatten(0, 1) if places is None else latents.flatten(0, 1)[places]
            if self.training:
                with torch.no_grad():
                    self._prepare(real.detach())
            codes = self.nearest(latents)
            chosen = functional.embedding(codes, self.table())
            real_codes, real_chosen = codes.flatten(), chosen.flatten(0, 1)
            if places is not None:
                real_codes, real_chosen = real_codes[places], real_chosen[places]
            counts = torch.bincount(real_codes, minlength=self.nb_code).to(latents.dtype)
            if self.training:
                self._processes.add_up(counts)
            # len(real) / counts.sum() is 1 for one process, and otherwise this one's share of all latents.
            commit = self._commit_loss(real, real_chosen) * (len(real) / counts.sum())
            if self.training:
                with torch.no_grad():
                    self._learn(real.detach(), real_codes, counts)
            passed = latents + (chosen - latents).detach()
        return QuantizerOutput(passed, codes, commit, counts)

    def training_state(self) -> dict:
        """What a resumed run needs besides the state dict, as plain values and tensors."""
        return {"generator": self._generator.get_state()}

    def load_training_state(self, state: dict) -> None:
        self._generator.set_state(state["generator"])
        self._prepared = False

    def _load_from_state_dict(self, *given: Any, **named: Any) -> None:
        super()._load_from_state_dict(*given, **named)
        self._prepared = False

    def seed(self, seed: int) -> None:
        """Make the choice of replacements for dead codes repeatable."""
        self._generator.manual_seed(seed)

    def join(self, processes: Processes) -> None:
        """Train together with the quantizers of these processes from now on; they must have the same seed."""
        self._processes = processes

    def _random_latents(self, latents: Tensor) -> Tensor:
        """(nb_code, C) random rows of all processes' (M, C) latents.

        Every row comes once before any comes again. Repeated rows get a little noise: dead codes that are given the
        same latent stay copies of each other for good (measured: a tenth of the codebook, where batches are small).
        """
        first, total = self._processes.row_numbers(len(latents))
        repeats = -(-self.nb_code // total)
        order = torch.cat([torch.randperm(total, generator=self._generator) for _ in range(repeats)])[: self.nb_code]
        chosen = self._processes.take_rows(latents, first, order)
        if repeats > 1:
            noise = torch.randn((self.nb_code, self.code_dim), generator=self._generator) * 0.01 / self.code_dim**0.5
            noise[:total] = 0
            chosen = chosen + noise.to(chosen)
        return chosen

    def _replacements(self, dead: Tensor, latents: Tensor) -> Tensor:
        """(nb_code, C) vectors; those in the rows of `dead` codes (nb_code,) are different random latents."""
        return self._random_latents(latents)[(torch.cumsum(dead, 0) - 1).clamp(min=0)]


class EmaQuantizer(_Quantizer):
    """Codes are moving averages of the latents that chose them; the first batch initialises them."""

    replaces_dead = False

    def __init__(self, nb_code: int, code_dim: int, mu: float = 0.99, beta: float = 1.0) -> None:
        super().__init__(nb_code, code_dim, mu, beta)
        self.register_buffer("codebook", torch.zeros(nb_code, code_dim))
        self.register_buffer("code_sum", torch.zeros(nb_code, code_dim), persistent=False)
        self.register_buffer("code_count", torch.zeros(nb_code), persistent=False)

    def table(self) -> Tensor:
        return self.codebook

    def _prepare(self, latents: Tensor) -> None:
        if self._prepared:
            return
        self._prepared = True
        if self.code_count.any():
            return
        if not self.codebook.any():  # a loaded codebook without averages goes on from where it is
            self.codebook.copy_(self._random_latents(latents))
        self.code_sum.copy_(self.codebook)
        self.code_count.fill_(1.0)

    def _learn(self, latents: Tensor, codes: Tensor, counts: Tensor) -> None:
        sums = torch.zeros_like(self.code_sum).index_add_(0, codes, latents)
        self._processes.add_up(sums)
        self.code_sum.lerp_(sums, 1 - self.mu)
        self.code_count.lerp_(counts, 1 - self.mu)
        dead = self.code_count < DEAD_BELOW
        if self.replaces_dead:
            # The averages start anew too. The published code keeps them, so that a code comes back to life as the mean
            # of all the places it was put to: measured on real motion, that halves the codes in use early in training.
            self.code_sum.copy_(torch.where(dead.unsqueeze(1), self._replacements(dead, latents), self.code_sum))
            self.code_count.masked_fill_(dead, 1.0)
            dead = torch.zeros_like(dead)
        average = self.code_sum / self.code_count.clamp(min=1e-9).unsqueeze(1)
        self.codebook.copy_(torch.where(dead.unsqueeze(1), self.codebook, average))

    def training_state(self) -> dict:
        return {**super().training_state(), "code_sum": self.code_sum.clone(), "code_count": self.code_count.clone()}

    def load_training_state(self, state: dict) -> None:
        super().load_training_state(state)
        self.code_sum.copy_(state["code_sum"])
        self.code_count.copy_(state["code_count"])


class EmaResetQuantizer(EmaQuantizer):
    """As `EmaQuantizer`, but a code that too few latents choose is replaced by a random latent of the batch."""

    replaces_dead = True


def _two_sided_loss(latents: Tensor, chosen: Tensor, beta: float) -> Tensor:
    """Latents are drawn to their codes, and with weight `beta` the codes to their latents."""
    return functional.mse_loss(latents, chosen.detach()) + beta * functional.mse_loss(chosen, latents.detach())


class GradientQuantizer(_Quantizer):
    """The original VQ-VAE: codes are parameters pulled to their latents (van den Oord et al., 2017)."""

    def __init__(self, nb_code: int, code_dim: int, mu: float = 0.99, beta: float = 1.0) -> None:
        super().__init__(nb_code, code_dim, mu, beta)
        self.embedding = nn.Embedding(nb_code, code_dim)
        nn.init.uniform_(self.embedding.weight, -1.0 / nb_code, 1.0 / nb_code)

    def table(self) -> Tensor:
        return self.embedding.weight

    def _commit_loss(self, latents: Tensor, chosen: Tensor) -> Tensor:
        return _two_sided_loss(latents, chosen, self.beta)


class ResetQuantizer(_Quantizer):
    """Codes are parameters; every code that the batch did not choose becomes a random latent of the batch."""

    def __init__(self, nb_code: int, code_dim: int, mu: float = 0.99, beta: float = 1.0) -> None:
        super().__init__(nb_code, code_dim, mu, beta)
        self.codebook = nn.Parameter(torch.zeros(nb_code, code_dim))

    def table(self) -> Tensor:
        return self.codebook

    def _prepare(self, latents: Tensor) -> None:
        if not self._prepared and not self.codebook.any():
            self.codebook.copy_(self._random_latents(latents))
        self._prepared = True

    def _learn(self, latents: Tensor, codes: Tensor, counts: Tensor) -> None:
        dead = counts < DEAD_BELOW
        fresh = self._replacements(dead, latents)
        self.codebook.copy_(torch.where(dead.unsqueeze(1), fresh, self.codebook))

    def _commit_loss(self, latents: Tensor, chosen: Tensor) -> Tensor:
        return _two_sided_loss(latents, chosen, self.beta)


QUANTIZERS = {
    "ema_reset": EmaResetQuantizer,
    "ema": EmaQuantizer,
    "orig": GradientQuantizer,
    "reset": ResetQuantizer,
}
