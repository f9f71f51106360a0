"""Make a small random Qwen3 with a byte-level BPE trained on your CoT text: a backbone that needs no download.

The folder is an ordinary transformers model, so `--llm-backbone FOLDER` and
`--llm-backbone Qwen/Qwen3-4B-Instruct-2507` take the same path. Being random, it must be trained with
`--finetune full`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from dataset.captions.tags import THINK_CLOSE, THINK_OPEN
from dataset.cot.sample import TASKS
from dataset.cot.samples import CotSamples, read_cot_jsonl
from models.language.prompts import PLAIN, query_of, render_query
from options.flags.parsing import flag, parse_flags, required_flag
from utils.files.fingerprints import fingerprint
from utils.run.command import run_command

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"


@dataclass
class TinyLlmFlags:
    """Flags: the sizes of the model, and the text that its tokenizer is trained on."""

    _argument_group_name = "tiny language model"

    cot_jsonl: str = required_flag("CoT jsonl whose captions and reasoning the tokenizer is trained on")
    out_dir: str = required_flag("folder to write the model and its tokenizer to")
    vocab_size: int = flag(1024, "size of the text vocabulary (motion tokens are added in training)")
    hidden_size: int = flag(128, "width of the model")
    layers: int = flag(3, "number of transformer layers")
    heads: int = flag(4, "number of attention heads")
    seed: int = flag(0, "seed of the random weights")

    def __post_init__(self) -> None:
        if self.hidden_size % self.heads:
            raise ValueError(f"--hidden-size {self.hidden_size} must be a multiple of --heads {self.heads}")


def training_text(samples: CotSamples) -> Iterator[str]:
    """Yield everything that the model will read or write as words: captions, reasoning and the prompts around them."""
    for index in range(len(samples)):
        for task in TASKS:
            sample = samples.sample(index, task)
            yield render_query(query_of(sample), PLAIN).split("<")[0]
            if sample.draft is not None:
                yield sample.draft.lacking(task)
        yield sample.reasoning


def train_tokenizer(text: Iterator[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE with the special tokens of Qwen3."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split("\n", behavior="isolated"),
            pre_tokenizers.Punctuation(behavior="isolated"),
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT, TURN_START, TURN_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(text, trainer)
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in (THINK_OPEN, THINK_CLOSE)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=TURN_END, pad_token=END_OF_TEXT)


def main() -> None:
    (flags,) = parse_flags(TinyLlmFlags, description=__doc__)
    samples = read_cot_jsonl(flags.cot_jsonl, nb_code=None)
    tokenizer = train_tokenizer(training_text(samples), flags.vocab_size)
    torch.manual_seed(flags.seed)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=flags.hidden_size,
        intermediate_size=3 * flags.hidden_size,
        num_hidden_layers=flags.layers,
        num_attention_heads=flags.heads,
        num_key_value_heads=flags.heads,
        head_dim=flags.hidden_size // flags.heads,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    model = Qwen3ForCausalLM(config)
    folder = Path(flags.out_dir)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    name = fingerprint(*(value.numpy() for value in model.state_dict().values()))
    print(
        f"tiny Qwen3: {model.num_parameters():,} parameters, {len(tokenizer)} text tokens, "
        f"fingerprint {name} -> {folder}"
    )


if __name__ == "__main__":
    run_command(main)
