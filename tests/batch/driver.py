"""A run on a cluster as a program that a test can kill: python -m tests.batch.driver ADDRESS SOURCE OUTPUT PROCESSES

Workers run a model that takes a tenth of a second for a picture and leaves the number of its process in PROCESSES.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mobilesamv2.batch.run import run_batch

from .fakes import FakeSegmenter, plan, work


def main() -> None:
    address, source, output, processes = sys.argv[1:]
    begun = plan(source, output=output, address=address, workers=3, part_size=3)
    for tally, errors in run_batch(begun, work(FakeSegmenter(0.1, Path(processes)))):
        print(json.dumps([tally.to_record(), errors]), flush=True)


if __name__ == "__main__":
    main()
