"""transformers draws replies here: in padded batches, every draw a function of seed, key and step alone."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import Cache, DynamicCache, GenerationConfig, LogitsProcessorList, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from models.engines.engine import Drawn
from models.language.decoding import Sampling
from models.language.grammar import MotionGrammar
from models.language.guidance import ReplyGuide, Wanted
from models.language.sampling import SeededSampling
from models.language.vocabulary import MotionVocabulary


class TransformersEngine:
    """A model in this process.

    Args:
        model: causal language model whose vocabulary includes the motion tokens; put into evaluation mode.
        vocabulary: its tokens.
    """

    label = None
    batches_at_once = 1

    def __init__(self, model: PreTrainedModel, vocabulary: MotionVocabulary) -> None:
        self.model = model.eval()
        self.vocabulary = vocabulary

    @property
    def device(self) -> torch.device:
        return self.model.device

    @torch.inference_mode()
    def generate(
        self,
        prompts: Sequence[list[int]],
        keys: Sequence[int],
        sampling: Sampling,
        adapter: PreTrainedModel | None = None,
        wanted: Sequence[Wanted] | None = None,
        grammar: bool = False,
    ) -> list[Drawn]:
        """All prompts as one batch (see `models.engines.engine`); log-probabilities are not told."""
        model = self.model if adapter is None else adapter
        length = max(map(len, prompts))
        pad, eos = self.vocabulary.tokenizer.pad_token_id, self.vocabulary.eos_id
        input_ids = torch.tensor([[pad] * (length - len(ids)) + ids for ids in prompts], device=model.device)
        mask = torch.tensor([[0] * (length - len(ids)) + [1] * len(ids) for ids in prompts], device=model.device)
        # transformers fills in what stays None from the backbone's own generation_config.json: Qwen2.5's repetition
        # penalty counts the padding as said, so it depends on the batch, and motion repeats codes by nature. The
        # settings of its own sampling are transformers' defaults here, so that it does not warn of Qwen3's.
        config = GenerationConfig(
            max_new_tokens=sampling.max_new_tokens,
            do_sample=False,
            temperature=1.0,
            top_p=1.0,
            top_k=50,
            repetition_penalty=1.0,
            no_repeat_ngram_size=0,
            eos_token_id=eos,
            pad_token_id=pad,
        )
        draw = LogitsProcessorList()
        if wanted is not None:
            draw.append(ReplyGuide(self.vocabulary, wanted, length))
        if grammar:
            draw.append(MotionGrammar(self.vocabulary, length))
        if sampling.temperature > 0:
            draw.append(SeededSampling(sampling.temperature, sampling.top_p, sampling.seed, keys, length, model.device))
        output = model.generate(
            input_ids=input_ids,
            attention_mask=mask,
            generation_config=config,
            logits_processor=draw,
            past_key_values=_shared_prefill(model, prompts, input_ids, mask),
        )
        return [Drawn(_until(ids, eos)) for ids in output[:, length:].tolist()]


def _shared_prefill(
    model: PreTrainedModel, prompts: Sequence[list[int]], input_ids: Tensor, mask: Tensor
) -> Cache | None:
    """Keys and values of all prompt tokens but the last, computed once for prompts that begin alike: equal ones, and
    those of replies that were begun to different lengths. None where no prompt is the beginning of another one.

    Args:
        prompts: B token lists.
        input_ids, mask: (B, L) the same, padded on the left.
    """
    cache = DynamicCache(config=model.config)
    # A window that slides keeps no beginnings, and other layers keep no columns.
    columns = all(type(layer) is DynamicLayer for layer in cache.layers)
    whole = _longest_of(prompts) if columns else [prompts.index(prompt) for prompt in prompts]
    computed = sorted(set(whole))
    if len(computed) == len(prompts) or input_ids.shape[1] < 2:
        return None
    rows = torch.tensor(computed, device=input_ids.device)
    known = mask[rows, :-1]
    model(
        input_ids=input_ids[rows, :-1],
        attention_mask=known,
        past_key_values=cache,
        use_cache=True,
        position_ids=(known.cumsum(dim=-1) - 1).clamp_min(0),
        logits_to_keep=1,
    )
    place = {row: number for number, row in enumerate(computed)}
    cache.batch_select_indices(torch.tensor([place[row] for row in whole], device=rows.device))
    # A shorter prompt stands further to the right than the one that it is the beginning of.
    shift = torch.tensor([len(prompts[row]) - len(own) for row, own in zip(whole, prompts, strict=True)])
    return _moved_right(cache, shift.to(rows.device), input_ids.shape[1] - 1)


def _longest_of(prompts: Sequence[list[int]]) -> list[int]:
    """For each prompt the row of the longest one that it is the beginning of, perhaps its own; the first of equals."""
    order = sorted(range(len(prompts)), key=lambda row: (prompts[row], -row))
    longest, found = order[-1], [0] * len(prompts)
    # In this order what begins with a prompt follows it.
    for row in reversed(order):
        if prompts[longest][: len(prompts[row])] != prompts[row]:
            longest = row
        found[row] = longest
    return found


def _moved_right(cache: Cache, shift: Tensor, length: int) -> Cache:
    """Row by row, by `shift` (B,) columns; what comes in at the left is masked as padding."""
    if shift.any():
        source = (torch.arange(length, device=shift.device) - shift[:, None]).clamp_min(0)
        for layer in cache.layers:
            index = source[:, None, :, None].expand(-1, layer.keys.shape[1], -1, layer.keys.shape[3])
            layer.keys, layer.values = layer.keys.gather(2, index), layer.values.gather(2, index)
    return cache


def _until(ids: list[int], eos: int) -> list[int]:
    """Ids up to and with the first end of sequence."""
    return ids[: ids.index(eos) + 1] if eos in ids else ids
