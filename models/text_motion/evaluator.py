"""The text-motion evaluator embeds captions and motions in one space, where Euclidean distance compares them.

It judges generated motion (R-precision, MM-Dist, FID, Diversity) and rewards it (consistency). The published
weights load with `from_published`; evaluators of `prepare.train_evaluator`, of either family, and the published one as
the hub holds it, load with `load`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dataset.captions.word_vectors import POS_CLASSES, WordVectorizer
from dataset.humanml.pairs import FRAMES_PER_UNIT, MAX_FRAMES, fit_length, pad_motions
from models.text_motion.families import GUO, Family, State, family_named
from models.text_motion.file_names import ABOUT_FILE
from models.text_motion.hub import is_hub_folder, read_hub_evaluator
from models.text_motion.networks import FOOT_CONTACT_DIMS, build_networks
from models.text_motion.published import find_weights
from models.text_motion.sizes import EvaluatorSizes
from utils.asset_hints import how_to_get
from utils.errors import InputError
from utils.files.arrays import read_npy, write_npy
from utils.files.fingerprints import fingerprint
from utils.files.json_files import read_json, write_json
from utils.files.torch_files import check_weights, read_torch_file, write_torch_file
from utils.motion.skeleton import Skeleton, get_skeleton

__all__ = ["MAX_FRAMES", "EvaluatorSizes", "TextMotionEvaluator", "build_networks"]

FORMAT_VERSION = 1
_WEIGHTS_FILE = "finest.tar"


class TextMotionEvaluator:
    """The networks of a family with the mean and std of their training data, their skeleton and their word vectors.

    The networks are always in evaluation mode and without gradients.

    Args:
        networks: what `family.build` gives.
        mean, std: (D,) statistics that features are normalised with; the evaluator's own, not the tokenizer's.
        skeleton: of the features that the evaluator reads.
        words: word vectors; only `embed_captions` needs them.
        family: the kind of networks.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        mean: np.ndarray,
        std: np.ndarray,
        skeleton: Skeleton,
        words: WordVectorizer | None = None,
        family: Family = GUO,
    ) -> None:
        if mean.shape != (skeleton.feature_dim,) or std.shape != (skeleton.feature_dim,):
            raise InputError(
                f"mean {mean.shape} and std {std.shape} do not fit {skeleton.name}: expected ({skeleton.feature_dim},)"
            )
        if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()):
            raise InputError("the evaluator's mean must be finite and its std positive")
        self.family = family
        self.networks = nn.ModuleDict({name: networks[name] for name in family.networks}).eval().requires_grad_(False)
        self.mean, self.std = mean.astype(np.float32), std.astype(np.float32)
        self.skeleton, self.words = skeleton, words
        self.device = torch.device("cpu")
        self.feature_dim, self.sizes = family.sizes_of_state(self.state())
        if self.feature_dim != skeleton.feature_dim:
            raise InputError(
                f"these weights read {self.feature_dim} features, but {skeleton.name} has {skeleton.feature_dim}"
            )
        if words is not None and words.dim != self.sizes.word_size:
            raise InputError(f"word vectors of size {words.dim}, but the evaluator reads {self.sizes.word_size}")
        pos_size = getattr(self.sizes, "pos_size", len(POS_CLASSES))
        if words is not None and pos_size != len(POS_CLASSES):
            raise InputError(f"the evaluator reads {pos_size} word classes, captions have {len(POS_CLASSES)}")

    @classmethod
    def from_state(
        cls,
        path_or_state: str | Path | State,
        mean: np.ndarray,
        std: np.ndarray,
        skeleton: Skeleton,
        words: WordVectorizer | None = None,
        family: Family = GUO,
    ) -> "TextMotionEvaluator":
        """An evaluator of `finest.tar` or its content; the family's networks must fit strictly, others are ignored."""
        path = None if isinstance(path_or_state, Mapping) else path_or_state
        state = read_torch_file(path) if path is not None else path_or_state
        where = "evaluator state" if path is None else str(path)
        try:
            feature_dim, sizes = family.sizes_of_state(state)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        with torch.device("meta"):  # which takes no memory: shapes can be wrong, and large
            expected = {name: network.state_dict() for name, network in family.build(feature_dim, sizes).items()}
        for name, tensors in expected.items():
            try:
                check_weights(state[name], tensors)
            except InputError as error:
                raise InputError(f"{where}: not the weights of a text-motion evaluator: {name}: {error}") from None
        networks = family.build(feature_dim, sizes)
        for name, network in networks.items():
            network.load_state_dict(state[name], strict=True)
        return cls(networks, mean, std, skeleton, words, family)

    @classmethod
    def from_published(
        cls,
        path_or_state: str | Path | State,
        mean: np.ndarray,
        std: np.ndarray,
        skeleton: Skeleton,
        words: WordVectorizer | None = None,
    ) -> "TextMotionEvaluator":
        """An evaluator of the published family."""
        return cls.from_state(path_or_state, mean, std, skeleton, words)

    def to(self, device: str | torch.device) -> "TextMotionEvaluator":
        self.device = torch.device(device)
        self.networks.to(self.device)
        return self

    def state(self) -> dict[str, dict[str, torch.Tensor]]:
        """The state dicts by network, in the form of `finest.tar`."""
        return {name: self.networks[name].state_dict() for name in self.family.networks}

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of weights, statistics and word vectors: they tell which evaluator gave a number.

        Those of family `tmr` begin with its name, so that every signature says so.
        """
        parts: list[str | np.ndarray] = [self.mean, self.std]
        for name, tensors in self.state().items():
            for key in sorted(tensors):
                parts += [f"{name}.{key}", tensors[key].cpu().numpy()]
        if self.words is not None:
            parts += ["\n".join(self.words.words), self.words.vectors]
        return self.family.mark + fingerprint(*parts)

    @torch.no_grad()
    def embed_text(self, words: torch.Tensor, pos_one_hot: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """words (B, W, word_size), pos_one_hot (B, W, 15), lengths (B,) in words with sos/eos, any order -> (B, E)."""
        words, pos_one_hot = words.to(self.device).float(), pos_one_hot.to(self.device).float()
        return self.family.embed_text(self.networks, words, pos_one_hot, torch.as_tensor(lengths))

    @torch.no_grad()
    def embed_motion(self, normalized: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """normalized (B, T, D) zero-padded, lengths (B,) in FRAMES, any order -> (B, E).

        The foot contacts are dropped here and nowhere else: they follow from the joints, and what others predict may
        have none.
        """
        seen = normalized.to(self.device).float()[..., :-FOOT_CONTACT_DIMS]
        return self.family.embed_motion(self.networks, seen, torch.as_tensor(lengths))

    def embed_captions(self, captions: Sequence[Sequence[str]], batch_size: int = 256) -> torch.Tensor:
        """N captions as `word/POS` tokens -> (N, E), in the given order."""
        if self.words is None:
            raise InputError("this evaluator was loaded without word vectors, so it cannot read captions")
        rows = []
        for start in range(0, len(captions), batch_size):
            encoded = [self.words.encode(tokens) for tokens in captions[start : start + batch_size]]
            words, classes, lengths = zip(*encoded, strict=True)
            rows.append(
                self.embed_text(
                    torch.from_numpy(np.stack(words)), torch.from_numpy(np.stack(classes)), torch.tensor(lengths)
                )
            )
        return torch.cat(rows) if rows else torch.zeros(0, self.sizes.embedding_size)

    def embed_features(self, motions: Sequence[np.ndarray], batch_size: int = 64) -> torch.Tensor:
        """N motions (T, D) of denormalised features -> (N, E), in the given order.

        Motions are cut to whole movement units and `MAX_FRAMES`. A motion of fewer than 4 frames is a ValueError: it
        has no embedding, and the caller must decide what it is worth.
        """
        lengths = np.array([fit_length(len(motion)) for motion in motions], dtype=np.int64)
        if len(lengths) and lengths.min() == 0:
            raise ValueError(
                f"motion {int(lengths.argmin())} has fewer than {FRAMES_PER_UNIT} frames: nothing to embed"
            )
        result = torch.zeros(len(motions), self.sizes.embedding_size, device=self.device)
        order = np.argsort(-lengths, kind="stable")  # alike lengths together: less padding
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            batch, frames = pad_motions([motions[index] for index in chosen], self.mean, self.std)
            result[torch.from_numpy(chosen)] = self.embed_motion(torch.from_numpy(batch), torch.from_numpy(frames))
        return result

    def save(self, folder: str | Path) -> None:
        """Write weights, mean/std, word vectors and, last, `evaluator.json` with the sizes and a fingerprint of all."""
        folder = Path(folder)
        state = {name: {key: value.cpu() for key, value in part.items()} for name, part in self.state().items()}
        write_torch_file(folder / _WEIGHTS_FILE, state)
        write_npy(folder / "mean.npy", self.mean)
        write_npy(folder / "std.npy", self.std)
        if self.words is not None:
            self.words.save(folder)
        about = {
            "format_version": FORMAT_VERSION,
            "family": self.family.name,
            "skeleton": self.skeleton.name,
            "sizes": asdict(self.sizes),
            "word_vectors": self.words is not None,
            "fingerprint": self.fingerprint,
        }
        write_json(folder / ABOUT_FILE, about)

    @classmethod
    def load(cls, folder: str | Path, device: str | torch.device = "cpu") -> "TextMotionEvaluator":
        """Read a folder of `save`, or one of the hub. Raises InputError for a folder that is incomplete or changed."""
        folder = Path(folder)
        if is_hub_folder(folder) and not (folder / ABOUT_FILE).exists():
            return cls._from_hub(folder).to(device)
        if not (folder / ABOUT_FILE).is_file():
            raise InputError(f"{folder}: {_why_no_folder(folder)}")
        about = read_json(folder / ABOUT_FILE, "copy or make the evaluator again")
        try:
            version, skeleton, named = about["format_version"], get_skeleton(about["skeleton"]), about["fingerprint"]
            words = WordVectorizer.load(folder) if about["word_vectors"] else None
            mean, std = (read_npy(folder / f"{name}.npy") for name in ("mean", "std"))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{folder}: damaged evaluator folder: {error}") from None
        if version != FORMAT_VERSION:
            raise InputError(f"{folder}: evaluator format {str(version)[:60]}, this program reads {FORMAT_VERSION}")
        try:
            family = family_named(about.get("family", GUO.name))  # without one: of the time before there were several
        except InputError as error:
            raise InputError(f"{folder / ABOUT_FILE}: {error}") from None
        evaluator = cls.from_state(folder / _WEIGHTS_FILE, mean, std, skeleton, words, family)
        if (found := evaluator.fingerprint) != named:
            raise InputError(f"{folder}: its files do not belong together (fingerprint {found}, not {str(named)[:60]})")
        return evaluator.to(device)

    @classmethod
    def _from_hub(cls, folder: Path) -> "TextMotionEvaluator":
        found = read_hub_evaluator(folder)
        try:
            return cls.from_published(found.state, found.mean, found.std, found.skeleton, found.words)
        except InputError as error:
            raise InputError(f"{folder}: {error}") from None


def _why_no_folder(folder: Path) -> str:
    """What to do about a folder that `load` cannot read."""
    published = find_weights(folder)
    if published is None:
        hint = how_to_get("evaluator-kit" if folder.name == "kit" else "evaluator-t2m")
        return f"not an evaluator folder (prepare.train_evaluator makes one), it has no {ABOUT_FILE}; {hint}"
    return (
        f"no {ABOUT_FILE}. The weights there ({published}), if published ones, are to be imported first: "
        f"python -m prepare.import_evaluator --published {folder} --word-vectors FOLDER_OF_our_vab_FILES "
        "--exp-name NAME; then name checkpoints/NAME"
    )
