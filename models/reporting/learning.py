"""Which numbers of a training are drawn, under which title."""

from collections.abc import Iterable
from typing import Any

from utils.files.json_files import is_number
from utils.metrics.criteria import METRICS, with_arrow
from utils.report.curves import Points, panel

# title -> line -> the name in metrics.jsonl (several: the first that is there). Stages have names of their own: trl's
# trainers, the evaluators and the tokenizer.
_PANELS: dict[str, dict[str, tuple[str, ...]]] = {
    "loss": {"training": ("loss", "train/loss"), "held out": ("eval_loss", "val_loss", "val/loss")},
    "token accuracy": {"training": ("mean_token_accuracy",), "held out": ("eval_token_accuracy",)},
    "reward": {"training": ("reward",), "held out": ("held_out_reward/total",)},
    "KL from the start": {"training": ("kl",)},
    "entropy": {"training": ("entropy",)},
    "length of replies (tokens)": {"mean": ("completions/mean_length",), "longest": ("completions/max_length",)},
    "share of replies": {"well formed": ("well_formed",), "cut off": ("completions/clipped_ratio",)},
    "clipped updates": {"share": ("clip_ratio/region_mean",)},
    "rebuilt joints (mm off)": {"held out": ("val_mpjpe_mm",)},
    "codebook in use": {"share": ("val_usage",)},
    "learning rate": {"training": ("learning_rate",)},
}
_REWARD, _MEAN, _HELD_OUT = "rewards/", "/mean", "held_out_reward/"
# Where a stage writes down what an evaluator says of held-out replies: SFT, GRPO (its judge), the evaluators.
_JUDGED = ("eval_", "held_out/", "val_")

Panels = dict[str, dict[str, Points]]


def learning_panels(rows: Iterable[dict[str, Any]]) -> Panels:
    """Title -> line -> points: first what tells whether it learns, then every part of the reward, then the judge."""
    columns = _columns(rows)
    panels: Panels = {
        title: {line: next((columns[name] for name in names if name in columns), []) for line, names in lines.items()}
        for title, lines in _PANELS.items()
    }
    for name, points in columns.items():
        if name.startswith(_REWARD) and name.endswith(_MEAN):
            part = name.removeprefix(_REWARD).removesuffix(_MEAN)
            panels[f"reward: {part}"] = {"training": points, "held out": columns.get(_HELD_OUT + part, [])}
    for name in METRICS:
        own = next((columns[f"{prefix}{name}"] for prefix in _JUDGED if f"{prefix}{name}" in columns), [])
        if name != "loss":
            panels[with_arrow(name)] = {"held-out clips, judged": own}
    shown = {title: {line: points for line, points in lines.items() if points} for title, lines in panels.items()}
    return {title: lines for title, lines in shown.items() if lines}


def learning_curves(rows: Iterable[dict[str, Any]]) -> str:
    """The pictures of one run; empty where it logged nothing that is drawn."""
    shown = "".join(panel(title, lines) for title, lines in learning_panels(rows).items())
    return f'<div class="cards">{shown}</div>' if shown else ""


def _columns(rows: Iterable[dict[str, Any]]) -> dict[str, Points]:
    """Name -> (step, value) in order."""
    columns: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        for name, value in row.items():
            if name not in ("step", "epoch") and is_number(value):
                columns.setdefault(name, []).append((float(row.get("step", 0)), float(value)))
    return columns
