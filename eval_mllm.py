"""Evaluate a checkpoint, or anybody's predictions: text to motion (t2m) or motion to text (m2t).

    python eval_mllm.py --eval-task t2m --eval-ckpt experiments/morl_rlvr_t2m/motionllm_rlvr_epoch_2.pth
    python eval_mllm.py --eval-task t2m --eval-ckpt ... --use-com --com-candidates 8 --com-refine-steps 2
    python eval_mllm.py --eval-task m2t --from-predictions predictions.jsonl --exp-name somebody
    python eval_mllm.py --compare a/results.json b/results.json

Writes results.json (every number with the signature of what made it), predictions.jsonl with the scores of every
reply and, with Chain-of-Motion, trace.jsonl. The same command again continues an interrupted evaluation, or shows the
results of a finished one.
"""

import logging
import random
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from com.answering import ReplyFile, answer_all
from com.ranking import AGREEMENT, Ranking
from com.reply_search import ComSettings, cost_of_rounds
from com.trace import readable_traces, write_trace
from dataset.captions.tagger import Tagger
from dataset.humanml.layout import read_split, tagger_of
from models.evaluation.captions import judge_captions, real_caption_metrics
from models.evaluation.judge import Judge, Metrics
from models.evaluation.motions import judge_motions, real_motion_metrics
from models.evaluation.multimodality import SAMPLES, multimodality_metric
from models.evaluation.predictions import arrange
from models.evaluation.predictions_file import read_predictions
from models.evaluation.questions import Questions, predictions_of
from models.evaluation.results import Replies, write_evaluation
from models.language.motion_llm import MotionLLM, Sampling
from models.policy.checkpoint import Checkpoint, load_checkpoint, motion_tokenizer_of
from models.policy.policy import build_policy
from models.text_motion.evaluator import TextMotionEvaluator
from models.tokenizer.motion_tokenizer import MotionTokenizer
from options.flags.com import ComFlags
from options.flags.common import DataFlags, ModelFlags, RunFlags
from options.flags.evaluation import EvalFlags
from options.flags.parsing import FlagError, parse_flags
from options.flags.published import TokenizerShapeFlags, UnusedEvalFlags
from options.flags.rewards import RewardFlags
from rewards.lacking import Lacking
from rewards.mixture.loading import load_rewards
from rewards.mixture.ranking import scorer_weights
from rewards.mixture.weighted import parse_reward_weights
from rewards.text_models import SentenceEncoder, find_model
from utils.errors import InputError
from utils.files.fingerprints import fingerprint_file
from utils.metrics.bert_score import BertScorer
from utils.metrics.comparison import comparison
from utils.metrics.report import MetricValue, Signature, format_table, read_results, transposed
from utils.metrics.text_motion import pairs_of_diversity
from utils.motion.skeleton import Skeleton, get_skeleton
from utils.run.command import quiet_libraries, run_command
from utils.run.devices import model_dtype, resolve_device
from utils.run.folder import RunFolder
from utils.run.stage_timer import StageTimer

# Replies of an evaluation that is not finished.
REPLIES_FILE, MULTIMODALITY_FILE = "replies.part.jsonl", "multimodality.part.jsonl"
TRACE_FILE = "trace.jsonl"
# Flags that change where an evaluation works and what it shows, not what it finds.
MAY_DIFFER = ("device", "reward_device", "profile", "eval_batch_size", "show_trace")


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


def main() -> None:
    *groups, unused = parse_flags(*Settings.__annotations__.values(), UnusedEvalFlags, description=__doc__)
    settings = Settings(*groups)
    flags = settings.evaluation
    if flags.compare:
        print(comparison(flags.compare))
        return
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    quiet_libraries()
    unused.warn()
    if flags.eval_ckpt is None and flags.from_predictions is None:
        raise InputError("--eval-ckpt is needed: the checkpoint to evaluate (or --from-predictions FILE)")
    checkpoint = None if flags.eval_ckpt is None else _checkpoint(settings)
    run = RunFolder(_run_path(settings))
    run.record_arguments(settings.as_dict(), may_differ=MAY_DIFFER)
    if run.finished is None:
        timer = StageTimer()
        evaluate(settings, checkpoint, run, timer)
        if flags.profile:
            print(timer.table())
    if settings.com.use_com:
        for text in readable_traces(run.path / TRACE_FILE, settings.com.show_trace):
            print(text)
    print(format_table(transposed(read_results(run.path / "results.json"))))
    print(f"finished {run.path / 'results.json'}")


