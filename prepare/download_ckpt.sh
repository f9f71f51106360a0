#!/usr/bin/env bash
# The weights of MoRL (hub) and of Motion-Agent, which it began with (Google Drive). Flags: bash prepare/download_ckpt.sh --help
set -euo pipefail
exec bash "$(dirname "$0")/download.sh" ckpt "$@"
