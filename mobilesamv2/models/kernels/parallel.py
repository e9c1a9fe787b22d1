"""Independent calls in parallel, each on a core of its own.

PyTorch divides each operator among all cores. That does not pay for operators of a tenth of a millisecond: each waits
for the slowest core, and a hundred times as long where another program has taken one. Calls of many such operators wait
for each other once.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TypeVar

import torch

Result = TypeVar("Result")


def in_parallel(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    """Make all calls, at most `torch.get_num_threads()` at once, and return their results in order.

    Within a call PyTorch works on one core; nothing changes for other threads. Where there is one core or one call, or
    where a thread cannot be given one core, the caller's thread makes one call after the other on all cores.
    Gradients are not tracked.

    Raises:
        whatever a call raises, when those that run have ended.
    """
    threads = min(len(calls), torch.get_num_threads())
    inference = torch.is_inference_mode_enabled()

    def run(call: Callable[[], Result]) -> Result:
        with torch.inference_mode() if inference else torch.no_grad():
            return call()

    if threads < 2 or not _thread_settings():
        return [run(call) for call in calls]
    with ThreadPoolExecutor(threads, initializer=_use_one_core) as pool:
        return list(pool.map(run, calls))


def _use_one_core() -> None:
    """Let torch use one core in this thread. `torch.set_num_threads` would do it to all threads."""
    torch.get_num_threads()  # torch's own setting of a new thread comes at its first use, so not later
    for setting in _thread_settings():
        setting(1)


@cache
def _thread_settings() -> tuple[Callable[[int], object], ...]:
    """The functions of torch's libraries that set the calling thread's number of cores; none where one is missing."""
    ending = {"linux": "so", "darwin": "dylib"}.get(sys.platform)
    library = Path(torch.__file__).parent / "lib" / f"libtorch_cpu.{ending}"
    names = ["omp_set_num_threads"]
    if torch.backends.mkl.is_available():
        names.append("MKL_Set_Num_Threads_Local")  # has a number of its own
    try:
        loaded = ctypes.CDLL(str(library))
        return tuple(getattr(loaded, name) for name in names)
    except (OSError, AttributeError):
        return ()
