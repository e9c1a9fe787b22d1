"""Ray: started on this machine alone, or one that runs elsewhere; quiet, and with nothing sent to its makers."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import threading
from collections.abc import Iterator
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
        cluster: where they run, for people.
    """

    workers: int
    cpus: int
    gpus: int
    cluster: str


def ray_data() -> Any:
    """The module `ray.data`.

    Raises:
        BatchError: if Ray is not installed.
    """
    os.environ.update({name: value for name, value in _QUIET.items() if name not in os.environ})
    try:
        import ray.data
    except ImportError as error:
        raise BatchError(
            f'This needs Ray Data, which is an extra: pip install -e ".[batch]" ({error}).'
        ) from error
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
        # Ray listens on all addresses of the machine: only this program and its workers know the password.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        options = {
            "address": "local",
            "num_cpus": max(cores, workers or 1),
            "object_store_memory": OBJECT_STORE_BYTES,
            "include_dashboard": False,
        }
    try:
        with _own_signals():
            ray.init(**options, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError, OSError, TimeoutError) as error:
        where = "on this machine" if address is None else f"at {address}"
        raise BatchError(f"There is no Ray {where}: {' '.join(str(error).split())[:300]}") from error
    try:
        yield _pool(ray, "this machine" if address is None else address, workers, use_gpus)
    finally:
        ray.shutdown()


def _pool(ray: Any, cluster: str, workers: int | None, use_gpus: bool | None) -> Pool:
    resources = ray.cluster_resources()
    cpus, gpus = (int(resources.get(name, 0)) for name in ("CPU", "GPU"))
    if use_gpus and not gpus:
        raise BatchError(f"There is no GPU on {cluster}.")
    if gpus and use_gpus is not False:
        count = min(workers or gpus, gpus)
        return Pool(count, max(1, cpus // gpus), 1, cluster)
    count = workers or max(1, cpus)
    return Pool(count, max(1, cpus // count), 0, cluster)


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
