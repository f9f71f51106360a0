"""--trainer-config: numbers as they are written, and one line for what is no field, no YAML or of another type."""

import pytest
from transformers.utils import is_liger_kernel_available
from trl import GRPOConfig, SFTConfig

from options.trainer_file import CHECKPOINTING, read_trainer_file
from options.trl_configs import check_parts
from utils.errors import InputError


@pytest.fixture
def read(tmp_path):
    def of(text, kind=SFTConfig):
        file = tmp_path / "further.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_trainer_file(str(file), kind)

    return of


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("learning_rate: 1e-5", {"learning_rate": 1e-5}),
        ("learning_rate: 2.5E-3", {"learning_rate": 2.5e-3}),
        ("adam_epsilon: .5e-8\nadam_beta2: 0.95", {"adam_epsilon": 0.5e-8, "adam_beta2": 0.95}),
        ("max_steps: 1e3", {"max_steps": 1000}),
        ("max_steps: -1", {"max_steps": -1}),
        ("num_train_epochs: 3", {"num_train_epochs": 3.0}),
        ("run_name: 1e5x", {"run_name": "1e5x"}),
        ("lr_scheduler_kwargs: {min_lr: 1e-6}", {"lr_scheduler_kwargs": {"min_lr": 1e-6}}),
        ("gradient_checkpointing: false", {CHECKPOINTING: False}),
        ("activation_checkpointing: true", {CHECKPOINTING: True}),
        ("logging_first_step: yes\nsave_total_limit: null", {"logging_first_step": True, "save_total_limit": None}),
        ("", {}),
        (b"\xef\xbb\xbfweight_decay: 1e-2\r\n", {"weight_decay": 0.01}),
    ],
)
def test_values_are_what_they_look_like(read, text, fields):
    found = read(text)
    assert found == fields and [type(value) for value in found.values()] == [type(value) for value in fields.values()]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_steps: [1,", "not a YAML file"),
        ("a: b: c", "not a YAML file"),
        ("\tmax_steps: 3", "not a YAML file"),
        ("learning_rate: !!python/object/apply:os.system [ls]", "not a YAML file"),
        ("max_steps: 3\nmax_steps: 4", "'max_steps' is listed twice"),
        ("[" * 5000, "not a YAML file"),
        ("- max_steps", "NAME: VALUE, found list"),
        ("max_steps", "NAME: VALUE, found str"),
        ("learning_rates: 1e-5", "SFTConfig has no field learning_rates (is learning_rate meant?)"),
        ("3: 4", "has no field 3"),
        ("beta: 0.1", "has no field beta"),
        ("learning_rate: fast", "learning_rate: expected a number, found 'fast'"),
        ("learning_rate: '1e-5'", "learning_rate: expected a number, found '1e-5'"),
        ("learning_rate: .nan", "learning_rate: expected a finite number"),
        ("learning_rate: -.inf", "learning_rate: expected a finite number"),
        ("learning_rate: -1", "learning_rate: must be positive, not -1"),
        ("weight_decay: -1", "weight_decay: must not be negative, not -1"),
        ("dataloader_num_workers: -1", "dataloader_num_workers: must not be negative, not -1"),
        ("max_grad_norm: -5", "max_grad_norm: must not be negative, not -5"),
        ("data_seed: -1", "data_seed: must not be negative, not -1"),
        ("data_seed: 4294967296", "data_seed: must not be above 4294967295, not 4294967296"),
        ("per_device_train_batch_size: 0", "must be positive, not 0"),
        ("max_steps: 1.5", "max_steps: expected a whole number, found 1.5"),
        ("max_steps: true", "max_steps: expected a whole number, found True"),
        ("bf16: 1", "bf16: expected true or false, found 1"),
        ("optim: 3", "optim: expected a text, found 3"),
        ("max_steps: null", "max_steps: expected a whole number, found None"),
        ("output_dir: /x", "output_dir cannot be set: see --out-dir"),
        ("save_strategy: steps", "save_strategy cannot be set: states are saved after every epoch"),
        ("load_best_model_at_end: true", "load_best_model_at_end cannot be set"),
        ("gradient_checkpointing: true\nactivation_checkpointing: false", "_checkpointing stand there by two"),
        (b"run_name: caf\xe9", "further.yaml:1: not UTF-8"),
        (b"run_name: \0", "further.yaml:1: a NUL byte"),
        ("lr_scheduler_kwargs: foo", "lr_scheduler_kwargs: expected names with values, found 'foo'"),
        ("neftune_noise_alpha: -1", "neftune_noise_alpha: must not be negative, not -1"),
        ("eval_accumulation_steps: 0", "eval_accumulation_steps: must be positive, not 0"),
        ("seed: 7", "seed cannot be set: see --seed"),
        ("report_to: wandb", "report_to cannot be set: see --report-to"),
        ("metric_for_best_model: nothing", "metric_for_best_model cannot be set: the best checkpoint is chosen by"),
        ("greater_is_better: true", "greater_is_better cannot be set"),
        ("loss_type: dft", "loss_type cannot be set: the loss is the cross-entropy with a weight per token"),
        ("label_smoothing_factor: 0.1", "label_smoothing_factor cannot be set: the loss is the cross-entropy"),
        ("completion_only_loss: true", "completion_only_loss cannot be set: the reply is learned"),
        ("assistant_only_loss: true", "assistant_only_loss cannot be set: the reply is learned"),
        ("eval_strategy: steps", "eval_strategy cannot be set: see --epochs-start-val"),
        ("eval_steps: 5", "eval_steps cannot be set: see --epochs-start-val"),
        ("pad_token: <pad>", "pad_token cannot be set"),
        ("chat_template_path: /nowhere", "chat_template_path cannot be set: see --prompt-style"),
        ("label_names: [answer]", "label_names cannot be set"),
        ("use_cpu: true", "use_cpu cannot be set: see --device"),
    ],
)
def test_a_mistake_is_one_line(read, text, said):
    with pytest.raises(InputError) as error:
        read(text)
    assert said in str(error.value) and "\n" not in str(error.value) and "further.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("top_p: 3", "top_p: must not be above 1, not 3"),
        ("top_p: 0", "top_p: must be positive, not 0"),
        ("min_p: 1.5", "min_p: must not be above 1"),
        ("top_k: -3", "top_k: must not be negative, not -3"),
        ("repetition_penalty: 0", "repetition_penalty: must be positive, not 0"),
        ("delta: -1", "delta: must be positive, not -1"),
        ("top_entropy_quantile: 2", "top_entropy_quantile: must not be above 1, not 2"),
        ("epsilon_high: -0.5", "epsilon_high: must not be negative"),
        ("reward_weights: [1, 2, 3]", "reward_weights cannot be set: see --rewards"),
        ("eval_strategy: epoch", "eval_strategy cannot be set: see --rl-val-epochs"),
        ("chat_template_kwargs: {enable_thinking: false}", "chat_template_kwargs cannot be set"),
        ("use_vllm: true", "use_vllm cannot be set: trl would load the plain backbone, without motion"),
        ("scale_rewards: foo", "scale_rewards: expected group or batch or none, found 'foo'"),
    ],
)
def test_a_mistake_about_how_grpo_samples_is_one_line(read, text, said):
    with pytest.raises(InputError) as error:
        read(text, GRPOConfig)
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("generation_kwargs: {no_such: 1}", "generation_kwargs: generation has no no_such; leave it out"),
        ("generation_kwargs: {min_lenght: 1}", r"generation_kwargs: .* min_lenght \(is min_length meant\?\)"),
    ],
)
def test_what_generation_would_pass_over_is_refused(read, text, said):
    fields = read(text, GRPOConfig)
    config = GRPOConfig(output_dir="run", report_to=[], use_cpu=True, bf16=False, **fields)
    with pytest.raises(InputError, match=said):
        check_parts(config, fields, "f.yaml")


