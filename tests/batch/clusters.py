"""Ray for tests: a cluster of this test's own, and whether anything of it is left."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
_HOLD = """
import sys
from mobilesamv2.batch.cluster import connected
with connected(None, workers=3):
    import ray
    print("address", ray.get_runtime_context().gcs_address, flush=True)
    sys.stdin.read()
"""


def wait_for(what: Callable[[], object], *, seconds: float = 400) -> None:
    """Wait until something is so; a machine that runs tests may be busy."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@contextmanager
def place_for_ray() -> Iterator[dict[str, str]]:
    """The environment for programs that start Ray; in the end nothing that they started may be left."""
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as folder:  # short: paths of sockets are
        # Ray kills workers when other programs fill the machine's memory, and lets all others go first; not here.
        quiet = {
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_memory_monitor_refresh_ms": "0",
            "RAY_worker_niceness": "0",
        }
        yield (
            os.environ
            | quiet
            | {"RAY_TMPDIR": folder, "HOME": folder, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        )
        wait_for(lambda: not processes_of(folder), seconds=60)


def processes_of(folder: str) -> list[int]:
    """Processes that were started with that folder for Ray, or by such."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("RAY_TMPDIR") == folder:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@contextmanager
def cluster(environment: dict[str, str]) -> Iterator[str]:
    """A cluster of three cores on this machine; its address."""
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        address = next(line.split()[1] for line in holder.stdout if line.startswith("address "))
        yield address
    finally:
        holder.stdin.close()
        holder.stdout.close()
        holder.wait(60)
