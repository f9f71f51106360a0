"""Evaluate a checkpoint: text to motion (t2m) or motion to text (m2t), with or without Chain-of-Motion.

    python eval_mllm.py --eval-task t2m --eval-ckpt experiments/morl_rlvr_t2m/motionllm_rlvr_epoch_2.pth
    python eval_mllm.py --eval-task t2m --eval-ckpt ... --use-com --com-candidates 8 --com-refine-steps 2

Writes results.json (every number with the signature of what made it), predictions.jsonl and, with Chain-of-Motion,
trace.jsonl. The same command again shows the finished results.
"""

import logging
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from com.chain_of_motion import Chain, Request, Score, chain_of_motion_batch
from dataset.caption_lines import Caption
from dataset.humanml_layout import MotionRecord, read_split
from models.checkpoints import Checkpoint, build_policy, load_checkpoint, motion_tokenizer_of
from models.motion_evaluation import (
    Judge,
    Metrics,
    is_well_formed,
    motion_to_text_metrics,
    real_motion_metrics,
    text_to_motion_metrics,
)
from models.motion_llm import MotionLLM, Sampling
from models.prompts import Query, Reflection
from models.rollout import Rollout
from models.text_motion_evaluator import TextMotionEvaluator
from options.arguments import ComFlags, DataFlags, EvalFlags, ModelFlags, RewardFlags, RunFlags
from options.parsing import FlagError, parse_flags
from options.published_flags import TokenizerShapeFlags, UnusedEvalFlags
from rewards.base import RewardContext
from rewards.build import WeightedRewards, parse_reward_weights, usable_for
from utils.caption_tagger import CaptionTagger, Tagger
from utils.command import quiet_libraries, run_command
from utils.devices import resolve_device
from utils.errors import InputError
from utils.files import write_jsonl
from utils.metric_report import Signature, format_table, read_results, write_results
from utils.run_folder import RunFolder


@dataclass(frozen=True)
class Settings:
    """All flags of one command line."""

    run: RunFlags
    data: DataFlags
    model: ModelFlags
    evaluation: EvalFlags
    rewards: RewardFlags
    com: ComFlags
    shape: TokenizerShapeFlags

    def as_dict(self) -> dict:
        return {name: value for group in asdict(self).values() for name, value in group.items()}


@dataclass(frozen=True)
class Questions:
    """What is asked: for each, the query, the real motion, the caption drawn for it and all its captions."""

    queries: tuple[Query, ...]
    records: tuple[MotionRecord, ...]
    captions: tuple[Caption, ...]

    @property
    def references(self) -> list[tuple[str, ...]]:
        return [tuple(caption.text for caption in record.captions) for record in self.records]


def main() -> None:
    *groups, unused = parse_flags(*Settings.__annotations__.values(), UnusedEvalFlags, description=__doc__)
    settings = Settings(*groups)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    quiet_libraries()
    unused.warn()
    flags = settings.evaluation
    if flags.eval_ckpt is None:
        raise InputError("--eval-ckpt is needed: the checkpoint to evaluate")
    checkpoint = load_checkpoint(flags.eval_ckpt)
    if flags.eval_task not in checkpoint.config.tasks:
        raise InputError(
            f"{flags.eval_ckpt} was trained for {', '.join(checkpoint.config.tasks)}, not {flags.eval_task}"
        )
    try:
        settings.shape.check_against(checkpoint.config.nb_code, flags.eval_ckpt)
    except FlagError as error:
        raise InputError(str(error)) from error
    run = RunFolder(_run_path(settings))
    run.record_arguments(settings.as_dict(), may_differ=("device", "reward_device"))
    if run.finished is None:
        evaluate(settings, checkpoint, run)
    print(format_table(read_results(run.path / "results.json")))
    print(f"finished {run.path / 'results.json'}")


