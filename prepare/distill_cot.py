"""Write the best of many replies as chain-of-thought lines, for SFT to learn from: best-of-n distillation.

    python -m prepare.distill_cot --ckpt experiments/sft_t2m/motionllm_t2m_best.pth --task t2m \\
        --questions captions.txt --reward-evaluator checkpoints/ranker --out-dir experiments/winners_t2m
    python train_mllm.py --train-stage sft --training-task t2m --use-reasoning \\
        --init-ckpt experiments/sft_t2m/motionllm_t2m_best.pth \\
        --cot-train-jsonl experiments/winners_t2m/winners.jsonl --exp-name distilled_t2m

A model answers each question several times, Chain-of-Motion chooses by rewards that need no true answer, and the
winners become lines. Questions are a .txt with one caption a line (t2m), or a .jsonl whose lines have a caption (t2m)
or motion_tokens (m2t): what nobody has answered yet will do, so a model can learn from any captions. Winners that are
malformed, or whose motion contradicts a text (what `facts` and `grounding` measure), are left out and counted.

OUT_DIR holds winners.jsonl, the answers with all that were passed over (trace.jsonl) and finished.json. Every answer is
stored when it is there: interrupt or kill the run and start it again. `--beside COT_JSONL` puts the lines that the
model was trained on beside the winners, so that it does not forget them.
"""

import logging
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from options.flags.com import ComFlags
from options.flags.common import EngineFlags
from options.flags.evaluation import LONGEST_REPLY
from options.flags.parsing import flag, parse_flags, required_flag
from options.flags.ranges import COUNT, NOT_NEGATIVE, SEED, Range
from options.flags.rewards import RewardFlags
from options.search import default_tagger, scorers_of, search_of
from utils.run.command import quiet_libraries, run_command
from utils.run.devices import resolve_device
from utils.run.folder import RunFolder
from utils.run.inputs import Input
from utils.run.session import Begin, Run

if TYPE_CHECKING:
    from com.answering import Asking
    from models.inference.motion_llm import MotionLLM

# Flags that change where the run works, not what it finds; and those of Chain-of-Motion that mean nothing here.
_MAY_DIFFER = ("out_dir", "device", "reward_device")
_NOT_HERE = ("com_oracle", "allow_judge_as_ranker", "show_trace")


@dataclass
class DistillFlags:
    """Who is asked what, and where the winners go."""

    _argument_group_name = "distilling"

    ckpt: str = required_flag("checkpoint of train_mllm.py, or folder of prepare.export_hf: who answers")
    questions: str = required_flag(".txt with one caption a line, or .jsonl with caption or motion_tokens a line")
    out_dir: str = required_flag("folder of the winners")
    task: Literal["t2m", "m2t"] = flag("t2m", "text to motion, or motion to text")
    limit: int | None = flag(None, "the first N questions only; default all", within=COUNT)
    beside: str | None = flag(None, "CoT jsonl whose lines of the task are written in front of the winners")
    keep_contradicted: bool = flag(False, "keep winners whose motion contradicts a text, as far as that is measured")
    temperature: float = flag(0.8, "sampling temperature", within=NOT_NEGATIVE)
    top_p: float = flag(1.0, "nucleus of the replies", within=Range(above=0, most=1))
    max_new_tokens: int = flag(LONGEST_REPLY, "longest reply", within=COUNT)
    device: str = flag("auto", "auto (a GPU if there is one), cpu, cuda, cuda:1, ...")
    seed: int = flag(0, "of the draws", within=SEED)


def main() -> None:
    flags, com, rewards, engine = parse_flags(
        DistillFlags,
        ComFlags,
        RewardFlags,
        EngineFlags,
        description=__doc__,
        first=("ckpt", "task", "questions", "reward_evaluator", "out_dir"),
        unused=lambda *_: {"of eval_mllm.py": _NOT_HERE},
    )
    quiet_libraries()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    com.go_on({})
    work = Distilling(flags, com, rewards, engine)
    summary = work.run.complete(work.distill)
    if summary is not None:
        work.forget_parts()
        print(summary)


@dataclass(frozen=True)
class Distilling:
    """One run of this command."""

    flags: DistillFlags
    com: ComFlags
    rewards: RewardFlags
    engine: EngineFlags

    @property
    def folder(self) -> RunFolder:
        return RunFolder(self.flags.out_dir, "use another --out-dir")

    @property
    def run(self) -> Run:
        flags = self.flags
        groups = (flags, self.com, self.rewards, self.engine)
        arguments = {field.name: asdict(group)[field.name] for group in groups for field in fields(group)}
        named = {name: vars(flags)[name] for name in ("ckpt", "questions", "beside")}
        named["reward_evaluator"] = self.rewards.reward_evaluator
        inputs = {name: None if path is None else Input.at(path) for name, path in named.items()}
        return Run(self.folder, arguments, _MAY_DIFFER, flags.seed, resolve_device(flags.device), inputs=inputs)

    def distill(self, begin: Begin) -> dict[str, Any]:
        """Ask, choose, write. Returns what there is to say of it, as finished.json keeps it."""
        from dataset.cot.questions import questions_for, read_questions
        from models.tokenizer.loading import check_codes
        from prepare.distilling.winners import answered, write_winners

        flags = self.flags
        # Who answers, and what it is asked.
        llm = self.model()
        check_codes(flags.questions, llm.language.motion_tokenizer, flags.ckpt)
        questions = read_questions(flags.questions, llm.language.vocabulary.nb_code, "--questions")
        (questions,) = questions_for(questions[: flags.limit], (flags.task,), flags.questions)
        session = begin(Input.at(flags.questions).content())
        # The best of several replies to each, by rewards that need no true answer.
        best = answered(llm, questions, flags.task, self.asking(llm), session.folder.path)
        # The winners as lines, and what was left out.
        return write_winners(
            session.folder.path,
            questions,
            flags.task,
            best,
            llm.language.motion_tokenizer,
            flags.beside,
            flags.keep_contradicted,
        )

    def model(self) -> "MotionLLM":
        """Who answers, by the engine that the flags name."""
        from models.inference.motion_llm import MotionLLM

        drawing = {"engine": self.engine.engine, "engine_server": self.engine.engine_server}
        return MotionLLM.load(self.flags.ckpt, self.flags.task, self.flags.device, **drawing)

    def asking(self, llm: "MotionLLM") -> "Asking":
        """Chain-of-Motion as the flags say."""
        from com.answering import Asking
        from models.language.decoding import Sampling

        flags = self.flags
        models = self.rewards.models(str(llm.engine.device))
        weights = scorers_of(self.com, self.rewards, flags.task)
        config, _ = search_of(self.com, weights, models, llm.language.motion_tokenizer, default_tagger)
        sampling = Sampling(flags.temperature, flags.top_p, flags.max_new_tokens, seed=flags.seed)
        return Asking(sampling, config)

    def forget_parts(self) -> None:
        from com.replies import forget_parts

        forget_parts(self.folder.path)


if __name__ == "__main__":
    run_command(main)
