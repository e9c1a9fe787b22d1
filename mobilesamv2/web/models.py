"""The loaded models of the page. All visitors share them; nothing of a visitor is in here."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from typing import Any

from ..errors import MobileSamError, UnknownModelError
from ..progress import Progress
from ..prompts.object_aware import Detector
from ..segmenter import Segmenter
from .menus import chosen
from .settings import EMBEDDED_MODEL

log = logging.getLogger(__name__)

MOST_LOADED = 4
"""Models, and detectors, that stay in memory where they are loaded when they are chosen."""


def _nothing_to_fetch(choice: str) -> Generator[Progress, None, None]:
    yield from ()


class Models:
    """The loaded models by choice: "nano", or "nano+fastsam-s" for one with another detector.

    Args:
        load: gives the model of a name with its own detector, or raises a `MobileSamError`.
        names: the models on the menu.
        first: loaded at once. If that fails, the embedded model takes its place and the log says why.
        load_all: load the others at once too; those that fail are left out of `names` and `detectors`.
        load_detector: gives a detector of a name, or raises a `MobileSamError`.
        detectors: those on the menu, besides each model's own.
        fetch: gets the files of a choice onto this machine, step by step, before it is loaded.
    """

    def __init__(
        self,
        load: Callable[[str], Segmenter],
        *,
        names: Sequence[str],
        first: str,
        load_all: bool = False,
        load_detector: Callable[[str], Detector] | None = None,
        detectors: Sequence[str] = (),
        fetch: Callable[[str], Generator[Progress, None, None]] = _nothing_to_fetch,
    ) -> None:
        self._load, self._load_detector = load, load_detector
        self._loaded: OrderedDict[str, Segmenter] = OrderedDict()
        self._detectors: OrderedDict[str, Detector] = OrderedDict()
        self._loading = threading.RLock()
        self._most = len(names) + len(detectors) if load_all else MOST_LOADED
        self.fetch = fetch
        self.names, self.detectors = tuple(names), tuple(detectors)
        self.first = first if first == EMBEDDED_MODEL or self._try(first) else EMBEDDED_MODEL
        self.device = self.get(self.first).device_description
        if load_all:
            self.names = tuple(name for name in self.names if self._try(name))
            self.detectors = tuple(name for name in self.detectors if self._try(f"{self.first}+{name}"))

    def get(self, choice: str) -> Segmenter:
        """The model of a choice, loaded now if it was not yet.

        Raises:
            UnknownModelError: no such name on the menu.
            WeightsError: a checkpoint cannot be had or read.
        """
        name, detector = chosen(choice)
        for wanted, what, menu in ((name, "model", self.names), (detector, "detector", self.detectors)):
            if wanted not in menu and (wanted or what == "model"):
                offered = ", ".join(menu) or "none"
                raise UnknownModelError(f"There is no {what} {wanted!r} here; choose one of {offered}.")
        with self._loading:
            model: Segmenter = self._kept(self._loaded, name, self._load)
            if not detector or self._load_detector is None:
                return model
            found: Detector = self._kept(self._detectors, detector, self._load_detector)
            return model.with_detector(found)

    def _kept(self, kept: OrderedDict[str, Any], name: str, load: Callable[[str], Any]) -> Any:
        if name not in kept:
            kept[name] = load(name)
        kept.move_to_end(name)
        spare = [other for other in kept if other not in (EMBEDDED_MODEL, name)]
        for other in spare[: max(0, len(kept) - self._most)]:
            del kept[other]
        return kept[name]

    def _try(self, choice: str) -> bool:
        try:
            self.get(choice)
        except MobileSamError as error:
            log.warning("%s is left out. %s", choice, error)
            return False
        return True
