#!/usr/bin/env bash
# The word vectors of the published evaluators. Flags: bash prepare/download_glove.sh --help
set -euo pipefail
exec bash "$(dirname "$0")/download.sh" glove "$@"