def test_fields_are_those_of_the_stage(read):
    assert read("beta: 1e-1\nnum_generations: 4", GRPOConfig) == {"beta": 0.1, "num_generations": 4}


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_trainer_file(str(tmp_path / "x.yaml"), SFTConfig)


@pytest.mark.parametrize("kind", [SFTConfig, GRPOConfig])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("use_liger_kernel: true", r"use_liger_kernel: its package is not installed \(pip install liger-kernel\)"),
        ("lr_scheduler_kwargs: {no_such: 1}", "lr_scheduler_kwargs: the schedule takes no no_such; leave it"),
        (
            "lr_scheduler_type: cosine\nlr_scheduler_kwargs: {num_cycles: many}",
            "lr_scheduler_type, lr_scheduler_kwargs: .*'many'; leave them out, or give what transformers knows",
        ),
        ("lr_scheduler_type: warmup_stable_decay", "lr_scheduler_type: .*'num_decay_steps'; leave it out"),
        ("lr_scheduler_type: cosine_with_min_lr", "lr_scheduler_type: One of min_lr or min_lr_rate should be set"),
        ("optim: adamw_torch_npu_fused", "optim: .*torch_npu"),
        ("log_level: loud", "log_level: 'loud'; leave it out"),
        ("adam_beta1: 3", "adam_beta1: Invalid beta parameter"),
        (
            "optim_target_modules: all-linear",
            "optim_target_modules: the optimiser adamw_torch.* does not read optim_targ",
        ),
        ("optim: sgd\nadam_beta2: 0.95", "optim, adam_beta2: the optimiser sgd does not read adam_beta2"),
        ("optim_args: rank=3", "optim_args: the optimiser adamw_torch.* does not read optim_args"),
        ("fp16: true", "fp16: a CPU has no training in float16"),
    ],
)
def test_what_the_trainer_would_refuse_after_loading_is_one_line_at_once(read, kind, text, said):
    if text.startswith("use_liger") and is_liger_kernel_available():
        pytest.skip("liger-kernel is installed")
    fields = read(text, kind)
    with pytest.raises(InputError, match=rf"^f\.yaml: {said}") as error:
        check_parts(kind(output_dir="run", report_to=[], use_cpu=True, bf16=False, **fields), fields, "f.yaml")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "optim: adafactor",
        "optim: sgd\nlr_scheduler_type: constant",
        "optim: sgd\noptim_args: momentum=0.9",
        "adam_beta2: 0.95\nadam_epsilon: 1e-6",
        "lr_scheduler_type: warmup_stable_decay\nlr_scheduler_kwargs: {num_decay_steps: 20000}",
        "lr_scheduler_type: cosine_with_min_lr\nlr_scheduler_kwargs: {min_lr: 1e-6}",
    ],
)
def test_what_the_trainer_takes_passes(read, text):
    fields = read(text)
    check_parts(SFTConfig(output_dir="run", report_to=[], use_cpu=True, bf16=False, **fields), fields, "f.yaml")


def test_what_no_field_of_the_file_asks_for_is_our_own_mistake():
    config = SFTConfig(output_dir="run", report_to=[], use_cpu=True, bf16=False, lr_scheduler_kwargs={"no_such": 1})
    with pytest.raises(ValueError, match="no_such"):
        check_parts(config, {"max_steps": 3}, "f.yaml")
