"""Which numbers of a training are drawn, under which title."""

from collections.abc import Iterable
from typing import Any

from utils.report.curves import Points, panel

# title -> line -> the name in metrics.jsonl (several: the first that is there). {reward} stands for every reward.
_PANELS: dict[str, dict[str, tuple[str, ...]]] = {
    "loss": {"training": ("loss", "train/loss"), "validation": ("eval_loss", "val_loss", "val/loss")},
    "token accuracy": {"training": ("mean_token_accuracy",), "validation": ("eval_token_accuracy",)},
    "reward": {"training": ("reward",), "held out": ("held_out_reward/total",)},
    "KL from the start": {"training": ("kl",)},
    "entropy": {"training": ("entropy",)},
    "length of replies (tokens)": {"mean": ("completions/mean_length",), "longest": ("completions/max_length",)},
    "share of replies": {"well formed": ("well_formed",), "cut at the limit": ("completions/clipped_ratio",)},
    "clipped updates": {"share": ("clip_ratio/region_mean",)},
    "learning rate": {"training": ("learning_rate",)},
}
_REWARD, _MEAN, _HELD_OUT = "rewards/", "/mean", "held_out_reward/"
_JUDGED = ("FID", "R@1", "R@3", "MM-Dist", "CIDEr", "BLEU@4", "ROUGE-L")


def learning_curves(rows: Iterable[dict[str, Any]]) -> str:
    """The pictures of one run, those first that tell whether it learns; empty where it logged nothing that is drawn."""
    columns = _columns(rows)
    panels = []
    for title, lines in _PANELS.items():
        found = {line: next((columns[name] for name in names if name in columns), []) for line, names in lines.items()}
        panels.append(panel(title, found))
    rewards = {
        name.removeprefix(_REWARD).removesuffix(_MEAN): points
        for name, points in columns.items()
        if name.startswith(_REWARD) and name.endswith(_MEAN)
    }
    for name, points in rewards.items():
        panels.append(panel(f"reward: {name}", {"training": points, "held out": columns.get(_HELD_OUT + name, [])}))
    for metric in _JUDGED:
        own = next((columns[name] for name in (f"eval_{metric}", f"judge/{metric}", metric) if name in columns), [])
        panels.append(panel(metric, {"held-out clips": own}))
    shown = "".join(panels)
    return f'<div class="cards">{shown}</div>' if shown else ""


def _columns(rows: Iterable[dict[str, Any]]) -> dict[str, Points]:
    """Name -> (step, value) in order."""
    columns: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        for name, value in row.items():
            if name not in ("step", "epoch") and isinstance(value, (int, float)) and not isinstance(value, bool):
                columns.setdefault(name, []).append((float(row.get("step", 0)), float(value)))
    return columns
