"""Let a language model write chains of thought: for every clip the reasoning between its caption and its motion.

    export OPENAI_API_KEY=...
    python -m prepare.generate_cot --data-root data/HumanML3D --model NAME --out-dir data/annotations --dry-run

m2t (MoUnd-CoT) reasons from the motion to the caption, t2m (MoGen-CoT) from the caption to how the body moves. The
model is shown the caption and measured facts of the motion (--with-facts, the default) or pictures of it
(--with-video). Replies are checked; accepted and rejected ones are stored in OUT_DIR as they come, and what is stored
is never asked for again: interrupt or kill the run and start it again. A request that was in flight at a kill (at most
--concurrency are), or whose reply came after --timeout, is sent again and may have been charged twice.
OUT_DIR holds reasoning_m2t.jsonl and reasoning_t2m.jsonl for `prepare.write_cot_jsonl --reasoning OUT_DIR`.

Any server that speaks OpenAI's chat completions will do: --base-url http://127.0.0.1:8000/v1. The key is read from an
environment variable only; a server of your own is sent one only where --key-variable names it.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from dataset.cot.acceptance import Bounds
from dataset.humanml.layout import MotionRecord, read_split
from options.flags.parsing import parse_flags
from prepare.annotation.client import AnnotationClient, Endpoint
from prepare.annotation.flags import AnnotationFlags, EndpointFlags
from prepare.annotation.plan import Assignment, Evidence, assignments_of, doubtful_captions
from prepare.annotation.report import print_summary, show_plan
from prepare.annotation.run import AnnotationRules, AnnotationRun
from prepare.annotation.store import AnnotationStore
from prepare.cot.doubtful import DOUBTFUL_FILE, doubtful_row
from utils.errors import InputError
from utils.files.json_files import write_jsonl
from utils.motion.skeleton import get_skeleton
from utils.run.command import run_command
from utils.run.interrupt import InterruptFlag


def main() -> None:
    data, endpoint = parse_flags(AnnotationFlags, EndpointFlags, description=__doc__)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    place = None if endpoint.dry_run else endpoint.endpoint()
    skeleton = get_skeleton(data.dataname)
    records = [record for split in data.split for record in read_split(data.data_root, split, skeleton)]
    evidence = Evidence(skeleton, data.with_facts or not data.with_video, data.with_video)
    rules = AnnotationRules(evidence, Bounds(data.min_words, data.max_words), not data.no_fact_check, endpoint.model)
    store = AnnotationStore(data.out_dir)
    assignments, doubtful = plan(records[: data.limit], data, evidence)
    if place is None:
        show_plan(assignments, doubtful, store, rules, endpoint)
        return
    with store.opened():
        write_jsonl(store.folder / DOUBTFUL_FILE, doubtful)
        run, interrupted = asyncio.run(annotate(assignments, store, rules, place, endpoint, data.retry_rejected))
        print_summary(store, assignments, doubtful, endpoint.prices)
    if interrupted:
        raise KeyboardInterrupt
    if run.unanswered:
        stopped = "stopped: " if run.given_up else ""
        raise InputError(
            f"{stopped}{run.unanswered} requests got no answer (the last: {run.last_error}); "
            "run the same command again to ask for what is left"
        )


def plan(
    records: Sequence[MotionRecord], data: AnnotationFlags, evidence: Evidence
) -> tuple[list[Assignment], list[dict[str, Any]]]:
    """The assignments, and a line for each caption that is left out because its motion contradicts it."""
    assignments = list(assignments_of(records, data.tasks, data.captions_per_clip))
    if data.no_fact_check:
        return assignments, []
    doubtful = doubtful_captions(assignments, evidence)
    rows = [doubtful_row(id, caption, items) for (id, caption), items in doubtful.items()]
    return [item for item in assignments if (item.record.id, item.caption) not in doubtful], rows


async def annotate(
    assignments: Sequence[Assignment],
    store: AnnotationStore,
    rules: AnnotationRules,
    place: Endpoint,
    flags: EndpointFlags,
    retries: int,
) -> tuple[AnnotationRun, bool]:
    """Ask for what the store lacks, then again for what it rejected. Returns (run, whether Ctrl-C ended it)."""
    async with AnnotationClient(place) as client:
        run = AnnotationRun(client, store, rules, flags.prices, flags.concurrency)
        with InterruptFlag() as interrupt:
            for times in range(retries + 1):
                waiting = [item for item in assignments if store.times_rejected(item.key) == times]
                if waiting and not (interrupt.raised or run.given_up):
                    await run.ask_all(waiting, interrupt)
        print(f"{client.sent} HTTP requests in this run")
        return run, interrupt.raised


if __name__ == "__main__":
    run_command(main)
