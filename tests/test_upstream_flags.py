"""Every flag of the published command lines is accepted, by name."""

from dataclasses import is_dataclass
from typing import get_type_hints

import pytest

from options.evaluate import EvalSettings
from options.train import TrainSettings

TRAIN = """--device cpu --learning-rate 1e-5 --batch-size 6 --epochs-t2m 500 --epochs-m2t 10 --training-task t2m
--epochs-start-val 70 --epochs-val-interval 3 --train-stage sft --use-reasoning --reasoning-weight 1 --motion-weight 1
--use-sample-weight --reward-clip 5 --normalize-reward --min-sample-weight 0.05 --rl-epochs 3 --rl-group-size 8
--rl-kl-coef 0.02 --rl-clip-eps 0.2 --disable-rl-component-norm --rl-reference-ckpt x --com-candidates 8
--com-refine-steps 2 --reward-format-weight 0.2 --reward-sem-weight 0.5 --reward-coh-weight 0.8
--reward-phys-weight 0.5 --reward-align-weight 0.5 --semantic-model-name x --nli-model-name x --reward-device cpu
--reward-max-batch-size 16 --reward-dataset-opt-path x --reward-glove-path x --reward-reset-cache-each-epoch
--reward-clear-cache-values --rl-metrics-jsonl x --max-text-len 256 --max-motion-len 200 --llm-backbone x
--lora-r-t2m 64 --lora-alpha-t2m 64 --lora-r-m2t 32 --lora-alpha-m2t 32 --lora-dropout 0.1 --dataname t2m
--cot-train-jsonl x --cot-task-filter t2m --cot-num-workers 0 --code-dim 512 --nb-code 1024 --mu 0.99 --down-t 2
--stride-t 2 --width 512 --depth 3 --dilation-growth-rate 3 --output-emb-width 512 --vq-act relu --vq-norm LN
--quantizer ema_reset --beta 1.0 --out-dir x --exp-name x --print-iter 200 --eval-iter 1000 --seed 123"""
EVAL = """--device cpu --llm-backbone x --lora-r-t2m 64 --lora-alpha-t2m 64 --lora-r-m2t 32 --lora-alpha-m2t 32
--lora-dropout 0.1 --use-reasoning --reasoning-weight 1 --motion-weight 1 --max-text-len 256 --max-motion-len 200
--use-com --com-candidates 8 --com-refine-steps 2 --model-ckpt x --save-dir x --eval-ckpt x --eval-task m2t
--m2t-eval-split val --m2t-eval-batch-size 8 --m2t-eval-num-workers 0 --reward-format-weight 0.2
--reward-sem-weight 0.5 --reward-coh-weight 0.8 --reward-phys-weight 0.5 --reward-align-weight 0.5
--semantic-model-name x --nli-model-name x --reward-device cpu --reward-max-batch-size 16
--reward-dataset-opt-path x --reward-glove-path x --dataname kit --window-size 64 --total-iter 2000 --warm-up-iter 10
--lr 2e-4 --lr-scheduler 50000 400000 --gamma 0.05 --weight-decay 0.01 --commit 0.02 --loss-vel 0.1 --recons-loss l2
--code-dim 512 --nb-code 512 --mu 0.99 --down-t 2 --stride-t 2 --width 512 --depth 3 --dilation-growth-rate 3
--output-emb-width 512 --vq-act relu --vq-norm LN --quantizer ema --beta 1.0 --resume-pth x --resume-gpt x --out-dir x
--results-dir x --visual-name x --exp-name x --print-iter 200 --eval-iter 1000 --seed 123 --vis-gt --nb-vis 20"""


def by_name(settings):
    return {name: value for group in vars(settings).values() for name, value in vars(group).items()}


@pytest.mark.parametrize(("settings", "line"), [(TrainSettings, TRAIN), (EvalSettings, EVAL)])
def test_published_flags(settings, line, caplog):
    parsed = settings.parse("", line.split())
    assert len(caplog.records) == 1 and "--reward-glove-path" in caplog.text
    flags = by_name(parsed)
    assert flags["nb_code"] in (512, 1024) and flags["seed"] == 123
    if settings is EvalSettings:
        assert flags["eval_split"] == "val" and flags["eval_batch_size"] == 8


def test_abbreviations_and_unknown_flags_are_refused(capsys):
    for flag in ("--learning", "--wings"):
        with pytest.raises(SystemExit) as end:
            TrainSettings.parse("", [flag, "1"])
        assert end.value.code == 2 and flag in capsys.readouterr().err


@pytest.mark.parametrize("settings", [TrainSettings, EvalSettings])
def test_no_flag_is_declared_twice_and_what_comes_first_exists(settings):
    groups = [kind.__dataclass_fields__ for kind in get_type_hints(settings).values() if is_dataclass(kind)]
    names = [name for fields in groups for name in fields]
    names += [name.replace("-", "_") for ignored in settings.IGNORED.values() for name in ignored]
    assert len(names) == len(set(names))
    assert len(settings.FIRST) == 10 and set(settings.FIRST) <= set(names)