def evaluate(settings: Settings, checkpoint: Checkpoint | None, run: RunFolder, timer: StageTimer) -> None:
    flags, seed = settings.evaluation, settings.run.seed
    device = resolve_device(settings.run.device)
    with timer.stage("reading data and evaluator"):
        tokenizer = _motion_tokenizer(settings, checkpoint, device)
        skeleton = get_skeleton(settings.data.dataname)
        root = settings.data.data_root_or_default
        records = read_split(root, flags.eval_split, skeleton)[: flags.limit]
        judging = flags.eval_evaluator or settings.data.default_evaluator
        judge = Judge(TextMotionEvaluator.load(judging, device=str(device)), flags.repeats, seed)
        questions = Questions.draw(flags.eval_task, records, tagger_of(root, skeleton), seed)
        bert_score = _bert_score(flags, device)
    for what, found in (("motion tokenizer", tokenizer), ("evaluator", judge.evaluator)):
        if found is not None and found.skeleton != skeleton:
            raise InputError(f"the {what} is for --dataname {found.skeleton.name}, not {skeleton.name}")
    run.record_environment(seed, device=str(device))
    if flags.from_predictions is not None:
        with timer.stage("reading predictions"):
            replies = given(settings, questions, tokenizer, skeleton)
        questions = questions.as_answered(replies.draws)
    else:
        replies = generate(settings, checkpoint, questions, tokenizer, judge, run, timer, device)

    about: dict[str, object] = {
        "task": flags.eval_task,
        "sampling": {"temperature": flags.temperature, "top_p": flags.top_p, "samples": len(replies.draws)},
        "tagger": questions.tagger.name,
        "bertscore": None if bert_score is None else bert_score.label,
        "chain_of_motion": replies.com_cost,
    }
    with timer.stage("judging"):
        rows: dict[str, Metrics] = {}
        if flags.eval_task == "t2m":
            rows["real"] = real_motion_metrics(records, judge)
            tokens = [caption.tokens for caption in questions.captions]
            judged = judge_motions(replies.draws, tokens, [record.features for record in records], judge)
            judged.metrics["MultiModality"] = replies.multimodality or MetricValue(None, None, 0, 0)
            usable = [sum(scores["MM-Dist"] is not None for scores in own) for own in judged.samples]
            about["diversity_pairs"] = [pairs_of_diversity(count) for count in usable]
        else:
            rows["real"] = real_caption_metrics(records, judge)
            score = None if bert_score is None else bert_score.score
            judged = judge_captions(replies.draws, records, questions.tagger, judge, flags.m2t_protocol, score)
        rows["generated"] = judged.metrics
    signature = Signature(
        data=settings.data.dataname,
        split=flags.eval_split,
        seed=seed,
        evaluator=judge.evaluator.fingerprint,
        checkpoint=replies.checkpoint,
        com=replies.com,
        protocol=flags.m2t_protocol if flags.eval_task == "m2t" else None,
        notes=",".join(replies.notes) or None,
    )
    run.finish(write_evaluation(run.path, replies, judged, rows, signature, about))
    for name in (REPLIES_FILE, MULTIMODALITY_FILE):
        (run.path / name).unlink(missing_ok=True)


def generate(
    settings: Settings, checkpoint: Checkpoint, questions: Questions, tokenizer: MotionTokenizer, judge: Judge,
    run: RunFolder, timer: StageTimer, device: torch.device,
) -> Replies:  # fmt: skip
    """Replies of the checkpoint to every question; those on disk from an interrupted evaluation are not asked again."""
    flags, seed = settings.evaluation, settings.run.seed
    with timer.stage("loading the model"):
        model, vocabulary = build_policy(checkpoint, flags.eval_task, settings.model.llm_backbone)
        model = model.to(device, model_dtype(settings.model.precision, device))
        llm = MotionLLM(model, vocabulary, tokenizer, checkpoint.config.style)
        com, ranker = _chain_of_motion(settings, tokenizer, questions.tagger, device)
        queries = questions.queries(tokenizer)
    sampling = Sampling(flags.temperature, flags.top_p, flags.max_new_tokens, flags.eval_batch_size, seed=seed)
    file = ReplyFile(run.path / REPLIES_FILE)
    with timer.stage("generation"):
        known = questions.references if settings.com.com_oracle else None
        rows = answer_all(llm, queries, sampling, flags.samples, file, flags.eval_task, com, known)
    with timer.stage("decoding motions"):
        draws = [predictions_of(row, queries, tokenizer) for row in rows]
    diversity = None
    mm_repeats = flags.mm_repeats if flags.mm_repeats is not None else (0 if com else SAMPLES)
    if flags.eval_task == "t2m" and mm_repeats:
        with timer.stage("MultiModality"):
            chosen = random.Random(seed).sample(range(len(queries)), min(flags.mm_texts, len(queries)))
            part = ReplyFile(run.path / MULTIMODALITY_FILE)
            again = replace(sampling, seed=sampling.seed + 500)  # not the replies that the other metrics see
            asked = [queries[index] for index in chosen]
            known = None if known is None else [known[index] for index in chosen]
            found = answer_all(llm, asked, again, mm_repeats, part, "MultiModality", com, known)
            replies = [predictions_of(row, asked, tokenizer) for row in found]
            by_text = list(zip(*replies, strict=True))
            diversity = multimodality_metric(judge.evaluator, by_text, repeats=flags.repeats, seed=seed)
    cost = None
    if com is not None:
        write_trace(run.path / TRACE_FILE, rows)
        cost = {"scorers": com.rank.weights, "rounds": cost_of_rounds([row for draw in rows for row in draw])}
    notes = []
    if ranker is not None and ranker.fingerprint == judge.evaluator.fingerprint:
        notes.append("judge=ranker")
    if judge.evaluator.fingerprint in checkpoint.rewarded_by(flags.eval_task):
        notes.append("judge=reward")
    signed = checkpoint.fingerprint(flags.eval_task)
    return Replies(draws, signed, settings.com.label, tuple(notes), diversity, cost)


