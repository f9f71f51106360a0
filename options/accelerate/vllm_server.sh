#!/usr/bin/env bash
# A vLLM server that draws the replies of train_mllm.py, eval_mllm.py and demo.py for --engine-server URL, of what
# prepare.export_hf has written:
#   python -m prepare.export_hf --ckpt sft.pth --dtype bfloat16 --out-dir exports/sft
#   bash options/accelerate/vllm_server.sh exports/sft                   http://THIS_MACHINE:8000, on one GPU
#   bash options/accelerate/vllm_server.sh exports/sft --port 8001 --max-lora-rank 128 --data-parallel-size 8
# What follows the folder goes to `vllm serve`. The Python that is active needs vLLM. Who reaches the port may load
# adapters from this machine's folders: keep it inside the cluster, and give both sides the same VLLM_API_KEY.
set -euo pipefail
folder="${1:?which folder of prepare.export_hf?}"
shift
# The server is known by what it serves: the fingerprint of the checkpoint, and the type of its numbers.
read -r name dtype < <(python -c '
import json, sys
about = json.load(open(sys.argv[1] + "/morl.json"))
print(about["checkpoint"] + "-" + about["dtype"], about["dtype"])' "$folder")
export VLLM_ALLOW_RUNTIME_LORA_UPDATING=True VLLM_NO_USAGE_STATS=1
settings=(--served-model-name "$name" --dtype "$dtype" --generation-config vllm --logprobs-mode processed_logprobs
    --structured-outputs-config.backend guidance --max-model-len "${MORL_SERVER_LENGTH:-4096}"
    --enable-lora --max-loras 1 --max-cpu-loras 4 --max-lora-rank 64)
if ! python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then # as in models/engines/vllm_engine.py
    export VLLM_CPU_OMP_THREADS_BIND="${VLLM_CPU_OMP_THREADS_BIND:-nobind}"
    export VLLM_CPU_KVCACHE_SPACE="${VLLM_CPU_KVCACHE_SPACE:-1}"
    settings+=(--enforce-eager --no-enable-chunked-prefill --max-num-batched-tokens 8192)
fi
# What `vllm serve` runs, which a build for CPUs does not find its own name in (vllm-cpu 0.32).
exec python -m vllm.entrypoints.openai.api_server --model "$folder" "${settings[@]}" "$@"
