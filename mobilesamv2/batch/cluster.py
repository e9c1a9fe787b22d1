"""Connection to Ray, started on this machine or running elsewhere. It prints nothing and sends no usage statistics."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .store import BatchError

OBJECT_STORE_BYTES = 256 * 2**20
"""Of a cluster on this machine. Only names of pictures and reports go through it, never a picture or a mask."""
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent anywhere
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",  # of its own statistics, when a worker died
}


@dataclass(frozen=True)
class Pool:
    """The workers of a run.

    Args:
        workers: how many.
        cpus, gpus: of each. A worker's model uses so many threads.
    """

    workers: int
    cpus: int
    gpus: int


def ray_data() -> Any:
    """The module `ray.data`.

    Raises:
        BatchError: if Ray is not installed.
    """
    os.environ.update({name: value for name, value in _QUIET.items() if name not in os.environ})
    try:
        import ray.data
    except ImportError as error:
        raise BatchError(f'This needs Ray Data, which is an extra: pip install -e ".[batch]" ({error}).') from error
    return ray.data


@contextmanager
def connected(address: str | None, *, workers: int | None, use_gpus: bool | None = None) -> Iterator[Pool]:
    """Connect to a Ray cluster while the block runs; one that this program has connected to before is used as it is.

    Args:
        address: of a cluster that runs, as `ray.init` takes it; None: start one on this machine, for itself.
        workers: how many; None: one for each GPU, or for each core where there is no GPU.
        use_gpus: whether workers have a GPU each; None: if there are any.

    Raises:
        BatchError: if Ray is not installed, does not start or cannot be reached, or GPUs are asked for and not there.
    """
    ray_data()
    import ray

    if ray.is_initialized():
        yield _pool(ray, "a Ray cluster", workers, use_gpus)
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    options: dict[str, Any] = {"address": address}
    if address is None:
        # Ray listens on all addresses of the machine and demands a token, which it would leave in the home folder.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        options = {
            "address": "local",
            "num_cpus": max(cores, workers or 1),
            "object_store_memory": OBJECT_STORE_BYTES,
            "include_dashboard": False,
        }
    _start(ray, options, attempts=2 if address is None else 1)
    try:
        yield _pool(ray, "this machine" if address is None else address, workers, use_gpus)
    finally:
        ray.shutdown()


def _start(ray: Any, options: Mapping[str, Any], *, attempts: int) -> None:
    """Start or reach Ray; it waits half a minute for what it starts, which a busy machine may need twice."""
    for left in reversed(range(attempts)):
        try:
            with _own_signals():
                ray.init(**options, logging_level=logging.ERROR, log_to_driver=False)
            return
        except Exception as error:  # of many classes, and once of this one itself
            ray.shutdown()
            if not left:
                where = "on this machine" if options["address"] == "local" else f"at {options['address']}"
                reason = " ".join(str(error).split())[:300]
                raise BatchError(f"There is no Ray {where}: {reason}") from error


def _pool(ray: Any, cluster: str, workers: int | None, use_gpus: bool | None) -> Pool:
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    machines = [(int(of_one.get("CPU", 0)), int(of_one.get("GPU", 0))) for of_one in alive]
    if use_gpus and not any(gpus for _, gpus in machines):
        raise BatchError(f"There is no GPU on {cluster}.")
    return pool_of(machines, workers=workers, use_gpus=use_gpus)


def pool_of(machines: Sequence[tuple[int, int]], *, workers: int | None, use_gpus: bool | None) -> Pool:
    """The workers that suit some machines: one for each GPU, or for each core where there is none.

    Args:
        machines: cores and GPUs of each.
        workers: how many; with GPUs, at most so many. Fewer than there are cores have several cores each.
        use_gpus: whether workers have a GPU each; None: if there are any.
    """
    with_gpus = [(cpus, gpus) for cpus, gpus in machines if gpus]
    if with_gpus and use_gpus is not False:
        all_gpus = sum(gpus for _, gpus in with_gpus)
        each = min(cpus // gpus for cpus, gpus in with_gpus)
        return Pool(min(workers or all_gpus, all_gpus), cpus=max(1, each), gpus=1)
    cores = [cpus for cpus, _ in machines if cpus]
    count = workers or max(1, sum(cores))
    # A worker must fit on one machine.
    fitting = (each for each in range(max(cores, default=1), 1, -1) if sum(n // each for n in cores) >= count)
    return Pool(count, cpus=next(fitting, 1), gpus=0)


@contextmanager
def _own_signals() -> Iterator[None]:
    """`ray.init` takes SIGTERM for itself; this gives it back to the program."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