def given(settings: Settings, questions: Questions, tokenizer: MotionTokenizer | None, skeleton: Skeleton) -> Replies:
    """The predictions of --from-predictions, in the order of the records."""
    flags = settings.evaluation
    path = Path(flags.from_predictions)
    found = read_predictions(path, flags.eval_task, skeleton, tokenizer)
    ids = [record.id for record in questions.records]
    if flags.limit is not None:
        wanted = set(ids)
        found = [prediction for prediction in found if prediction.id in wanted]
    source = fingerprint_file(path) if path.is_file() else path.name
    return Replies(arrange(found, ids, str(path), logging.warning), None, None, (f"predictions={source}",))


def _checkpoint(settings: Settings) -> Checkpoint:
    flags = settings.evaluation
    checkpoint = load_checkpoint(flags.eval_ckpt)
    checkpoint.check_tasks([flags.eval_task], flags.eval_ckpt)
    try:
        settings.shape.check_against(checkpoint.config.nb_code, flags.eval_ckpt)
    except FlagError as error:
        raise InputError(str(error)) from error
    return checkpoint


def _motion_tokenizer(
    settings: Settings, checkpoint: Checkpoint | None, device: torch.device
) -> MotionTokenizer | None:
    """The checkpoint's tokenizer, or the one named for given predictions (None: they may not need one)."""
    path = settings.data.motion_tokenizer
    if checkpoint is not None:
        return motion_tokenizer_of(checkpoint, path, settings.evaluation.eval_ckpt).to(device)
    return None if path is None else MotionTokenizer.load(path, device)


def _chain_of_motion(
    settings: Settings, tokenizer: MotionTokenizer, tagger: Tagger, device: torch.device
) -> tuple[ComSettings | None, TextMotionEvaluator | None]:
    """Chain-of-Motion as the flags say, and the evaluator among its scorers; (None, None) without --use-com."""
    com, flags = settings.com, settings.rewards
    if not com.use_com:
        return None, None
    named = com.com_scorers or flags.rewards
    weights = parse_reward_weights(named) if named else flags.weights()
    weights = scorer_weights(
        weights, settings.evaluation.eval_task, AGREEMENT, com.com_scorers is not None, com.com_oracle
    )
    votes, reward_device = weights.pop(AGREEMENT, 0.0), flags.reward_device or str(device)
    rewards, evaluator = load_rewards(
        weights, tokenizer, flags.reward_evaluator or settings.data.default_evaluator, lambda: tagger,
        flags.semantic_model_name, flags.nli_model_name, reward_device, flags.reward_max_batch_size,
    )  # fmt: skip
    factors, embed = dict(zip(rewards.names, rewards.weights, strict=True)), None
    if votes:
        factors[AGREEMENT] = votes
        embed = SentenceEncoder(flags.semantic_model_name, reward_device, flags.reward_max_batch_size).embed
    logging.info("Chain-of-Motion ranks by %s", ", ".join(f"{name} x {weight:g}" for name, weight in factors.items()))
    return ComSettings(
        com.com_candidates, com.com_refine_steps, Ranking(rewards.table, factors, embed),
        Lacking(tokenizer.skeleton, tokenizer.nb_code, reward_device), com.com_patience, tuple(com.com_temperature),
        com.com_max_new_tokens,
    ), evaluator  # fmt: skip


def _bert_score(flags: EvalFlags, device: torch.device) -> BertScorer | None:
    """None where BERTScore is not wanted or its model is not to be had: it is then reported as not computed."""
    if flags.eval_task != "m2t" or flags.bertscore_model == "none":
        return None
    name = flags.bertscore_model
    try:
        return BertScorer.load(find_model(name, "give --bertscore-model a folder"), name=name, device=device)
    except InputError as error:
        logging.warning("BERTScore is not computed: %s", error)
        return None


def _run_path(settings: Settings) -> Path:
    flags = settings.evaluation
    judged = Path(flags.from_predictions or flags.eval_ckpt)
    name = f"eval_{flags.eval_task}_{judged.stem}" + ("_com" if settings.com.use_com else "")
    return judged.parent / name if settings.run.exp_name is None else Path(settings.run.out_dir) / settings.run.exp_name


if __name__ == "__main__":
    run_command(main)
