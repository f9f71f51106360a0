#!/usr/bin/env bash
# The published chain-of-thought data set (hub). Flags: bash prepare/download_data.sh --help
set -euo pipefail
exec bash "$(dirname "$0")/download.sh" data "$@"
