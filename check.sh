#!/usr/bin/env bash
# Every check of the project, all set-up included: formatting, lint, types, tests.
#
#   bash check.sh [PYTEST ARGUMENT...]
#
# Makes a virtual environment in .venv (or in $VENV) with the versions of constraints.txt, unless it is there.
# The tests of the page drive a browser: on Debian and Ubuntu, where Chromium is not found, it is installed, which
# needs root or sudo; with it libgl1, which OpenCV (a part of Ultralytics) wants and bare servers lack.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

venv="${VENV:-.venv}"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]"

if ! command -v chromium >/dev/null && command -v apt-get >/dev/null; then
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    echo "Installing Chromium for the browser tests." >&2
    "${as_root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -qq -y --no-install-recommends chromium libgl1 >/dev/null
fi

"$venv/bin/ruff" format --check .
"$venv/bin/ruff" check .
"$venv/bin/mypy"
"$venv/bin/python" -m pytest "$@"
