#!/usr/bin/env bash
# What the download_*.sh share: the repository's root and a Python, then python -m prepare.download "$@".
# The Python is that of the environment that is active, else that of .venv (or $MORL_VENV), else python3.
set -euo pipefail
cd "$(dirname "$0")/.."
venv="${MORL_VENV:-.venv}" python=python3
if [ -n "${VIRTUAL_ENV:-}${CONDA_PREFIX:-}" ] || [ "$venv" = none ]; then
    python=python
elif [ -x "$venv/bin/python" ]; then
    python="$venv/bin/python"
fi
"$python" -c 'import importlib.util as u, sys; sys.exit(any(u.find_spec(n) is None for n in ("torch", "transformers")))' || {
    echo "error: $python lacks the packages of requirements.txt: activate the environment that has them, or run" \
        "source prepare/environment.sh" >&2
    exit 2
}
exec "$python" -m prepare.download "$@"
