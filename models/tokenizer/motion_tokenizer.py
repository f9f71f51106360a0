"""A motion tokenizer turns motion features into codes and back.

One object, and one file, holds the network with everything that its numbers depend on.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.tokenizer.network import MotionVQ, NetworkConfig
from models.tokenizer.published import check_network, infer_config
from utils.errors import InputError
from utils.files.torch_files import from_values, read_torch_file, shown, what_it_holds, write_torch_file
from utils.motion.skeleton import Skeleton, get_skeleton
from utils.run.devices import full_float32

FORMAT = "motion-tokenizer"
VERSION = 1
# Padded frames that go through the network at once. This bounds memory (0.5 GB for a width of 512 in float32), and
# larger batches are no faster.
_FRAMES_PER_BATCH = 8192
# A choice of a code with a smaller margin is made on the clip alone, not in a batch. Latents of a clip alone and in a
# batch differ by 3e-5 at most (measured, for latents of rms 3.5 in 128 dimensions), which moves margins by some 1e-6.
_UNCLEAR = 4e-6


class MotionTokenizer:
    """Encodes (T, D) denormalised features as (T // unit_length,) codes and decodes them.

    A code stands for `config.unit_length` frames (4 as published); the frames of an incomplete last unit are not
    encoded. A clip gives the same codes alone and in a batch of clips of other lengths.

    Args:
        network: in any mode; the tokenizer switches it to evaluation.
        mean, std: (D,) statistics that normalise the features the network was trained on.
        skeleton: of these features.
    """

    def __init__(self, network: MotionVQ, mean: np.ndarray, std: np.ndarray, skeleton: Skeleton) -> None:
        mean, std = np.asarray(mean, dtype=np.float32), np.asarray(std, dtype=np.float32)
        dim = skeleton.feature_dim
        if network.config.feature_dim != dim:
            raise InputError(
                f"the tokenizer's network takes {network.config.feature_dim}-d features, "
                f"but the skeleton {skeleton.name!r} has {dim}-d ones"
            )
        if mean.shape != (dim,) or std.shape != (dim,):
            raise InputError(f"mean and std must be ({dim},) for {skeleton.name!r}, got {mean.shape} and {std.shape}")
        if not np.isfinite(mean).all() or not (np.isfinite(std) & (std > 0)).all():
            raise InputError("the tokenizer's mean must be finite and its std positive")
        self.network = network.eval()
        self.mean = mean
        self.std = std
        self.skeleton = skeleton

    @property
    def config(self) -> NetworkConfig:
        return self.network.config

    @property
    def nb_code(self) -> int:
        return self.config.nb_code

    @property
    def codebook(self) -> torch.Tensor:
        """(nb_code, code_dim) codes as vectors."""
        return self.network.vqvae["quantizer"].table().detach()

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of config, statistics and weights: they tell which tokenizer made codes."""
        digest = hashlib.sha256(repr((self.skeleton.name, sorted(asdict(self.config).items()))).encode())
        digest.update(self.mean.tobytes() + self.std.tobytes())
        for name, value in sorted(self.network.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:12]

    def to(self, device: str | torch.device) -> "MotionTokenizer":
        """Move the network to a device. Arguments and results of all methods stay numpy arrays."""
        self.network.to(device)
        return self

    def encode(self, features: np.ndarray) -> np.ndarray:
        """(T, D) denormalised features -> (T // unit_length,) int64 codes."""
        return self.encode_batch([features])[0]

    def decode(self, codes: np.ndarray | Sequence[int]) -> np.ndarray:
        """(N,) codes -> (N * unit_length, D) float32 denormalised features."""
        return self.decode_batch([codes])[0]

    def encode_batch(self, clips: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Encode clips of any lengths and order. Raises InputError for a wrong width, NaN, or less than one unit."""
        unit = self.config.unit_length
        prepared = [self._whole_units(index, clip) for index, clip in enumerate(clips)]
        mean, std = self._statistics()

        def run(chosen: list[int], batch: Tensor, lengths: Tensor | None) -> Tensor:
            if not torch.isfinite(batch.sum()):  # a sum takes a fifth of the time of a check of every value
                bad = [index for index in chosen if not np.isfinite(prepared[index]).all()]
                if bad:
                    raise InputError(f"motion {bad[0]}: features hold values that are not finite (NaN)")
            return self._encode_padded(batch.sub_(mean).div_(std), lengths)

        return self._in_batches(prepared, np.dtype(np.float32), run, _FRAMES_PER_BATCH, 1 / unit)

    def decode_batch(self, clips: Sequence[np.ndarray | Sequence[int]]) -> list[np.ndarray]:
        """Decode code sequences of any lengths and order. Raises InputError for codes outside [0, nb_code) or none."""
        unit = self.config.unit_length
        prepared = [self._checked_codes(index, codes) for index, codes in enumerate(clips)]
        mean, std = self._statistics()

        def run(chosen: list[int], batch: Tensor, lengths: Tensor | None) -> Tensor:
            return self.network.decode(batch, lengths) * std + mean

        return self._in_batches(prepared, np.dtype(np.int64), run, _FRAMES_PER_BATCH // unit, unit)

    def _encode_padded(self, batch: Tensor, lengths: Tensor | None) -> Tensor:
        """(B, T, D) normalised -> (B, T / unit_length) codes, the same that each clip gets alone.

        Convolutions of another shape round differently, which can change the choice between two equally near codes. So
        clips with such a choice are encoded alone.
        """
        if len(batch) == 1:
            return self.network.encode(batch, lengths)
        unit = self.config.unit_length
        codes, margins = self.network.encode_with_margin(batch, lengths)
        ends = torch.full((len(batch),), batch.shape[1], device=batch.device) if lengths is None else lengths
        real = torch.arange(codes.shape[1], device=codes.device)[None] < (ends // unit)[:, None]
        unclear = ((margins < _UNCLEAR) & real).any(1)
        for row, end in enumerate((ends * unclear).tolist()):
            if end:
                codes[row, : end // unit] = self.network.encode(batch[row : row + 1, :end])[0]
        return codes

    def _statistics(self) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(self.mean).to(self.device), torch.from_numpy(self.std).to(self.device)

    def _whole_units(self, index: int, clip: np.ndarray) -> np.ndarray:
        clip, unit = np.asarray(clip), self.config.unit_length
        if clip.ndim != 2 or clip.shape[1] != self.config.feature_dim or len(clip) < unit:
            raise InputError(
                f"motion {index}: features must be (T, {self.config.feature_dim}) with T >= {unit}, got {clip.shape}"
            )
        return clip[: len(clip) // unit * unit]

    def _checked_codes(self, index: int, codes: np.ndarray | Sequence[int]) -> np.ndarray:
        codes = np.asarray(codes)
        if codes.ndim != 1 or len(codes) == 0 or not np.issubdtype(codes.dtype, np.integer):
            raise InputError(f"motion {index}: codes must be a non-empty list of integers, got shape {codes.shape}")
        if codes.min() < 0 or codes.max() >= self.nb_code:
            raise InputError(
                f"motion {index}: codes must lie in [0, {self.nb_code}), got {codes.min()} to {codes.max()}"
            )
        return codes

    # TF32 rounds a thousand times as coarsely as the margin of `_UNCLEAR` allows for.
    @full_float32()
    @torch.no_grad()
    def _in_batches(
        self,
        clips: list[np.ndarray],
        dtype: np.dtype,
        run: Callable[[list[int], Tensor, Tensor | None], Tensor],
        budget: int,
        rate: float,
    ) -> list[np.ndarray]:
        """Run clips of similar length together, at most `budget` padded rows at once; results in the given order.

        Args:
            run: gets the clips' indices, the padded batch of `dtype` and (B,) lengths (None: all equal).
            budget: padded rows of one batch.
            rate: rows of the result for each row of a clip.
        """
        # The longest clips go first.
        results: list[np.ndarray | None] = [None] * len(clips)
        waiting = sorted(range(len(clips)), key=lambda index: len(clips[index]))
        while waiting:
            longest = len(clips[waiting[-1]])
            count = max(1, budget // longest)
            alike = bisect_left(waiting, longest, key=lambda index: len(clips[index]))
            if len(waiting) - alike >= count / 2:  # clips of one length need no padding and no mask
                count = min(count, len(waiting) - alike)
            chosen, waiting = waiting[-count:], waiting[:-count]
            batch = np.empty((len(chosen), longest, *clips[chosen[0]].shape[1:]), dtype=dtype)
            for row, index in zip(batch, chosen, strict=True):
                length = len(clips[index])
                row[:length] = clips[index]
                row[length:] = 0
            lengths = [len(clips[index]) for index in chosen]
            padded = None if lengths[0] == longest else torch.tensor(lengths, device=self.device)
            output = run(chosen, torch.from_numpy(batch).to(self.device), padded).cpu().numpy()
            for row, index, length in zip(output, chosen, lengths, strict=True):
                results[index] = row[: round(length * rate)].copy()
        return results

    def state(self) -> dict:
        """The tokenizer as plain values and CPU tensors, which `torch.load(weights_only=True)` reads."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "config": asdict(self.config),
            "skeleton": self.skeleton.name,
            "mean": torch.from_numpy(self.mean.copy()),
            "std": torch.from_numpy(self.std.copy()),
            "network": {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()},
        }

    @classmethod
    def from_state(cls, state: dict) -> "MotionTokenizer":
        """The tokenizer of a `state`. Raises InputError for anything else."""
        if not isinstance(state, dict) or state.get("format") != FORMAT:
            found = what_it_holds(state) if isinstance(state, dict) else f"it is {shown(state)}"
            raise InputError(
                f"this is not a motion tokenizer of ours: {found} (train one, or import a published vqvae.pth)"
            )
        if state.get("version") != VERSION:
            raise InputError(
                f"motion tokenizer of format version {shown(state.get('version'))}, this code reads {VERSION}"
            )
        missing = [name for name in ("config", "network", "mean", "std", "skeleton") if name not in state]
        if missing:
            raise InputError(f"damaged motion tokenizer: it has no {', '.join(missing)}")
        config = from_values(NetworkConfig, state["config"], "damaged motion tokenizer: its config")
        check_network(state["network"], config)
        statistics = [state["mean"], state["std"]]
        for value in statistics:
            if not isinstance(value, Tensor) or value.layout != torch.strided or not value.is_floating_point():
                raise InputError(f"damaged motion tokenizer: mean and std hold {shown(value)}, expected numbers")
        network = MotionVQ(config)
        network.load_state_dict(state["network"])
        mean, std = (value.float().numpy() for value in statistics)
        return cls(network, mean, std, get_skeleton(str(state["skeleton"])))

    def save(self, path: str | Path) -> None:
        """Write the tokenizer into one .pth, atomically."""
        write_torch_file(path, self.state())

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> "MotionTokenizer":
        """Read a file of `save`. Raises InputError for a missing file or one of another kind."""
        state = read_torch_file(path)
        try:
            return cls.from_state(state).to(device)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    @classmethod
    def from_published(
        cls,
        path_or_state: str | Path | dict,
        mean: np.ndarray,
        std: np.ndarray,
        skeleton: Skeleton,
        nb_code: int | None = None,
    ) -> "MotionTokenizer":
        """Import a published checkpoint (key ``net``, as in T2M-GPT's and this project's `vqvae.pth`), strictly.

        Args:
            path_or_state: the file, its content, or the state dict itself (keys start with ``vqvae.``).
            mean, std: (D,) statistics the checkpoint was trained with.
            skeleton: must have the checkpoint's feature width.
            nb_code: where given, a checkpoint of another codebook size is an InputError.
        """
        state = path_or_state if isinstance(path_or_state, dict) else read_torch_file(path_or_state)
        state = state.get("net", state)
        config = infer_config(state)
        if nb_code is not None and config.nb_code != nb_code:
            raise InputError(f"the published tokenizer has {config.nb_code} codes, but --nb-code is {nb_code}")
        network = MotionVQ(config)
        network.load_state_dict(state)
        return cls(network, mean, std, skeleton)
