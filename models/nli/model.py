"""A small natural-language-inference model that needs no download: a BERT classifier and a word-piece tokenizer.

What is saved is an ordinary transformers folder with id2label, so that `--nli-model-name FOLDER` takes the path of a
hub model. Whether a caption follows from a reasoning is mostly a question of finding its words there, in the same
company ("left" beside "hand"). Attention from random weights finds that out slowly (not within minutes on a CPU), so
the weights start out structured ("mimetic" initialisation, arXiv:2305.09828); all of them are trained:

- Positions live in dimensions of their own, as sines and cosines, words in the others.
- In the first layer one half of the heads looks at the neighbours of a word: query = key turned by one position.
- All other heads look at like words: query = key = a random projection of the words' dimensions.
- Values are passed on through random orthogonal projections.
"""

import math
from collections.abc import Iterable

import torch
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors, trainers
from tokenizers import models as token_models
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from dataset.cot.entailment_pairs import LABELS
from dataset.facts.caption_facts import NUMBERS
from models.nli.sizes import NliSizes
from utils.errors import InputError

PAD, UNKNOWN, START, SEPARATOR = SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
RESERVED_POSITIONS = 2  # readers of any BERT-like model leave two unused, as Roberta must
_INSIDE = "##"  # before a piece that does not begin a word
_INIT_STD = 0.05
_FASTEST, _SLOWEST = 3.0, 0.03  # radians a position
_POSITION_SCALE = math.sqrt(2)  # gives position and word dimensions the same variance
_NEIGHBOUR_SHARPNESS, _LIKENESS_SHARPNESS, _OUTPUT_SCALE = 2.0, 1.3, 0.7


