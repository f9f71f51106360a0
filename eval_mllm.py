"""Evaluate a checkpoint, or anybody's predictions: text to motion (t2m) or motion to text (m2t).

    python eval_mllm.py --eval-task t2m --eval-ckpt experiments/morl_rlvr_t2m/motionllm_rlvr_epoch_2.pth
    python eval_mllm.py --eval-task t2m --eval-ckpt ... --use-com --reward-evaluator checkpoints/ranker
    python eval_mllm.py --eval-task m2t --from-predictions predictions.jsonl --exp-name somebody
    python eval_mllm.py --exp-name somebody --rescore checkpoints/another_judge
    python eval_mllm.py --compare a/results.json b/results.json

Writes results.json (every number with the signature of what made it), predictions.jsonl (scores of every reply), with
Chain-of-Motion trace.jsonl, and results.html, a page with motions. The same command again continues or shows it.
"""

from itertools import chain

from options.evaluate import EvalSettings
from options.inputs import backbone_of
from options.rescoring import rescoring
from utils.run.command import quiet_libraries, run_command
from utils.run.session import Begin, Summary
from utils.run.stage_timer import StageTimer


def main() -> None:
    settings = rescoring(EvalSettings.parse(__doc__))
    if settings.evaluation.compare:
        from utils.metrics.comparison import comparison

        print(comparison(settings.evaluation.compare))
        return
    run, timer = settings.open_run(), StageTimer()
    quiet_libraries()
    summary = run.complete(lambda begin: evaluate(settings, begin, timer))
    if summary is not None:
        show(settings, summary, timer)


def evaluate(settings: EvalSettings, begin: Begin, timer: StageTimer) -> dict:
    """Questions -> replies -> numbers beside those of real motion -> files."""
    # Late imports: `--help` and a mistyped path must not wait for torch.
    from com.replies import asked_replies
    from models.evaluation.evaluate import evaluate_replies
    from models.evaluation.results import write_evaluation
    from models.evaluation.saved_motions import save_motions
    from options.replies import given_replies, policy_of, reply_plan
    from options.signature import signed

    with timer.stage("reading data and evaluator"):
        # Who answers: a checkpoint, or (None) the predictions of --from-predictions.
        checkpoint = settings.checkpoint()
        tokenizer = settings.motion_tokenizer(checkpoint)
        # What is asked: the motions of a split, and a caption drawn for each.
        questions = settings.questions()
        # Who measures, how often, from which seed; and how captions are compared.
        judge, scoring = (settings.judge(), settings.caption_scoring()) if questions.can_be_scored else (None, None)
    backbone = backbone_of(checkpoint, settings.model.llm_backbone)
    folder = begin(settings.data_fingerprint(questions), backbone).folder.path
    if settings.evaluation.asks_no_model:
        with timer.stage("reading predictions"):
            replies = given_replies(settings, questions, tokenizer, checkpoint, judge)
        questions = questions.as_answered(replies.draws)
    else:
        with timer.stage("loading the model"):
            policy = policy_of(settings, checkpoint, tokenizer)
            plan = reply_plan(settings, questions, policy, judge, folder)
        with settings.share() as share:  # of several processes or commands each asks its part
            replies = asked_replies(policy, questions, plan, judge, folder, timer, share)
        if replies is None:  # another process judges them, or a later command
            return {}
    with timer.stage("judging"):
        evaluation = evaluate_replies(questions, replies, judge, scoring)
    if kinds := settings.evaluation.save_motions:
        with timer.stage("saving motions"):
            save_motions(folder, chain(*replies.draws), kinds, settings.skeleton)
    return write_evaluation(folder, replies, evaluation, *signed(settings, judge, questions, replies))


def show(settings: EvalSettings, summary: Summary, timer: StageTimer) -> None:
    """Print a finished evaluation: where its time went and the traces, if asked for, and its table."""
    from com.replies import TRACE_FILE, forget_parts
    from com.trace import readable_traces
    from models.evaluation.saved_motions import save_motions_of
    from models.reporting.report import where_to_look
    from utils.metrics.report import format_table, read_remarks, read_results, transposed

    folder, results = summary.folder.path, summary.folder.path / "results.json"
    if summary.already and (kinds := settings.evaluation.save_motions):
        judged = settings.evaluation.from_predictions
        save_motions_of(folder, judged, kinds, settings.skeleton, settings.motion_tokenizer(settings.checkpoint()))
    forget_parts(folder)  # only now: until the evaluation is marked finished, a kill must not cost its replies
    if settings.evaluation.profile and timer.seconds:
        print(timer.table())
    for text in readable_traces(folder / TRACE_FILE, settings.com.show_trace if settings.com.use_com else 0):
        print(text)
    print("\n".join(filter(None, [format_table(transposed(read_results(results))), *read_remarks(results)])))
    print(f"{'already ' * summary.already}finished {results}", *where_to_look(folder, summary.already), sep="\n")


if __name__ == "__main__":
    run_command(main)
