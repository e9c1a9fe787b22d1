#!/usr/bin/env bash
# Builds the API reference from the docstrings into docs/api/, which is not committed; a warning is an error.
#
#   bash docs/build.sh [PYTHON]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
"${1:-python3}" -W error::UserWarning -m pdoc --docformat google --output-directory docs/api \
    mobilesamv2 '!mobilesamv2.web' '!mobilesamv2.cli'
