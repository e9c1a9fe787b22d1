"""Ports of this machine: a free one, and waiting until something answers at one."""

from __future__ import annotations

import socket
import time
import urllib.request
from collections.abc import Callable


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(address: str, *, alive: Callable[[], bool]) -> None:
    """Wait until `address` answers."""
    deadline = time.monotonic() + 600  # a machine that runs tests may be busy
    while time.monotonic() < deadline:
        if not alive():
            raise RuntimeError(f"What should serve {address} ended at its start.")
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"{address} did not answer within ten minutes.")
