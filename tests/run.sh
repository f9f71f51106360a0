#!/usr/bin/env bash
# Set up what the tests need, check style, run the tests. Arguments go to pytest: bash tests/run.sh -k prompts
# One process a core, at most 8 (-n 0: all in one); each has one thread, as the models of tests are tiny.
set -euo pipefail
cd "$(dirname "$0")/.."
source prepare/environment.sh tests/requirements.txt
cores="$(env -u OMP_NUM_THREADS nproc)" # which would say 1 where there is one thread a process
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false OMP_NUM_THREADS=1
unset PYTHONDONTWRITEBYTECODE # each process of pytest, and each command, would compile the same files again
ruff check .
ruff format --check .
exec python -m pytest -c .pytest.ini -n "$cores" --maxprocesses 8 --dist worksteal --durations 20 "$@"