def train_nli_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Lower-case word pieces of `texts`; a pair is ``[CLS] premise [SEP] hypothesis [SEP]``, token types 0 and 1.

    Numbers in words become digits, so that "eight times" of a caption is the "8 times" of its reasoning.
    """
    tokenizer = Tokenizer(token_models.WordPiece(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.BertNormalizer(lowercase=True), *_numbers_as_digits()])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pieces = sorted(_word_pieces(tokenizer, texts, vocab_size) - set(SPECIAL))
    vocabulary = {piece: index for index, piece in enumerate((*SPECIAL, *pieces))}
    tokenizer.model = token_models.WordPiece(vocabulary, unk_token=UNKNOWN)
    start, separator = ((token, tokenizer.token_to_id(token)) for token in (START, SEPARATOR))
    tokenizer.post_processor = processors.BertProcessing(separator, start)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNKNOWN,
        cls_token=START,
        sep_token=SEPARATOR,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def _word_pieces(tokenizer: Tokenizer, texts: Iterable[str], vocab_size: int) -> set[str]:
    """Word pieces of `texts` as `tokenizer` normalises and splits them; the same ones in every process.

    Of pairs that are equally frequent the trainer joins the one with the lower numbers, and it numbers letters in the
    order of a randomly seeded hash table. What it is given as special is numbered first, in the order given.
    """
    split, normal = tokenizer.pre_tokenizer.pre_tokenize_str, tokenizer.normalizer.normalize_str
    words = [[word for word, _ in split(normal(text))] for text in texts]
    letters = {letter for line in words for word in line for letter in word}
    inner = {f"{_INSIDE}{letter}" for line in words for word in line for letter in word[1:]}
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        special_tokens=[*SPECIAL, *sorted(letters), *sorted(inner)],
        continuing_subword_prefix=_INSIDE,
        show_progress=False,
    )
    learner = Tokenizer(token_models.WordPiece(unk_token=UNKNOWN))
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    learner.train_from_iterator((" ".join(line) for line in words), trainer)
    return set(learner.get_vocab())


def _numbers_as_digits() -> list[normalizers.Replace]:
    """ "eight" -> "8", "twice" -> "2 times"; longer names first, for "one hundred and eighty" is one number."""
    digits = {word: str(number) for word, number in NUMBERS.items()} | {"once": "1 times", "twice": "2 times"}
    by_length = sorted(digits, key=len, reverse=True)
    return [normalizers.Replace(Regex(rf"\b{word}\b"), digits[word]) for word in by_length]


def make_nli_model(sizes: NliSizes, vocab_size: int, max_tokens: int) -> BertForSequenceClassification:
    """An untrained model of three classes, structured as the module tells; random by torch's generator.

    Args:
        sizes: its shape.
        vocab_size: of its tokenizer.
        max_tokens: most tokens of a pair. Make it the longest that training shows: longer reasoning is then read in
            windows of a length that the model knows, where untrained positions would have it guess.

    Raises:
        InputError: the width does not divide into heads of even width, or there is one head only.
    """
    width, odd = divmod(sizes.hidden_size, sizes.heads)
    if odd or width % 2 or sizes.heads < 2:
        raise InputError(
            f"hidden size {sizes.hidden_size} must divide into 2 or more heads ({sizes.heads}) of even width"
        )
    config = BertConfig(
        vocab_size=vocab_size,
        hidden_size=sizes.hidden_size,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        intermediate_size=2 * sizes.hidden_size,
        max_position_embeddings=max_tokens + RESERVED_POSITIONS,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=_INIT_STD,
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
    )
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        _start_embeddings(model, width)
        for number, layer in enumerate(model.bert.encoder.layer):
            _start_attention(layer.attention, width, neighbours=number == 0)
    return model


def _start_embeddings(model: BertForSequenceClassification, width: int) -> None:
    """Words (E - width dimensions) | positions (the last `width`)."""
    embeddings = model.bert.embeddings
    words = embeddings.word_embeddings.weight.shape[1] - width
    embeddings.word_embeddings.weight.normal_()[:, words:] = 0
    embeddings.token_type_embeddings.weight.zero_()  # or words of the other text would not be like those of one's own
    positions = embeddings.position_embeddings.weight.zero_()
    angles = torch.arange(len(positions))[:, None] * _frequencies(width)
    positions[:, words::2] = _POSITION_SCALE * angles.cos()
    positions[:, words + 1 :: 2] = _POSITION_SCALE * angles.sin()


def _start_attention(attention: torch.nn.Module, width: int, neighbours: bool) -> None:
    """Weights of one layer; `neighbours`: the first half of its heads looks one position back or ahead, in turn."""
    inner, output = attention.self, attention.output.dense
    hidden = inner.query.weight.shape[1]
    torch.nn.init.orthogonal_(inner.value.weight)
    torch.nn.init.orthogonal_(output.weight)
    output.weight *= _OUTPUT_SCALE
    heads = hidden // width
    for head in range(heads):
        query, key = torch.zeros(2, width, hidden)
        if neighbours and head < heads // 2:
            query[:, -width:] = _NEIGHBOUR_SHARPNESS * _shift(width, by=1 if head % 2 else -1)
            key[:, -width:] = _NEIGHBOUR_SHARPNESS * torch.eye(width)
        else:
            likeness = torch.nn.init.orthogonal_(torch.empty(width, hidden - width))
            query[:, :-width] = key[:, :-width] = _LIKENESS_SHARPNESS * likeness
        rows = slice(head * width, (head + 1) * width)
        inner.query.weight[rows], inner.key.weight[rows] = query, key


def _frequencies(width: int) -> torch.Tensor:
    """(width / 2,) radians a position."""
    return torch.logspace(math.log10(_FASTEST), math.log10(_SLOWEST), width // 2)


def _shift(width: int, by: int) -> torch.Tensor:
    """(width, width): turns the code of position p into that of p + `by`."""
    cosines, sines = (by * _frequencies(width)).cos(), (by * _frequencies(width)).sin()
    blocks = torch.stack([torch.stack([cosines, -sines], dim=-1), torch.stack([sines, cosines], dim=-1)], dim=-2)
    return torch.block_diag(*blocks)
