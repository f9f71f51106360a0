"""What cannot be trained where a launcher spreads single weights over processes."""

import os

from utils.errors import InputError


def refuse_spread_weights() -> None:
    """Raise InputError under FSDP and ZeRO-3: peft's adapters with token rows fail on weights held in pieces.

    accelerate tells the processes that it starts by these variables.
    """
    spread = os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
    if spread or os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") == "3":
        raise InputError(
            "LoRA with token rows cannot be trained with FSDP or ZeRO-3: give --finetune full, or launch with "
            "options/accelerate/ddp.yaml or deepspeed.yaml (ZeRO-2)"
        )
