"""Where the embedding rows of new tokens start, before they are trained.

Measured by `tests.benchmarks.token_rows`: rows as far apart as the backbone's own, and of codes by their vectors, are
learned much sooner than rows close to the mean, by a tiny random model in full as by a pretrained one through adapters.
"""

import torch
from torch import Tensor
from transformers import PreTrainedModel

from models.language.vocabulary import MotionVocabulary

SPREAD = 1.0  # as far apart as the backbone's own rows
ROW_MULTIPLE = 128  # of rows, where the backbone has it too: what matrix units of GPUs are made for


def add_token_rows(
    model: PreTrainedModel,
    vocabulary: MotionVocabulary,
    seed: int,
    codebook: Tensor | None = None,
    spread: float = SPREAD,
    row_multiple: int = 1,
) -> None:
    """Give `model` one embedding row (and one output row, where that is another matrix) per new token.

    Rows start at the mean of the old rows plus noise. With a codebook the rows of the codes are a random
    projection of their code vectors instead, of the same spread: codes of similar motion start as similar tokens.

    Qwen pads its embedding beyond the tokenizer; rows are added only where they are missing, but every new token is
    initialised, so that none starts from an untrained padding row. A matrix whose rows are a multiple of `row_multiple`
    stays one: a GPU multiplies by it faster. What is added for that alone is 0, and stands for no token.

    Args:
        model: backbone, changed in place.
        vocabulary: its tokenizer with motion tokens.
        seed: of noise and projection.
        codebook: (nb_code, code_dim) vectors of the motion tokenizer; None: noise.
        spread: of new rows around the mean row, as a share of the spread of the backbone's rows.
        row_multiple: `ROW_MULTIPLE` in checkpoints of today, 1 in those of earlier versions.
    """
    if not vocabulary.new_ids:
        return
    # Rows for all tokens.
    size, before = len(vocabulary.tokenizer), model.get_input_embeddings().weight.shape[0]
    if before < size:
        multiple = row_multiple if before % row_multiple == 0 else 1
        model.resize_token_embeddings(size, pad_to_multiple_of=multiple, mean_resizing=False)
    # Where they start.
    generator = torch.Generator().manual_seed(seed)
    first = vocabulary.new_ids[0]
    layers = {id(layer.weight): layer for layer in (model.get_input_embeddings(), model.get_output_embeddings())}
    with torch.no_grad():
        for layer in layers.values():
            old = layer.weight[:first].float()
            offsets = torch.randn(len(vocabulary.new_ids), old.shape[1], generator=generator)
            if codebook is not None:
                offsets[torch.tensor(vocabulary.code_ids) - first] = _projected(codebook, old.shape[1], generator)
            rows = old.mean(dim=0) + spread * old.std(dim=0) * offsets.to(old.device)
            layer.weight[vocabulary.new_ids] = rows.to(layer.weight.dtype)
            layer.weight[max(size, before) :] = 0.0


def copy_token_rows(source: PreTrainedModel, target: PreTrainedModel, vocabulary: MotionVocabulary) -> None:
    """Let `target`'s new tokens start where `source`'s are."""
    with torch.no_grad():
        for of, to in (
            (source.get_input_embeddings(), target.get_input_embeddings()),
            (source.get_output_embeddings(), target.get_output_embeddings()),
        ):
            to.weight[vocabulary.new_ids] = of.weight[vocabulary.new_ids].to(to.weight)


def _projected(codebook: Tensor, width: int, generator: torch.Generator) -> Tensor:
    """(nb_code, width): standardised code vectors under a random projection that keeps their spread at 1."""
    vectors = codebook.detach().float().cpu()
    vectors = (vectors - vectors.mean(dim=0)) / vectors.std(dim=0).clamp(min=1e-6)
    return vectors @ torch.randn(vectors.shape[1], width, generator=generator) / vectors.shape[1] ** 0.5
