"""Make a small random Qwen3 with a byte-level BPE trained on your CoT text: a backbone that needs no download.

The folder is an ordinary transformers model, so `--llm-backbone FOLDER` and
`--llm-backbone Qwen/Qwen3-4B-Instruct-2507` take the same path. Being random, it must be trained with
`--finetune full`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from dataset.captions.tags import THINK_CLOSE, THINK_OPEN
from dataset.cot.sample import TASKS
from dataset.cot.samples import CotSamples, read_cot_jsonl
from models.language.prompts import PLAIN, query_of, render_query
from options.flags.parsing import flag, parse_flags, required_flag
from options.flags.ranges import POSITIVE, SEED, Range
from utils.errors import InputError
from utils.files.fingerprints import fingerprint
from utils.files.folders import write_folder
from utils.files.json_files import read_json
from utils.files.manifest import differences, list_files, read_manifest, write_manifest
from utils.files.outputs import check_output_folder
from utils.run.command import quiet_libraries, run_command

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
_ADDED = [END_OF_TEXT, TURN_START, TURN_END, THINK_OPEN, THINK_CLOSE]
# What lies in the folder, and the list of it that tells a model of this command from others.
_FILES = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
RECEIPT = ".tiny_llm.json"


@dataclass
class TinyLlmFlags:
    """Flags: the sizes of the model, and the text that its tokenizer is trained on."""

    _argument_group_name = "tiny language model"

    cot_jsonl: str = required_flag("CoT jsonl whose captions and reasoning the tokenizer is trained on")
    out_dir: str = required_flag("folder to write the model and its tokenizer to")
    vocab_size: int = flag(
        1024,
        "size of the text vocabulary (motion tokens are added in training)",
        within=Range(least=300, most=10_000_000),
    )
    hidden_size: int = flag(128, "width of the model", within=Range(above=0, most=100_000))
    layers: int = flag(3, "number of transformer layers", within=Range(above=0, most=1000))
    heads: int = flag(4, "number of attention heads", within=Range(above=0, most=10_000))
    # Measured in models/policy/README.md: with the 0.02 of large models left and right are learned twice as late.
    init_std: float = flag(0.06, "standard deviation of the random weights", within=POSITIVE)
    seed: int = flag(0, "seed of the random weights", within=SEED)

    def __post_init__(self) -> None:
        if self.hidden_size % (2 * self.heads):  # rotary positions turn pairs
            raise ValueError(f"--hidden-size {self.hidden_size} must be a multiple of 2 x --heads {self.heads}")


def training_text(samples: CotSamples) -> Iterator[str]:
    """Yield everything that the model will read or write as words: captions, reasoning and the prompts around them."""
    for index in range(len(samples)):
        for task in TASKS:
            sample = samples.sample(index, task)
            yield render_query(query_of(sample), PLAIN).split("<")[0]
            if sample.draft is not None:
                yield sample.draft.lacking(task)
        yield sample.reasoning


def train_tokenizer(text: Iterator[str], vocab_size: int) -> "PreTrainedTokenizerFast":
    """A byte-level BPE with the special tokens of Qwen3."""
    from transformers import PreTrainedTokenizerFast  # late: `--help` must not wait for it

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


def check_place(folder: Path) -> None:
    """Refuse a folder that holds another model, or ours after somebody went on with it. Raises InputError."""
    check_output_folder(folder, marker="config.json")
    theirs = [name for name in _FILES if (folder / name).exists()]
    if not theirs:
        return
    if (folder / RECEIPT).is_file():
        ours = [file.path for file in read_manifest(folder / RECEIPT) if not differences(folder, [file])]
        theirs = [name for name in theirs if name not in ours]
    elif _is_tiny(folder):  # made before there were receipts
        theirs = []
    if theirs:
        raise InputError(
            f"--out-dir {folder}: holds {', '.join(theirs)}, which this command did not write, and is left alone: "
            "give a new or an empty folder"
        )


def _is_tiny(folder: Path) -> bool:
    """Whether the folder holds what this command writes and nothing else, as far as that can be told."""
    if not {path.name for path in folder.iterdir()} <= {*_FILES, RECEIPT}:
        return False
    try:
        config, tokenizer = (read_json(folder / name) for name in ("config.json", "tokenizer.json"))
        width, heads = config["hidden_size"], config["num_attention_heads"]
        as_made = (config["intermediate_size"], config["head_dim"], config["num_key_value_heads"], config["model_type"])
        added = [token["content"] for token in tokenizer["added_tokens"]]
    except (InputError, LookupError, TypeError):
        return False
    return as_made == (3 * width, width // heads, heads, "qwen3") and added == _ADDED


def main() -> None:
    (flags,) = parse_flags(TinyLlmFlags, description=__doc__)
    quiet_libraries()
    folder = Path(flags.out_dir)
    check_place(folder)
    samples = read_cot_jsonl(flags.cot_jsonl, nb_code=None)
    # Late imports: `--help` and a mistyped path must not wait for torch and transformers.
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

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
        initializer_range=flags.init_std,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    model = Qwen3ForCausalLM(config)

    def write(place: Path) -> None:
        model.save_pretrained(place)
        tokenizer.save_pretrained(place)
        write_manifest(place / RECEIPT, list_files(place, _FILES), {"made_by": "prepare.make_tiny_llm"})

    write_folder(folder, write, last=RECEIPT)
    name = fingerprint(*(value.numpy() for value in model.state_dict().values()))
    print(
        f"tiny Qwen3: {model.num_parameters():,} parameters, {len(tokenizer)} text tokens, "
        f"fingerprint {name} -> {folder}"
    )


if __name__ == "__main__":
    run_command(main)
