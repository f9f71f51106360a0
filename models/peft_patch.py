"""One patch of peft, needed while trl's fused head asks a wrapped `lm_head` for its bias.

peft's `TrainableTokensWrapper` hands on `weight` of the layer that it wraps but not `bias`, and trl reads both.
`tests/models/test_peft_patch.py` fails when the patch is no longer needed.
"""

from peft.utils.other import TrainableTokensWrapper


def let_wrapped_heads_answer_bias() -> None:
    """Make `TrainableTokensWrapper.bias` the wrapped layer's bias, or None. Safe to call twice."""
    if not hasattr(TrainableTokensWrapper, "bias"):
        TrainableTokensWrapper.bias = property(lambda self: getattr(self.token_adapter.base_layer, "bias", None))
