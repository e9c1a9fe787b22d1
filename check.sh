#!/usr/bin/env bash
# Every check of the project, all set-up included: formatting, lint, types, the API reference, tests, coverage.
#
#   bash check.sh [PYTEST ARGUMENT...]   everything
#   bash check.sh quick                  without a browser, a cluster and networks of published size: two minutes
#
# Makes a virtual environment in .venv (or in $VENV) with the versions of constraints.txt, unless it is there.
# The tests of the page drive a browser, found by the name of $CHROMIUM or one of the usual names. On Debian and Ubuntu,
# where there is none, Chromium is installed, which needs root or sudo; and libgl1, which OpenCV (a part of
# Ultralytics) wants and bare servers lack. Tests run in $WORKERS processes, by default one for each core.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

quick=
if [ "${1:-}" = quick ]; then
    quick=yes
    shift
fi

venv="${VENV:-.venv}"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]"

# What waits for servers elsewhere goes on beside all else, and tells of itself at the end.
elsewhere="$(mktemp)"
(
    bash .ci/audit "$venv/bin/python"
    if [ -z "$quick" ] && [ "$#" -eq 0 ]; then
        "$venv/bin/python" -m pytest -q -n 0 -m slow tests/test_packaging.py
    fi
) >"$elsewhere" 2>&1 &
waiting=$!
trap 'kill "$waiting" 2>/dev/null || true; rm -f "$elsewhere"' EXIT

missing=()
if [ -z "$quick" ]; then
    "$venv/bin/python" -c "from tests.web.browser import find_chromium; raise SystemExit(not find_chromium())" || missing+=(chromium)
fi
"$venv/bin/python" -c "import cv2" 2>/dev/null || missing+=(libgl1)
if [ "${#missing[@]}" -gt 0 ] && command -v apt-get >/dev/null; then
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "The tests need ${missing[*]}: install it as root (apt-get install ${missing[*]}) and run again." >&2
            exit 1
        fi
        as_root=(sudo)
    fi
    echo "Installing ${missing[*]}." >&2
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
fi

run_tests() {
    "$venv/bin/python" -m pytest -n "${WORKERS:-auto}" "$@"
}

"$venv/bin/ruff" format --check .
"$venv/bin/ruff" check .
if [ -n "$quick" ]; then
    "$venv/bin/mypy"
    run_tests -m "not browser and not large and not long and not slow" "$@"
else
    bash docs/build.sh "$venv/bin/python" &
    documented=$!
    "$venv/bin/mypy"
    wait "$documented"
    [ "$#" -gt 0 ] || set -- -m "not slow" # those run already
    run_tests --cov --cov-report=term "$@"
fi

status=0
wait "$waiting" || status=$?
cat "$elsewhere"
exit "$status"
