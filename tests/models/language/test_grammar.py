"""The grammar mask: a motion that was begun is well formed, everything else is as without it."""

import pytest
import torch

from dataset.captions.tags import ANSWER_CLOSE, MOTION_CLOSE, MOTION_OPEN, THINK_CLOSE
from models.language.grammar import MotionGrammar, constrained_generation
from models.policy.backbone import load_backbone

BATCH, NEW = 32, 60


@pytest.fixture(scope="module")
def policy(backbone):
    model, vocabulary, _ = load_backbone(backbone, 16, seed=0)
    return model.eval(), vocabulary


def allowed(vocabulary, text, prompt="<think>"):
    """What may follow `text`, said after `prompt`; None: everything."""
    before, said = vocabulary.encode(prompt), vocabulary.encode(text)
    size = len(vocabulary.tokenizer) + 8  # a padded head
    scores = MotionGrammar(vocabulary, len(before))(torch.tensor([before + said]), torch.zeros(1, size))
    left = torch.nonzero(scores[0] == 0).flatten().tolist()
    return None if len(left) == size else set(left)


def test_what_may_follow(policy):
    _, vocabulary = policy
    codes = set(vocabulary.code_ids)
    close, answered, eos = vocabulary.marker_id(MOTION_CLOSE), vocabulary.marker_id(ANSWER_CLOSE), vocabulary.eos_id
    assert allowed(vocabulary, "so</think><answer><Motion>") == codes
    assert allowed(vocabulary, "so</think><answer><Motion><Motion_3>") == codes | {close}
    assert allowed(vocabulary, "so</think><answer><Motion><Motion_3><Motion_15>") == codes | {close}
    assert allowed(vocabulary, "so</think><answer><Motion><Motion_3></Motion>") == {answered}
    assert allowed(vocabulary, "so</think><answer><Motion><Motion_3></Motion></answer>") == {eos}
    assert allowed(vocabulary, "so</think><answer>a person walks</answer>") == {eos}
    for text in ("", "so", "so</think>", "so</think><answer>", "so <Motion_3>", "so </Motion>", "so</think><answer>a"):
        assert allowed(vocabulary, text) is None, text


def test_the_motion_of_the_prompt_does_not_count(policy):
    _, vocabulary = policy
    for prompt in ("Motion: <Motion><Motion_3></Motion>\n<think>", "Motion: <Motion><Motion_3>", "<Motion>"):
        assert allowed(vocabulary, "", prompt) is None and allowed(vocabulary, "so", prompt) is None
        assert allowed(vocabulary, "<Motion>", prompt) == set(vocabulary.code_ids)


def test_rows_stand_where_they_stand(policy):
    _, vocabulary = policy
    texts = ("<answer><Motion><Motion_1><Motion_2>", "<answer><Motion><Motion_1></Motion>", "ab<answer><Motion>")
    rows = [vocabulary.encode(text)[-4:] for text in texts]
    together = MotionGrammar(vocabulary, 0)(torch.tensor(rows), torch.zeros(3, 500))
    for row, scores in zip(rows, together, strict=True):
        assert torch.equal(MotionGrammar(vocabulary, 0)(torch.tensor([row]), torch.zeros(1, 500))[0], scores)


def generate(policy, start, constrain, do_sample=True):
    """Replies of a random model to a left-padded batch of prompts that hold motions, each begun with `start`."""
    model, vocabulary = policy
    pad = vocabulary.tokenizer.pad_token_id
    prompts = [vocabulary.encode("Motion: <Motion>" + "<Motion_2>" * (row % 3 + 1)) for row in range(BATCH)]
    length = max(map(len, prompts))
    ids = torch.tensor([[pad] * (length - len(row)) + row for row in prompts])
    opening = vocabulary.encode(start)
    given = {"attention_mask": (ids != pad).long(), "max_new_tokens": NEW, "do_sample": do_sample, "top_k": 0}

    def begin(batch, sent):
        """Force the opening, as a model that has learned to write it would."""
        step = sent.shape[-1] - length
        return opening[step : step + 1] or list(range(len(vocabulary.tokenizer)))

    torch.manual_seed(1)
    forced = {"prefix_allowed_tokens_fn": begin} if opening else {}
    if not constrain:
        return model.generate(ids, **given, **forced)[:, length:].tolist()
    with constrained_generation(model, vocabulary):
        return model.generate(ids, **given, **forced)[:, length:].tolist()


def is_one_motion(vocabulary, ids):
    """codes </Motion></answer> and the end, or codes only where the length was not enough."""
    text = vocabulary.decode(ids)
    inside, closed, rest = text.partition(MOTION_CLOSE)
    only_codes = vocabulary.encode(inside) and set(vocabulary.encode(inside)) <= set(vocabulary.code_ids)
    if vocabulary.eos_id not in ids:
        return bool(only_codes) and rest in ("", ANSWER_CLOSE)
    return bool(only_codes and closed) and rest == ANSWER_CLOSE


def test_motions_of_a_random_model_are_well_formed(policy):
    _, vocabulary = policy
    opening = f"{THINK_CLOSE}<answer>{MOTION_OPEN}"
    skip = len(vocabulary.encode(opening))
    share = {
        constrain: sum(is_one_motion(vocabulary, ids[skip:]) for ids in generate(policy, opening, constrain)) / BATCH
        for constrain in (True, False)
    }
    assert share[True] == 1.0 and share[False] < 0.1
    ended = [vocabulary.eos_id in ids for ids in generate(policy, opening, constrain=True)]
    assert sum(ended) > BATCH / 2  # the mask lets motions end


def test_replies_without_a_motion_are_untouched(policy):
    model, vocabulary = policy
    free = generate(policy, "", constrain=False)
    marks = {vocabulary.marker_id(mark) for mark in (MOTION_OPEN, ANSWER_CLOSE)}
    untouched = [index for index, ids in enumerate(free) if not marks & set(ids)]
    bound = generate(policy, "", constrain=True)
    assert len(untouched) > 5 and all(bound[index] == free[index] for index in untouched)
    assert "_get_logits_processor" not in vars(model)  # nothing is left behind
