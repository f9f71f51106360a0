"""A merged model with its tokenizer becomes a folder that transformers and vLLM load, nothing of ours needed."""

import shutil
from pathlib import Path

from transformers import GenerationConfig, PreTrainedModel

from models.language.vocabulary import MotionVocabulary


def save_model(place: Path, model: PreTrainedModel, vocabulary: MotionVocabulary) -> None:
    """Write weights, configuration and tokenizer into `place`."""
    # The backbone's own generation settings (a repetition penalty, say) would spoil motions.
    model.generation_config = GenerationConfig(
        eos_token_id=vocabulary.eos_id, pad_token_id=vocabulary.tokenizer.pad_token_id
    )
    model.save_pretrained(place)
    vocabulary.tokenizer.save_pretrained(place)


def write_start(folder: Path, model: PreTrainedModel, vocabulary: MotionVocabulary) -> None:
    """Write the model that an engine starts from. What an earlier run left in `folder` goes: it may not be whole."""
    shutil.rmtree(folder, ignore_errors=True)
    save_model(folder, model, vocabulary)