def evaluate(settings: Settings, checkpoint: Checkpoint, run: RunFolder) -> None:
    flags, seed = settings.evaluation, settings.run.seed
    device = resolve_device(settings.run.device)
    motion_tokenizer = motion_tokenizer_of(checkpoint, settings.data.motion_tokenizer, flags.eval_ckpt).to(device)
    skeleton = motion_tokenizer.skeleton
    root = settings.data.data_root_or_default
    records = read_split(root, flags.eval_split, skeleton)[: flags.limit]
    judge = Judge(_load_evaluator("--eval-evaluator", flags.eval_evaluator, settings, device), flags.repeats, seed)
    tagger = CaptionTagger.default(
        (caption.text, caption.tokens) for record in read_split(root, "train", skeleton) for caption in record.captions
    )
    rewards, ranker = _scorers(settings, motion_tokenizer.nb_code, skeleton, tagger, device)
    model, vocabulary = build_policy(checkpoint, settings.model.llm_backbone)
    llm = MotionLLM(model.to(device), vocabulary, motion_tokenizer)
    questions = ask(records, flags.eval_task, llm, seed)
    run.record_environment(seed, device=str(device))

    draws: list[list[Rollout]] = []
    chains: list[list[Chain[Rollout]]] = []
    for draw in range(flags.samples):
        sampling = Sampling(
            flags.temperature, flags.top_p, flags.max_new_tokens, flags.eval_batch_size, seed=seed + 1000 * draw
        )
        label = f"{flags.eval_task} draw {draw + 1}/{flags.samples}"
        if rewards is None:
            draws.append(llm.answer(questions.queries, sampling, questions.references, progress=label))
        else:
            found = answer_by_com(llm, questions, rewards, sampling, settings.com, label)
            chains.append(found)
            draws.append([
                replace(chain.best, reference=references)
                for chain, references in zip(found, questions.references, strict=True)
            ])  # fmt: skip

    real = [record.features for record in questions.records]
    rows: dict[str, Metrics] = {}
    if flags.eval_task == "t2m":
        tokens = [caption.tokens for caption in questions.captions]
        rows["real"] = real_motion_metrics(questions.records, judge)
        rows["generated"] = text_to_motion_metrics(draws, tokens, real, judge)
    else:
        rows["generated"] = motion_to_text_metrics(draws, real, tagger, judge)
    same = ranker is not None and ranker.fingerprint == judge.evaluator.fingerprint
    signature = Signature(
        data=settings.data.dataname,
        split=flags.eval_split,
        seed=seed,
        evaluator=judge.evaluator.fingerprint,
        checkpoint=checkpoint.fingerprint(),
        com=f"{settings.com.com_candidates}x{settings.com.com_refine_steps}" if rewards is not None else None,
        protocol="raw" if flags.eval_task == "m2t" else None,
        notes="judge=ranker" if same else None,
    )
    failed = sum(not is_well_formed(rollout) for rollouts in draws for rollout in rollouts)
    extra = {
        "task": flags.eval_task,
        "replies": sum(map(len, draws)),
        "malformed": failed,
        "sampling": {"temperature": flags.temperature, "top_p": flags.top_p, "samples": flags.samples},
        "tagger": tagger.name,
    }
    write_predictions(run.path, draws, chains)
    write_results(run.path / "results.json", rows, signature, extra)
    run.finish(extra)


def ask(records: Sequence[MotionRecord], task: str, llm: MotionLLM, seed: int) -> Questions:
    """One question per record: a caption drawn by the seed (t2m), or the codes of the real motion (m2t)."""
    rng = random.Random(seed)
    captions = [rng.choice(record.captions) for record in records]
    if task == "t2m":
        queries = [Query("t2m", caption=c.text, id=record.id) for record, c in zip(records, captions, strict=True)]
    else:
        codes = llm.motion_tokenizer.encode_batch([record.features for record in records])
        queries = [
            Query("m2t", codes=tuple(item.tolist()), id=record.id) for record, item in zip(records, codes, strict=True)
        ]
    return Questions(tuple(queries), tuple(records), tuple(captions))


