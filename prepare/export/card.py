"""The README.md of an exported folder: what the model is, how it is asked, and the results of its evaluations.

The results stand in a table and, as ``model-index``, in the head that the hub reads.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import EvalResult, ModelCardData

from models.inference.loading import TOKENIZER_FILE
from models.policy.checkpoint import Checkpoint
from utils.errors import InputError
from utils.files.json_files import read_json
from utils.hub import is_hub_id
from utils.metrics.comparison import GENERATED
from utils.metrics.criteria import COMPARED
from utils.metrics.report import Rows, format_table, read_results

RESULTS_FILE = "results.json"
_NAMES = {"t2m": "text to motion", "m2t": "motion to text"}


@dataclass(frozen=True, eq=False)
class CardResults:
    """A finished evaluation of the exported model.

    Attributes:
        task: ``t2m`` or ``m2t``.
        data: name of the data set folder; split: of it.
        com: label of Chain-of-Motion; None without.
        rows: of its results.json.
        signature: one line that says what made the numbers.
    """

    task: str
    data: str
    split: str
    com: str | None
    rows: Rows
    signature: str

    @property
    def how(self) -> str:
        """What stands behind the name of a task or metric, such as `` with Chain-of-Motion 8x2``."""
        return "" if self.com is None else f" with Chain-of-Motion {self.com}"

    def values(self) -> dict[str, float]:
        """The computed metrics of the task, in the order in which it is read."""
        found = self.rows[GENERATED]
        order = [name for name in COMPARED[self.task] if name in found]
        order += [name for name in found if name not in order]
        return {name: found[name].mean for name in order if found[name].mean is not None}


def read_card_results(given: Iterable[str], checkpoint: Checkpoint, tasks: Sequence[str]) -> list[CardResults]:
    """Finished evaluations (their folders, or results.json in them).

    Raises:
        InputError: (with the path) no such evaluation, or one of another checkpoint or task than what is exported.
    """
    found = []
    for one in given:
        path = Path(one) / RESULTS_FILE if Path(one).is_dir() else Path(one)
        rows, content = read_results(path), read_json(path)
        about, task = content.get("about"), content.get("task")
        if GENERATED not in rows or not isinstance(about, dict) or task not in _NAMES:
            raise InputError(f"{path}: not the results of eval_mllm.py")
        if task not in tasks:
            raise InputError(f"{path}: results of {task}, but what is exported does {' and '.join(tasks)}")
        ours = checkpoint.fingerprint(task)
        if about.get("checkpoint") != ours:
            raise InputError(
                f"{path}: results of another checkpoint ({about.get('checkpoint') or 'predictions that were given'}), "
                f"not of the one that is exported ({ours}): evaluate this one"
            )
        asked = read_json(path.parent / "args.json") if (path.parent / "args.json").is_file() else {}
        data = Path(asked["data_root"]).name if isinstance(asked.get("data_root"), str) else str(about.get("data"))
        signature = next(iter(content["rows"][GENERATED].values()))["signature"].partition(" | ")[2]
        found.append(CardResults(task, data, str(about.get("split")), about.get("com"), rows, signature))
    return found


def model_card(
    checkpoint: Checkpoint, tasks: Sequence[str], example: str, dtype: str, results: Sequence[CardResults] = ()
) -> str:
    """The README.md of the folder, whose weights are numbers of type `dtype`."""
    title = f"MoRL policy: {' and '.join(_NAMES[task] for task in tasks)}"
    return (
        f"---\n{_head(checkpoint, title, results)}\n---\n{_body(checkpoint, tasks, example, dtype, title)}"
        + "".join(_table(one) for one in results)
    )


def _head(checkpoint: Checkpoint, title: str, results: Sequence[CardResults]) -> str:
    """What the hub reads of a card, as YAML."""
    backbone = checkpoint.config.backbone
    of_hub = {"base_model": backbone} if is_hub_id(backbone) else {}
    entries = [
        EvalResult(
            task_type="text-to-motion" if one.task == "t2m" else "motion-to-text",
            task_name=_NAMES[one.task],
            dataset_type=one.data,
            dataset_name=one.data,
            dataset_split=one.split,
            metric_type=name.lower(),
            metric_name=f"{name}{one.how}",
            metric_value=round(value, 6),
        )
        for one in results
        for name, value in one.values().items()
    ]
    model_index = {"model_name": title, "eval_results": entries} if entries else {}
    data = ModelCardData(
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["motion", "human-motion", "morl"],
        **of_hub,
        **model_index,
    )
    return data.to_yaml(line_break="\n")


def _body(checkpoint: Checkpoint, tasks: Sequence[str], example: str, dtype: str, title: str) -> str:
    config = checkpoint.config
    parts = checkpoint.parts_of(tasks[0])
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in (checkpoint.metrics or {}).items())
    stages = ", then ".join(f"`{part.stage}` ({part.finetune} fine-tuning)" for part in parts)
    reasoning = "with" if all(part.use_reasoning for part in parts) else "without"
    has_tokenizer = checkpoint.motion_tokenizer is not None
    return f"""# {title}

Merged from a checkpoint: {stages} of `{config.backbone}`.

- fingerprint `{checkpoint.fingerprint(tasks[0])}`{f"; {metrics}" if metrics else ""}
- weights in {dtype}
- {config.nb_code} motion codes, written `<Motion_0>` to `<Motion_{config.nb_code - 1}>`
- {config.style.name} prompts of version {config.prompt_version}, {reasoning} reasoning

The prompt, to be continued by the model up to the end of sequence:

```
{example}
```

The reply is `reasoning</think><answer>...</answer>`; for text to motion the answer is
`<Motion><Motion_17>...</Motion>`. {_in_use(tasks) if has_tokenizer else "No motion tokenizer is here."}
"""


def _in_use(tasks: Sequence[str]) -> str:
    asked = 'llm.generate("a person walks in a circle.")' if "t2m" in tasks else "llm.caption(joints)"
    return f"""`{TOKENIZER_FILE}` turns codes into motion features, with their statistics and skeleton. In the MoRL
project, where `FOLDER` is this folder or its name on the hub:

```python
from models.inference.motion_llm import MotionLLM

llm = MotionLLM.load("FOLDER")
{asked}
```"""


def _table(results: CardResults) -> str:
    """The results of one evaluation as a section."""
    table = format_table({name: values for name, values in results.rows.items() if values}, list(results.values()))
    return f"""
## Results: {_NAMES[results.task]}{results.how}

On the {results.split} split of `{results.data}`, beside real motion:

```
{table}
```

`{results.signature}`
"""
