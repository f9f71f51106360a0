"""A small data set folder of smooth random motions, and random tokenizers and evaluators for it."""

from pathlib import Path

import numpy as np
import torch

from dataset.captions.lines import Caption
from dataset.captions.word_vectors import make_word_vectors
from dataset.humanml.layout import write_mean_std, write_record, write_splits
from models.text_motion.evaluator import TextMotionEvaluator
from models.text_motion.families import FAMILIES
from models.text_motion.sizes import EvaluatorSizes, TransformerSizes
from models.tokenizer.motion_tokenizer import MotionTokenizer
from models.tokenizer.network import MotionVQ, NetworkConfig
from utils.motion.skeleton import T2M, Skeleton

WORDS = ("walk", "jump", "turn", "wave")


def smooth_motion(rng: np.random.Generator) -> np.ndarray:
    frames = rng.integers(41, 60)
    phase = np.arange(frames)[:, None] / 20 * rng.uniform(1, 5, 263) + rng.uniform(0, 6, 263)
    return np.sin(phase).astype(np.float32) * 0.1


def write_motions(root: Path, counts: dict[str, int], captioned: bool = True) -> None:
    """Clips ``<split><number>``; the statistics are those of nothing in particular."""
    rng = np.random.default_rng(0)
    ids = {split: [f"{split}{index}" for index in range(count)] for split, count in counts.items()}
    for number, id in enumerate(id for members in ids.values() for id in members):
        motion, word = smooth_motion(rng), WORDS[number % len(WORDS)]
        captions = [Caption(f"a person {word}s.", ("a/DET", "person/NOUN", f"{word}/VERB"))] if captioned else []
        write_record(root, id, motion, np.zeros((len(motion), 22, 3)), captions)
    write_splits(root, ids)
    write_mean_std(root, np.full(263, 0.01), np.full(263, 0.1))


def random_tokenizer(seed: int = 0, down_t: int = 2) -> MotionTokenizer:
    """16 codes, with the statistics of `write_motions`."""
    torch.manual_seed(seed)
    config = NetworkConfig(nb_code=16, code_dim=16, output_emb_width=16, width=16, depth=1, down_t=down_t)
    network = MotionVQ(config)
    with torch.no_grad():  # a new codebook is all zeros: give it latents, so that motions differ in their codes
        latents, _ = network.vqvae["encoder"](torch.randn(1, 16 * config.unit_length, 263))
    network.load_state_dict({**network.state_dict(), "vqvae.quantizer.codebook": latents[0]})
    return MotionTokenizer(network, np.full(263, 0.01), np.full(263, 0.1), T2M)


def write_published_evaluator(folder: Path, words: Path) -> None:
    """`random_evaluator` as evaluators are published, beside their epoch; its word vectors in a folder of their own."""
    evaluator = random_evaluator()
    folder.mkdir(parents=True)
    torch.save({**evaluator.state(), "epoch": 3}, folder / "finest.tar")
    np.save(folder / "mean.npy", evaluator.mean)
    np.save(folder / "std.npy", evaluator.std)
    (folder / "opt.txt").write_text("---- Options ----\ndataset_name: t2m\ndim_pose: 263\n---- End ----\n")
    make_word_vectors([f"{word}/VERB" for word in WORDS], dim=8).save(words)


def random_evaluator(skeleton: Skeleton = T2M, family: str = "guo", seed: int = 0) -> TextMotionEvaluator:
    torch.manual_seed(seed)
    words = make_word_vectors(["a/DET", "person/NOUN", *(f"{word}/VERB" for word in WORDS)], dim=8)
    sizes = {"guo": EvaluatorSizes(16, 16, 16, 16, 12, word_size=8), "tmr": TransformerSizes(16, 16, 1, 12, 8)}
    networks = FAMILIES[family].build(skeleton.feature_dim, sizes[family])
    mean, std = np.zeros(skeleton.feature_dim), np.full(skeleton.feature_dim, 0.02)
    return TextMotionEvaluator(networks, mean, std, skeleton, words, FAMILIES[family])
