"""trl's settings at the smallest sizes, on the CPU: what the trainers of SFT and GRPO share in tests."""

TINY = {
    "activation_checkpointing": False,
    "bf16": False,
    "dataloader_pin_memory": False,
    "disable_tqdm": True,
    "gradient_checkpointing": None,
    "logging_steps": 1,
    "remove_unused_columns": False,
    "report_to": "none",
    "use_cpu": True,
}
