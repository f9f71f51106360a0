"""Who answers the questions of an evaluation: a model, and how it is asked, or predictions that are given.

Imports are late: `--help` and a mistyped path must not wait for torch and transformers.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from options.copies import copied_replies
from options.flags.evaluation import LONGEST_REPLY
from options.rescoring import as_made
from options.search import scorers_of, search_of
from utils.errors import InputError
from utils.run.devices import local_device, model_dtype

if TYPE_CHECKING:
    from com.replies import ReplyPlan
    from com.reply_search import ComConfig
    from dataset.captions.tagger import Tagger
    from models.engines.engine import Engine
    from models.evaluation.judge import Judge
    from models.evaluation.predictions import Replies
    from models.evaluation.questions import Questions
    from models.language.decoding import Sampling
    from models.policy.checkpoint import Checkpoint
    from models.policy.policy import Policy
    from models.text_motion.evaluator import TextMotionEvaluator
    from models.tokenizer.motion_tokenizer import MotionTokenizer
    from options.evaluate import EvalSettings


def given_replies(
    settings: "EvalSettings",
    questions: "Questions",
    tokenizer: "MotionTokenizer | None",
    checkpoint: "Checkpoint | None",
    judge: "Judge | None",
) -> "Replies":
    """The predictions of --from-predictions or of --rescore, or the copies of --baseline, in order of the questions."""
    from models.evaluation.predictions import Replies, arrange
    from models.evaluation.predictions_file import read_predictions
    from utils.run.inputs import Input

    flags = settings.evaluation
    if flags.baseline is not None:
        replies = copied_replies(settings, questions, _draws(settings, questions), judge)
        return replies if flags.rescore is None else as_made(settings, replies, checkpoint)
    path = Path(flags.from_predictions)
    found = read_predictions(path, flags.eval_task, settings.skeleton, tokenizer, look=not flags.any_posture)
    ids = [record.id for record in questions.records]
    if flags.limit is not None:
        wanted = set(ids)
        found = [prediction for prediction in found if prediction.id in wanted]
    replies = Replies(
        arrange(found, ids, str(path), logging.warning), notes=(f"predictions={Input.at(path).content()}",)
    )
    return replies if flags.rescore is None else as_made(settings, replies, checkpoint)


def policy_of(settings: "EvalSettings", checkpoint: "Checkpoint", tokenizer: "MotionTokenizer") -> "Policy":
    """The model that is asked, on its device."""
    from models.policy.backbone import attention
    from models.policy.policy import build_policy

    # vLLM brings the weights onto the GPU itself, and attends in its own way.
    by_vllm = _drawn_by_vllm(settings)
    loading = {
        "device": None if by_vllm else local_device(settings.device),
        "dtype": model_dtype(settings.model.precision, settings.device),
        **attention("sdpa" if by_vllm else settings.model.attn_implementation),
    }
    backbone = settings.model.llm_backbone
    return build_policy(checkpoint, settings.evaluation.eval_task, tokenizer, backbone, as_trained=True, **loading)


def _drawn_by_vllm(settings: "EvalSettings") -> bool:
    from models.engines.engine import taken_engine

    return taken_engine(settings.engine.engine, settings.device, settings.engine.engine_server) == "vllm"


def _vllm(settings: "EvalSettings", policy: "Policy", folder: Path) -> "Engine":
    """vLLM with the policy in it, which is empty afterwards, or a server that has it."""
    from models.engines.engine import ENGINE_FOLDER

    vocabulary, server = policy.language.vocabulary, settings.engine.engine_server
    place = folder / ENGINE_FOLDER / f"part{settings.evaluation.part[0]}"  # commands with --shard share the folder
    if server is not None:
        from models.engines.server_engine import ServerEngine

        start = policy.start(settings.evaluation.eval_task)
        return ServerEngine(server, start, policy.model, vocabulary, settings.device, place)
    from models.engines.vllm_engine import VllmEngine

    return VllmEngine(policy.model, vocabulary, settings.device, place)


def reply_plan(
    settings: "EvalSettings", questions: "Questions", policy: "Policy", judge: "Judge | None", folder: Path
) -> "ReplyPlan":
    """How many replies are asked for, what draws them, how they are sampled and, with --use-com, searched.

    Args:
        folder: of the evaluation; vLLM gets its model in it.

    Raises InputError where the judge would rank too.
    """
    from com.answering import Asking
    from com.replies import ReplyPlan
    from models.language.decoding import Sampling

    flags, com, ranker = settings.evaluation, None, None
    if settings.com.use_com:
        com, ranker = _chain_of_motion(settings, policy.language.motion_tokenizer, questions.tagger)
        evaluator = None if judge is None else judge.evaluator
        if None not in (ranker, evaluator) and ranker.fingerprint == evaluator.fingerprint:
            _refuse_judge_as_ranker(settings)
    if flags.eval_task == "t2m" and flags.mm_repeats and settings.judging_evaluator is None:
        raise InputError("--mm-repeats: MultiModality needs an evaluator, and --eval-evaluator is none")
    longest = flags.max_new_tokens or policy.checkpoint.reply_tokens(flags.eval_task) or LONGEST_REPLY
    sampling = Sampling(settings.temperature, flags.top_p, longest, flags.eval_batch_size, seed=settings.run.seed)
    engine = _vllm(settings, policy, folder) if _drawn_by_vllm(settings) else None
    return ReplyPlan(
        asking=Asking(sampling, com),
        draws=_draws(settings, questions),
        oracle=settings.com.com_oracle,
        mm_texts=flags.mm_texts,
        mm_replies=flags.mm_repeats,
        com_label=settings.com.label,
        decoding=_decoding(settings, sampling, engine),
        engine=engine,
        ranked_by=None if ranker is None else ranker.fingerprint,
    )


def _draws(settings: "EvalSettings", questions: "Questions") -> int:
    """Sets of replies. Greedy motions differ by the caption that is drawn, where clips have more than one."""
    draws = settings.draws
    if draws > 1 and settings.temperature == 0 and all(len(record.captions) < 2 for record in questions.records):
        logging.info("greedy motions for the only caption of each clip are all alike: one draw instead of %d", draws)
        return 1
    return draws


def _decoding(settings: "EvalSettings", sampling: "Sampling", engine: "Engine | None") -> str:
    """How replies are drawn: temperature (of each round), nucleus, longest reply, precision, no grammar mask; and by
    what, where that is not transformers."""
    rounds = settings.com.com_temperature if settings.com.use_com else []
    longest = settings.com.com_max_new_tokens if settings.com.use_com else None
    shown = "/".join(f"{value:g}" for value in rounds or [sampling.temperature])
    precision = str(model_dtype(settings.model.precision, settings.device)).removeprefix("torch.")
    drawn_by = "" if engine is None else f",{engine.label}"
    return f"T{shown},p{sampling.top_p:g},max{longest or sampling.max_new_tokens},{precision},free{drawn_by}"


def _refuse_judge_as_ranker(settings: "EvalSettings") -> None:
    if settings.judging_evaluator is None:
        raise InputError(
            "nothing ranks how well a motion fits its caption: give --reward-evaluator FOLDER, or rank "
            "without consistency (--com-scorers)"
        )
    if not settings.com.allow_judge_as_ranker:
        raise InputError(
            "the evaluator that judges would also rank what it judges, and the numbers flatter: give "
            "--reward-evaluator FOLDER, another one than --eval-evaluator (prepare.train_evaluator with another "
            "--seed makes one), rank without consistency (--com-scorers), or give --allow-judge-as-ranker"
        )


def _chain_of_motion(
    settings: "EvalSettings", tokenizer: "MotionTokenizer", tagger: "Tagger"
) -> "tuple[ComConfig, TextMotionEvaluator | None]":
    """Chain-of-Motion as the flags say, and the evaluator among its scorers."""
    flags = settings.rewards
    weights = scorers_of(settings.com, flags, settings.evaluation.eval_task)
    if "consistency" in weights and flags.reward_evaluator is None:
        _refuse_judge_as_ranker(settings)
    models = flags.models(str(settings.device), settings.judging_evaluator)
    return search_of(settings.com, weights, models, tokenizer, lambda: tagger)
