"""Whether the page is ready: its first model has answered. Knows no components."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import numpy as np

from .models import Models

log = logging.getLogger(__name__)


class Health:
    """Ready once `probe` has succeeded; until then it is tried again and again in a thread.

    Args:
        probe: raises where the first model does not answer.
        pause: seconds between two tries.
    """

    def __init__(self, probe: Callable[[], object], *, pause: float = 10.0) -> None:
        self._probe, self._pause = probe, pause
        self._ready = threading.Event()
        self.status = "starting"

    def start(self) -> None:
        """Begin to try, and return at once."""
        threading.Thread(target=self._try, name="health", daemon=True).start()

    @property
    def is_ready(self) -> bool:
        """Whether the first model has answered."""
        return self._ready.is_set()

    def _try(self) -> None:
        while not self.is_ready:
            try:
                self._probe()
            except Exception as error:  # noqa: BLE001  # whatever it is, the page is not ready
                self.status = f"not ready: the first model fails ({type(error).__name__})"
                log.warning("The page is %s.", self.status)
                self._ready.wait(self._pause)
            else:
                self.status = "ready"
                self._ready.set()


def answers(models: Models) -> None:
    """Let the first model answer one box on a small grey picture; raises whatever goes wrong."""
    model = models.get(models.first)
    model.predict(model.encode(np.full((32, 32, 3), 128, dtype=np.uint8)), boxes=[[8, 8, 24, 24]])
