"""Every word that the language model is prompted with, and what it is taught to write.

Training, reinforcement learning, evaluation and Chain-of-Motion all render through this file, so that the model
is asked at test time exactly what it was trained on. `models.language.replies` takes replies apart again.

    query   {before}<instruction and input>{after}<think>      `PromptStyle` says what stands around the question
    reply   {reasoning}</think><answer>{answer}</answer>        then the end-of-sequence token
    answer  t2m: <Motion><Motion_17>...</Motion>                m2t: a caption
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import TemplateError

from dataset.captions.tags import ANSWER_CLOSE, ANSWER_OPEN, THINK_CLOSE, THINK_OPEN
from dataset.cot.questions import Question
from dataset.cot.sample import Draft, Sample
from models.language.rollout import Rollout
from models.language.vocabulary import write_codes
from utils.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PROMPT_VERSION = "1"
_INSTRUCTION = {
    "t2m": "Generate the motion that the text describes. Reason first.",
    "m2t": "Describe the motion in one sentence. Reason first.",
}
_INPUT_NAME = {"t2m": "Text", "m2t": "Motion"}
# Regions of a rendered sample; the loss weight depends on them.
REGION_QUERY, REGION_REASONING, REGION_ANSWER = 0, 1, 2


@dataclass(frozen=True)
class Reflection:
    """What a refinement query shows of the best attempt so far.

    Attributes:
        reasoning: the attempt's reasoning.
        answer: the attempt's caption (m2t); empty for t2m, whose codes would be copied.
        lacking: what the scores found lacking, in words; may be empty.
    """

    reasoning: str
    answer: str = ""
    lacking: str = ""


@dataclass(frozen=True)
class Query:
    """One question to the model: `caption` for t2m, `codes` for m2t.

    `begun` are token ids that its reply begins with: the model goes on from there.
    """

    task: str
    caption: str = ""
    codes: tuple[int, ...] = ()
    reflection: Reflection | None = None
    id: str = ""
    begun: tuple[int, ...] = ()


@dataclass(frozen=True)
class PromptStyle:
    """The text before and after a question: a line break for base models, one chat turn for instruct models.

    The checkpoint keeps the texts themselves, so a backbone whose chat template changes later is still asked as it
    was trained.

    Attributes:
        name: ``plain`` or ``chat``.
        before: text before the question.
        after: text between the question and ``<think>``.
    """

    name: str
    before: str
    after: str


PLAIN = PromptStyle("plain", "", "\n")
STYLE_NAMES = ("auto", "plain", "chat")


@dataclass(frozen=True)
class Segment:
    text: str
    region: int


def prompt_style(name: str, tokenizer: "PreTrainedTokenizerBase") -> PromptStyle:
    """The style called `name` for a backbone's tokenizer; ``auto`` is ``chat`` where it has a chat template.

    Raises:
        InputError: ``chat`` for a tokenizer without a chat template, or with one that drops or repeats the question.
    """
    if name == "plain" or (name == "auto" and not tokenizer.chat_template):
        return PLAIN
    if not tokenizer.chat_template:
        raise InputError(f"--prompt-style chat: the tokenizer of {tokenizer.name_or_path!r} has no chat template")
    question = "QUESTION"
    try:  # in jinja's sandbox: what a template asks for beyond the messages is refused
        turn = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
        )
    except (TemplateError, TypeError, ValueError) as error:
        raise InputError(
            f"the chat template of {tokenizer.name_or_path!r} cannot be used ({' '.join(str(error).split())}): give "
            "--prompt-style plain"
        ) from None
    if turn.count(question) != 1:
        raise InputError(f"--prompt-style chat: the chat template of {tokenizer.name_or_path!r} does not fit")
    before, _, after = turn.partition(question)
    # Templates of reasoning models open the chain of thought themselves; `render_query` does it for all.
    return PromptStyle("chat", before, after.rstrip().removesuffix(THINK_OPEN) if THINK_OPEN in after else after)


def render_query(query: Query, style: PromptStyle) -> str:
    """The prompt, ending in ``<think>``."""
    given = query.caption.strip() if query.task == "t2m" else write_codes(query.codes)
    lines = [_INSTRUCTION[query.task], f"{_INPUT_NAME[query.task]}: {given}"]
    if query.reflection is not None:
        attempt = query.reflection
        lines.append(f"Earlier attempt: {attempt.reasoning.strip()}")
        if attempt.answer:
            lines.append(f"Its answer: {attempt.answer.strip()}")
        if attempt.lacking:
            lines.append(f"Lacking: {attempt.lacking.strip()}")
        lines.append("Do better.")
    return style.before + "\n".join(lines) + style.after + THINK_OPEN


def render_target(sample: Sample) -> list[Segment]:
    """What the model must write after the query, without the end-of-sequence token."""
    answer = write_codes(sample.codes) if sample.task == "t2m" else sample.caption.strip()
    return [
        Segment(sample.reasoning.strip() + THINK_CLOSE, REGION_REASONING),
        Segment(ANSWER_OPEN + answer + ANSWER_CLOSE, REGION_ANSWER),
    ]


def query_of(sample: Sample, reflection: Reflection | None = None) -> Query:
    """The question that `sample` answers."""
    if sample.task == "t2m":
        return Query("t2m", caption=sample.caption, reflection=reflection, id=sample.id)
    return Query("m2t", codes=sample.codes, reflection=reflection, id=sample.id)


def query_without_answer(question: Question, task: str) -> Query:
    """What is asked where nobody knows an answer."""
    if task == "t2m":
        return Query(task, caption=question.caption, id=question.id)
    return Query(task, codes=question.codes, id=question.id)


def reflection_on(attempt: Rollout, lacking: str) -> Reflection:
    """The reflection on an attempt: its reasoning and, for m2t, its caption. Missing parts are empty strings.

    `lacking` says in words what is wrong with the attempt (`rewards.lacking`), and may be empty.
    """
    return Reflection(attempt.reasoning or "", (attempt.answer or "") if attempt.task == "m2t" else "", lacking)


def reflection_on_draft(draft: Draft, task: str) -> Reflection:
    """The reflection on an attempt that the training data hold."""
    return Reflection(draft.reasoning, draft.caption if task == "m2t" else "", draft.lacking(task))
