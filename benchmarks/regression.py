"""Whether anything has become slower: ratios against the peers, compared with those that are committed.

    python -m benchmarks.regression [--slack 0.75] [--rounds 3]

Ratios of two things that ran in turns hold on a busy machine and on another one, where seconds do not. Exit code 1 if
one has fallen below `slack` times its committed value.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .harness import RESULTS

BENCHMARKS = ("decoder", "encoder", "compact_masks")
RATIO = "times faster"


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The table of a result."""
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare ratios with the committed ones.")
    parser.add_argument("--slack", type=float, default=0.75, help="share of a committed ratio to reach")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    slower = []
    with tempfile.TemporaryDirectory() as folder:
        for name in BENCHMARKS:
            into = Path(folder) / f"{name}.json"
            command = [sys.executable, "-m", f"benchmarks.{name}", "--rounds", str(options.rounds)]
            subprocess.run([*command, "--into", str(into)], check=True, stdout=subprocess.DEVNULL)
            for now, committed in zip(rows_of(into), rows_of(RESULTS / f"{name}.json"), strict=True):
                what = f"{name}, {next(iter(now.values()))}"
                print(f"{what}: {now[RATIO]:.2f} times faster, committed {committed[RATIO]:.2f}", flush=True)
                if now[RATIO] < options.slack * committed[RATIO]:
                    slower.append(what)
    if slower:
        sys.exit(f"Slower than before: {'; '.join(slower)}.")


if __name__ == "__main__":
    main()
