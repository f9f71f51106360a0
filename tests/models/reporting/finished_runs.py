"""Folders as finished runs leave them, small and without a training: evaluations of the toy people, and trainings."""

import json

import numpy as np

from dataset.humanml.layout import write_mean_std, write_record, write_splits
from dataset.toy.clips import toy_clips
from models.policy.checkpoint import Checkpoint, PolicyConfig, save_checkpoint
from utils.metrics.criteria import COMPARED
from utils.metrics.report import MetricValue, Signature, write_results
from utils.motion.features import features_from_joints
from utils.motion.skeleton import T2M

HOSTILE = "</script><img src=x onerror=alert(1)> & a <b>person</b>"


def write_people(root, count):
    """A data set of toy people, all of them in ``test``; returns their ids."""
    ids = []
    for clip in toy_clips(count, seed=0):
        write_record(root, clip.id, features_from_joints(clip.joints, T2M), clip.joints, clip.captions)
        ids.append(clip.id)
    write_splits(root, {"test": ids})
    write_mean_std(root, np.zeros(T2M.feature_dim), np.ones(T2M.feature_dim))
    return ids


def write_policy(path, motion_tokenizer):
    """A checkpoint that holds nothing but its motion tokenizer; nobody is asked here."""
    save_checkpoint(path, Checkpoint(PolicyConfig("none", 16, 300), (), motion_tokenizer.state()))
    return path


def reply(codes, reasoning="the body walks"):
    motion = "".join(f"<Motion_{code}>" for code in codes)
    return f"{reasoning}</think><answer><Motion>{motion}</Motion></answer>"


def write_run(folder, task, predictions, asked, trace=(), seed=0):
    """An evaluation that is finished."""
    folder.mkdir(parents=True)
    (folder / "args.json").write_text(json.dumps({key: str(value) for key, value in asked.items()}))
    for name, rows in (("predictions.jsonl", predictions), ("trace.jsonl", trace)):
        if rows:
            (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    rng = np.random.default_rng(seed)
    values = {name: MetricValue(float(rng.uniform(0, 1)), 0.012, 64, 20) for name in COMPARED[task]}
    real = {name: values[name] for name in ("R@1", "R@3")}
    signature = Signature("t2m", "test", 0)
    write_results(folder / "results.json", {"real": real, "generated": values}, signature, {"remarks": ["few <clips>"]})
    return folder


def predicted(ids, captions, codes, reasoning="the body walks"):
    """Lines of a t2m evaluation."""
    return [
        {"id": id, "draw": 0, "caption": caption, "text": reply(own, reasoning), "codes": own, "problem": None}
        for id, caption, own in zip(ids, captions, codes, strict=True)
    ]


def grpo_rows(steps=20):
    """metrics.jsonl of GRPO, as its trainer and its validation write it."""
    rows = []
    for step in range(1, steps + 1):
        rows.append({
            "step": step, "loss": 0.1, "reward": step / steps, "kl": 0.01 * step, "entropy": 1.0, "learning_rate": 1e-4,
            "rewards/format/mean": 0.5, "rewards/consistency/mean": 0.2, "completions/mean_length": 40.0,
            "completions/max_length": 80.0, "completions/clipped_ratio": 0.1, "well_formed": 0.9,
        })  # fmt: skip
        if step % 10 == 0:
            rows.append({
                "step": step, "epoch": step // 10, "held_out_reward/format": 0.4, "held_out_reward/total": 0.6,
                "held_out/FID": 1.0 / step, "held_out/R@3": 0.5,
            })  # fmt: skip
    return rows


def write_training(folder, rows):
    folder.mkdir(parents=True)
    (folder / "args.json").write_text(json.dumps({"train_stage": "rlvr", "exp_name": HOSTILE, "seed": 0}))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder
