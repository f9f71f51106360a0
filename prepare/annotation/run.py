"""Many annotations are asked for at once: each worker has one request in flight and stores every answer at once."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dataset.captions.tags import THINK_OPEN
from dataset.cot.acceptance import Bounds, Rejection, rejection_of
from models.language.replies import ParsedReply, parse_reply
from prepare.annotation.client import AnnotationClient, Answer, NoAnswer
from prepare.annotation.plan import Assignment, Evidence
from prepare.annotation.prompts import ANNOTATION_PROMPT_VERSION
from prepare.annotation.store import AnnotationStore
from utils.progress import Progress
from utils.run.interrupt import InterruptFlag

# After so many requests in a row without an answer the server is down, or refuses all of them.
_GIVE_UP_AFTER = 10
_LOOK_EVERY_S = 0.5


@dataclass(frozen=True)
class Prices:
    """The price of a million tokens, in any currency; None where unknown."""

    prompt: float | None = None
    completion: float | None = None

    def cost(self, prompt_tokens: float, completion_tokens: float) -> float | None:
        if self.prompt is None or self.completion is None:
            return None
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


@dataclass(frozen=True)
class AnnotationRules:
    """How assignments are put to the model, and how its replies are judged.

    Attributes:
        evidence: what the model is shown of the motion.
        bounds: of the reasoning's length.
        fact_check: whether a reply is compared with the measured motion.
        model: name of the model, for the records.
    """

    evidence: Evidence
    bounds: Bounds
    fact_check: bool
    model: str


class AnnotationRun:
    """Asks for assignments with `concurrency` workers.

    A worker stores an answer before it takes the next assignment, so at most `concurrency` paid answers can be lost
    when the process is killed.

    Attributes:
        unanswered: number of assignments without an answer; nothing is stored of them.
        last_error: why the latest of them got none.
        given_up: whether the run stopped because of them.
    """

    def __init__(
        self, client: AnnotationClient, store: AnnotationStore, rules: AnnotationRules, prices: Prices, concurrency: int
    ) -> None:
        self._client, self._store, self._rules, self._prices = client, store, rules, prices
        self._concurrency = concurrency
        self._failures_in_a_row = 0
        self._tokens = [0, 0]
        self._counts = [0, 0]
        self.unanswered = 0
        self.last_error = ""
        self.given_up = False

    async def ask_all(self, assignments: Sequence[Assignment], interrupt: InterruptFlag) -> None:
        """Ask until all are answered, `interrupt` is raised, or too many in a row got no answer."""
        queue = iter(assignments)
        with Progress(total=len(assignments), desc="annotations", unit="reply", smoothing=0.05) as bar:
            watch = asyncio.create_task(self._watch(interrupt, bar))
            try:
                await asyncio.gather(*(self._work(queue, interrupt, bar) for _ in range(self._concurrency)))
            finally:
                watch.cancel()

    async def _work(self, queue: Iterator[Assignment], interrupt: InterruptFlag, bar: Progress) -> None:
        for assignment in queue:
            if interrupt.raised or self.given_up:
                return
            # In a thread: measuring and drawing take a while, and the replies to other workers must be received.
            messages = await asyncio.to_thread(self._rules.evidence.messages, assignment, self._rules.bounds)
            try:
                answer = await self._client.ask(messages)
            except NoAnswer as error:
                self._count_failure(error)
                continue
            self._failures_in_a_row = 0
            self._keep(assignment, answer)
            bar.set_postfix_str(self._progress(), refresh=False)
            bar.update()

    def _count_failure(self, error: NoAnswer) -> None:
        self.unanswered += 1
        self.last_error = str(error)
        self._failures_in_a_row += 1
        self.given_up = self.given_up or error.hopeless or self._failures_in_a_row >= _GIVE_UP_AFTER

    def _keep(self, assignment: Assignment, answer: Answer) -> None:
        rules = self._rules
        row: dict[str, Any] = {
            "id": assignment.record.id,
            "task": assignment.task,
            "caption": assignment.caption,
            "caption_number": assignment.number,
        }
        made_with = {
            "model": rules.model,
            "evidence": rules.evidence.name,
            "prompt_version": ANNOTATION_PROMPT_VERSION,
            "usage": {"prompt_tokens": answer.prompt_tokens, "completion_tokens": answer.completion_tokens},
        }
        judged = judge(assignment, answer, rules)
        if isinstance(judged, Rejection):
            reply = answer.raw if answer.text is None else answer.text
            self._store.reject({**row, "reason": judged.kind, "detail": judged.detail, "reply": reply, **made_with})
        else:
            self._store.accept({**row, "reasoning": judged.reasoning, "answer": judged.answer, **made_with})
        self._counts[isinstance(judged, Rejection)] += 1
        self._tokens[0] += answer.prompt_tokens or 0
        self._tokens[1] += answer.completion_tokens or 0

    def _progress(self) -> str:
        cost = self._prices.cost(*self._tokens)
        spent = f"{sum(self._tokens)} tokens" if cost is None else f"cost {cost:.4f}"
        return f"{self._counts[0]} accepted, {self._counts[1]} rejected, {self.unanswered} unanswered, {spent}"

    async def _watch(self, interrupt: InterruptFlag, bar: Progress) -> None:
        while not interrupt.raised:
            await asyncio.sleep(_LOOK_EVERY_S)
        bar.write("finishing the requests in flight; Ctrl-C again drops them (their answers may be paid for twice)")


def judge(assignment: Assignment, answer: Answer, rules: AnnotationRules) -> ParsedReply | Rejection:
    """The reply in its parts, with the reasoning on one line, or why it is not accepted."""
    if answer.text is None or answer.problem is not None:
        return Rejection("response", answer.problem or "no reply")
    # Replies are parsed as those of our own model, whose prompt ends in <think>, and as m2t for both tasks: the
    # annotator answers with a sentence for t2m too, since the codes are those of the real motion.
    reply = parse_reply(answer.text.strip().removeprefix(THINK_OPEN), "m2t")
    if reply.problem is not None or reply.reasoning is None or reply.answer is None:
        return Rejection("malformed", reply.problem or "no reasoning")
    reasoning, sentence = (" ".join(text.split()) for text in (reply.reasoning, reply.answer))
    facts = rules.evidence.facts(assignment.record) if rules.fact_check else None
    rejection = rejection_of(assignment.task, assignment.caption, reasoning, sentence, facts, rules.bounds)
    return rejection or ParsedReply(reasoning, sentence, None, None)
