"""Several processes share queries out among them, and the first gets the replies of all."""

from collections.abc import Sequence

from accelerate import PartialState
from accelerate.utils import gather_object

from models.inference.motion_llm import MotionLLM
from models.language.decoding import Sampling
from models.language.prompts import Query
from models.language.rollout import Rollout
from utils.run.processes import Processes


def shared_answers(
    llm: MotionLLM,
    queries: Sequence[Query],
    sampling: Sampling,
    references: Sequence[tuple[str, ...]] | None = None,
) -> list[Rollout] | None:
    """One reply per query, in their order, in the first process; None in the others. Every process must call it.

    A reply hangs on the number of its query, so all are those that one process would have got. Each process answers
    equally many, so that none waits for others within a batch; what is answered a second time for that is dropped.

    Args:
        references: true captions that go with each query into its rollout.
    """
    state = PartialState()
    own = Processes(state.process_index, state.num_processes).deal(len(queries))
    known = None if references is None else [references[number] for number in own]
    rollouts = llm.answer([queries[number] for number in own], sampling, known, keys=own)
    answered = gather_object(list(zip(own, rollouts, strict=True)))
    if not state.is_main_process:
        return None
    by_number = dict(answered)
    return [by_number[number] for number in range(len(queries))]
