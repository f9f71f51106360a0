"""Small runs of supervised fine-tuning that several tests need."""

import math

from trl import SFTConfig

from dataset.cot.samples import read_cot_jsonl
from dataset.cot.training_rows import TrainingData
from models.language.motion_language import MotionLanguage
from models.language.prompts import PLAIN
from models.policy.backbone import load_backbone
from models.policy.checkpoint import Checkpoint, PolicyConfig
from models.policy.policy import Policy
from models.sft.config import SupervisionConfig
from models.sft.training import SftPlan, Validation, supervise
from tests.models.tiny_trl import TINY
from tests.sessions import session_in

SUPERVISION = SupervisionConfig(use_reasoning=True, reasoning_weight=0.5, reflection_share=0.3)


def config(folder, **fields):
    defaults = {
        **TINY,
        "output_dir": str(folder),
        "per_device_train_batch_size": 8,
        "learning_rate": 3e-3,
        "max_steps": 3,
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "max_length": None,
        "loss_type": "nll",
        "save_strategy": "no",
        "seed": 5,
        "data_seed": 5,
        "prediction_loss_only": True,
    }
    return SFTConfig(**{**defaults, **fields})


def plain_policy(backbone, motion_tokenizer=None):
    """The plain backbone with rows for 16 motion codes."""
    model, vocabulary, text_vocabulary = load_backbone(backbone, 16, seed=0)
    language = MotionLanguage(vocabulary, motion_tokenizer, PLAIN)
    return Policy(model, language, Checkpoint(PolicyConfig(backbone, 16, text_vocabulary)))


def run_supervise(
    cot_jsonl,
    backbone,
    folder,
    lora,
    interrupt=None,
    epochs=2,
    validation=None,
    start=None,
    tasks=("t2m",),
    save_minutes=math.inf,
    supervision=SUPERVISION,
    token_learning_rate=None,
    length_groups=False,
    tokens_per_step=None,
    **fields,
):
    """Train from `start` (default: the plain backbone) and return the model."""
    start = start or plain_policy(backbone)
    train_rows, held_out = read_cot_jsonl(cot_jsonl, nb_code=16).split(0.2, seed=0)
    fields = {"max_steps": -1, "num_train_epochs": epochs, "save_strategy": "epoch", **fields}
    trainer_config = config(folder / "trainer_state", **fields)
    data, plan = (
        TrainingData(train_rows, held_out, tasks),
        SftPlan(
            trainer_config,
            lora,
            save_minutes,
            token_learning_rate=token_learning_rate,
            length_groups=length_groups,
            tokens_per_step=tokens_per_step,
        ),
    )
    supervise(start, data, supervision, validation or Validation(), plan, session_in(folder, interrupt))
    return start.model
