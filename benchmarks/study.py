"""Makes all committed results of evaluation and the report from them: python -m benchmarks.study --data DATA

DATA is a folder as `mobilesamv2 evaluate --data` reads it, whose annotations mark pictures as `val`. It takes about
twelve minutes of a core that has nothing else to do. `--at-most 1` tries it quickly, `--only` makes some of it again,
and `python -m benchmarks.study_report` the report alone.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .study_report import REPORT, write_report
from .study_steps import EVALUATION, SCENE_COMMANDS, STEPS, Step


def arguments_of(step: Step, *, data: Path, scenes: Path, at_most: int | None) -> list[str]:
    """What Python is called with for one step."""
    folder = ["--data", str(data), "--split", "val"] if step.data == "val" else ["--data", str(scenes / step.data)]
    pictures = step.pictures if at_most is None else min(step.pictures, at_most)
    left = ["--leave-out", *step.leave_out] if step.leave_out else []
    into = EVALUATION / f"{step.name}.json"
    return ["-m", *shlex.split(step.command), *folder, "--limit", str(pictures), *left, "-o", str(into)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Make all results of evaluation and the report from them.")
    parser.add_argument("--data", required=True, type=Path, metavar="DATA", help="annotated photographs")
    parser.add_argument("--at-most", type=int, metavar="N", help="pictures of each step")
    parser.add_argument("--only", nargs="+", choices=[step.name for step in STEPS], metavar="STEP", help="these steps")
    options = parser.parse_args()
    EVALUATION.mkdir(parents=True, exist_ok=True)
    for left in EVALUATION.glob("*.jsonl"):  # of a run that was stopped, perhaps with other weights
        left.unlink()
    with tempfile.TemporaryDirectory() as folder:
        for command in SCENE_COMMANDS:
            subprocess.run([sys.executable, *shlex.split(command.replace("SCENES", folder))[1:]], check=True)
        for step in STEPS:
            if options.only is not None and step.name not in options.only:
                continue
            start = time.perf_counter()
            arguments = arguments_of(step, data=options.data, scenes=Path(folder), at_most=options.at_most)
            subprocess.run([sys.executable, *arguments], check=True)
            print(f"{step.name}: {time.perf_counter() - start:.0f} s", flush=True)
    write_report()
    print(f"written to {REPORT}")


if __name__ == "__main__":
    main()
