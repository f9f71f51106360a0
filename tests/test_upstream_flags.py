"""Every flag of the published command lines is accepted, by name."""

import pytest

import eval_mllm
import train_mllm
from options.flags.parsing import parse_flags
from options.flags.published import UnusedEvalFlags, UnusedTrainFlags

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


@pytest.mark.parametrize(
    ("settings", "unused", "line"),
    [(train_mllm.Settings, UnusedTrainFlags, TRAIN), (eval_mllm.Settings, UnusedEvalFlags, EVAL)],
)
def test_published_flags(settings, unused, line, caplog):
    groups = settings.__annotations__.values()
    *values, ignored = parse_flags(*groups, unused, description="", argv=line.split())
    ignored.warn()
    assert len(caplog.records) == 1 and "--reward-glove-path" in caplog.text
    by_name = {name: value for group in values for name, value in vars(group).items()}
    assert by_name["nb_code"] in (512, 1024) and by_name["seed"] == 123
    if settings is eval_mllm.Settings:
        assert by_name["eval_split"] == "val" and by_name["eval_batch_size"] == 8


def test_abbreviations_and_unknown_flags_are_refused(capsys):
    for flag in ("--learning", "--wings"):
        with pytest.raises(SystemExit) as end:
            parse_flags(*train_mllm.Settings.__annotations__.values(), description="", argv=[flag, "1"])
        assert end.value.code == 2 and flag in capsys.readouterr().err


def test_no_flag_is_declared_twice():
    for settings, unused in ((train_mllm.Settings, UnusedTrainFlags), (eval_mllm.Settings, UnusedEvalFlags)):
        names = [name for group in (*settings.__annotations__.values(), unused) for name in group.__dataclass_fields__]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("command", [train_mllm, eval_mllm])
def test_help_groups_the_flags_and_tells_every_default(command, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [command.__name__, "--help"])
    with pytest.raises(SystemExit):
        command.main()
    shown = capsys.readouterr().out
    flags = [text.partition("\n\n")[0] for text in shown.split("\n  --")[1:]]
    assert len(flags) > 60
    assert [text for text in flags if "default" not in text.lower() and not text.startswith("no-resume")] == []
    titles = [line for line in shown.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert len(titles) >= 8 and "language model:" in titles
