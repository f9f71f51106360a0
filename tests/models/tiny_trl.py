"""trl's settings at the smallest sizes, on the CPU: what the trainers of SFT and GRPO share in tests."""

from options.trainer_file import CHECKPOINTING

TINY = {
    "bf16": False,
    "dataloader_pin_memory": False,
    "disable_tqdm": True,
    "gradient_checkpointing": None,
    CHECKPOINTING: False,
    "logging_steps": 1,
    "remove_unused_columns": False,
    "report_to": "none",
    "use_cpu": True,
}