def answer_by_com(
    llm: MotionLLM, questions: Questions, rewards: WeightedRewards, sampling: Sampling, com: ComFlags, label: str
) -> list[Chain[Rollout]]:
    """Chain-of-Motion over all questions at once. Candidates never carry references, so no scorer can see one."""

    def generate(requests: list[Request[Query, Rollout]]) -> list[list[Rollout]]:
        number = requests[0].round
        queries = [replace(r.query, reflection=_reflection(r)) for r in requests for _ in range(r.count)]
        drawn = replace(sampling, seed=sampling.seed + number + 1)
        answers = iter(llm.answer(queries, drawn, progress=f"{label}, round {number + 1}"))
        return [[next(answers) for _ in range(request.count)] for request in requests]

    def score(candidates: list[Rollout], _: list[Request[Query, Rollout]]) -> list[Score]:
        table = rewards.table(candidates)
        return [
            Score(total, {name: column[index] for name, column in table.items()})
            for index, total in enumerate(rewards.combine(table))
        ]

    return chain_of_motion_batch(
        questions.queries, generate, score, com.com_candidates, com.com_refine_steps,
        key=lambda rollout: rollout.token_ids,
    )  # fmt: skip


def _reflection(request: Request[Query, Rollout]) -> Reflection | None:
    if request.best is None:
        return None
    best = request.best.candidate
    return Reflection(best.reasoning or "", (best.answer or "") if best.task == "m2t" else "")


def write_predictions(folder: Path, draws: Sequence[Sequence[Rollout]], chains: Sequence[Sequence[Chain]]) -> None:
    """predictions.jsonl (one reply a line) and, for Chain-of-Motion, trace.jsonl (one candidate a line)."""
    write_jsonl(
        folder / "predictions.jsonl",
        ({"draw": draw, **_row(rollout)} for draw, rollouts in enumerate(draws) for rollout in rollouts),
    )
    if chains:
        write_jsonl(
            folder / "trace.jsonl",
            (
                {
                    "draw": draw, "round": attempt.round, "chosen": attempt.chosen, "total": attempt.score.total,
                    "scores": dict(attempt.score.parts), **_row(attempt.candidate),
                }
                for draw, found in enumerate(chains)
                for chain in found
                for attempt in chain.trace
            ),
        )  # fmt: skip


def _row(rollout: Rollout) -> dict:
    return {
        "id": rollout.id,
        "task": rollout.task,
        "caption": rollout.caption,
        "text": rollout.text,
        "codes": rollout.codes.tolist() if rollout.codes is not None else None,
        "well_formed": is_well_formed(rollout),
    }


def _scorers(
    settings: Settings, nb_code: int, skeleton: object, tagger: Tagger, device: torch.device
) -> tuple[WeightedRewards | None, TextMotionEvaluator | None]:
    """Reference-free rewards that rank candidates, and the evaluator among them; (None, None) without --use-com."""
    if not settings.com.use_com:
        return None, None
    flags = settings.rewards
    weights = parse_reward_weights(flags.rewards) if flags.rewards else flags.weights()
    weights.pop("semantic", None)  # reads the reference
    weights = usable_for(weights, (settings.evaluation.eval_task,))
    evaluator = None
    if "consistency" in weights:
        evaluator = _load_evaluator("--reward-evaluator", flags.reward_evaluator, settings, device)
    context = RewardContext(
        skeleton=skeleton,
        nb_code=nb_code,
        evaluator=evaluator,
        tagger=tagger,
        semantic_model_name=flags.semantic_model_name,
        nli_model_name=flags.nli_model_name,
        device=flags.reward_device or str(device),
        max_batch_size=flags.reward_max_batch_size,
    )
    return WeightedRewards.build(weights, context).without_references(), evaluator


def _load_evaluator(name: str, folder: str | None, settings: Settings, device: torch.device) -> TextMotionEvaluator:
    folder = folder or f"checkpoints/{settings.data.dataname}"
    if not Path(folder).is_dir():
        raise InputError(f"no text-motion evaluator at {folder}: give {name} FOLDER (made by prepare.train_evaluator)")
    return TextMotionEvaluator.load(folder, device=str(device))


def _run_path(settings: Settings) -> Path:
    checkpoint = Path(settings.evaluation.eval_ckpt)
    name = f"eval_{settings.evaluation.eval_task}_{checkpoint.stem}" + ("_com" if settings.com.use_com else "")
    if settings.run.exp_name is None:
        return checkpoint.parent / name
    return Path(settings.run.out_dir) / settings.run.exp_name


if __name__ == "__main__":
    run_command(main)
