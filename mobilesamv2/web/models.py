"""The loaded models of the page. All visitors share them; nothing of a visitor is in here."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from ..errors import MobileSamError, UnknownModelError
from ..segmenter import Segmenter
from .settings import EMBEDDED_MODEL

log = logging.getLogger(__name__)


class Models:
    """The loaded models by name. All visitors share them; nothing of a visitor is in here.

    Args:
        load: gives the model of a name, or raises a `MobileSamError`.
        names: the names on the menu.
        first: loaded at once. If that fails, the embedded model takes its place and the log says why.
        load_all: load the others at once too; those that fail are left out of `names`.
    """

    def __init__(
        self, load: Callable[[str], Segmenter], *, names: Sequence[str], first: str, load_all: bool = False
    ) -> None:
        self._load = load
        self._loaded: dict[str, Segmenter] = {}
        self._loading = threading.Lock()
        self.names = tuple(names)
        self.first = first if first == EMBEDDED_MODEL or self._try(first) else EMBEDDED_MODEL
        self.device = self.get(self.first).device_description
        if load_all:
            self.names = tuple(name for name in self.names if self._try(name))

    def get(self, name: str) -> Segmenter:
        """The model of that name, loaded now if it was not yet.

        Raises:
            UnknownModelError: no such name on the menu.
            WeightsError: its checkpoint cannot be had or read.
        """
        if name not in self.names:
            raise UnknownModelError(
                f"There is no model {name!r} here; choose one of {', '.join(self.names)}."
            )
        with self._loading:
            if name not in self._loaded:
                self._loaded[name] = self._load(name)
            return self._loaded[name]

    def _try(self, name: str) -> bool:
        try:
            self.get(name)
        except MobileSamError as error:
            log.warning("The model %s is left out. %s", name, error)
            return False
        return True
