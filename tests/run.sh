#!/usr/bin/env bash
# Set up what the tests need, check style, run the tests. Arguments go to pytest: bash tests/run.sh -k prompts
set -euo pipefail
cd "$(dirname "$0")/.."
source prepare/environment.sh tests/requirements.txt
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
ruff check .
ruff format --check .
exec python -m pytest -c .pytest.ini "$@"
