"""Small runs of supervised fine-tuning that several tests need."""

from trl import SFTConfig

from dataset.cot.samples import read_cot_jsonl
from models.policy.backbone import load_backbone
from models.policy.checkpoint import Checkpoint, PolicyConfig
from models.policy.policy import Start
from models.sft.batch import SupervisionConfig
from models.sft.training import TrainingData, Validation, supervise
from utils.run.folder import RunFolder
from utils.run.interrupt import InterruptFlag

SUPERVISION = SupervisionConfig(reasoning_weight=0.5, reflection_share=0.3)


def config(folder, **fields):
    defaults = {
        "output_dir": str(folder), "per_device_train_batch_size": 8, "learning_rate": 3e-3, "max_steps": 3,
        "use_cpu": True, "bf16": False, "activation_checkpointing": False, "gradient_checkpointing": None,
        "report_to": "none", "remove_unused_columns": False, "dataset_kwargs": {"skip_prepare_dataset": True},
        "max_length": None, "loss_type": "nll", "logging_steps": 1, "save_strategy": "no", "disable_tqdm": True,
        "dataloader_pin_memory": False, "seed": 5, "data_seed": 5, "prediction_loss_only": True,
    }  # fmt: skip
    return SFTConfig(**{**defaults, **fields})


def run_supervise(
    cot_jsonl, backbone, folder, lora, interrupt=None, epochs=2, validation=None, start=None, tasks=("t2m",), **fields
):
    """Train from `start` (default: the plain backbone) and return the model."""
    if start is None:
        model, vocabulary, text_vocabulary = load_backbone(backbone, 16, seed=0)
        start = Start(model, vocabulary, Checkpoint(PolicyConfig(backbone, 16, text_vocabulary)))
    train_rows, held_out = read_cot_jsonl(cot_jsonl, nb_code=16).split(0.2, seed=0)
    trainer_config = config(
        folder / "trainer_state", max_steps=-1, num_train_epochs=epochs, save_strategy="epoch", **fields
    )
    supervise(
        start, TrainingData(train_rows, held_out, tasks), trainer_config, SUPERVISION, lora,
        validation or Validation(), RunFolder(folder), interrupt or InterruptFlag(),
    )  # fmt: skip
    return start.model
