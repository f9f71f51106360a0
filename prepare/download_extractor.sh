#!/usr/bin/env bash
# The published text-motion evaluators of HumanML3D and KIT-ML. Flags: bash prepare/download_extractor.sh --help
set -euo pipefail
exec bash "$(dirname "$0")/download.sh" extractor "$@"
