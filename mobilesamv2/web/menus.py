"""What the menus of models and detectors offer, and how a checkpoint arrives. Knows nothing of components."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing

from .. import weights, zoo
from ..formatting import data_size
from ..progress import Progress
from ..zoo.entries import WeightsFile

log = logging.getLogger(__name__)

OWN_DETECTOR = ""
"""In the menu of detectors: the one that the model is usually used with."""
OWN_BY_NAME = "own"
"""What programs call it."""


def hub_is_reachable() -> bool:
    """Whether models can be fetched: the environment allows it, and the hub answers."""
    return not weights.offline() and weights.reachable()


class Network:
    """Whether the hub can be reached: asked once, in the background, so that no page waits for it.

    Args:
        ask: asks; it may take some seconds. None: there is no network, and nobody is asked.
    """

    def __init__(self, ask: Callable[[], bool] | None = None) -> None:
        self.is_there: bool | None = None if ask else False
        self._asking = threading.Thread(target=self._ask, args=[ask], name="network", daemon=True)
        self._asking.start()

    def _ask(self, ask: Callable[[], bool] | None) -> None:
        self.is_there = ask() if ask else False

    def wait(self, seconds: float) -> bool | None:
        """Whether it is there; None if that is not known within so many seconds."""
        self._asking.join(seconds)
        return self.is_there


def chosen(choice: str) -> tuple[str, str]:
    """The model and the detector of a choice: "mobilesam+fastsam-s"; no detector is the model's own."""
    model, _, detector = choice.partition("+")
    return model, detector


def joined(model: str, detector: str) -> str:
    """The choice of a model and a detector; the opposite of `chosen`."""
    return model if detector in (OWN_DETECTOR, OWN_BY_NAME) else f"{model}+{detector}"


def files_of(choice: str) -> list[WeightsFile]:
    """The checkpoints that a choice needs; a name that is not in the zoo needs none that we know."""
    model, detector = chosen(choice)
    entry = zoo.MODELS.get(model)
    files = [] if entry is None else list(entry.files.values())
    found = zoo.DETECTORS.get(detector or ("" if entry is None else entry.detector))
    return files + ([] if found is None else list(found.files.values()))


def is_here(choice: str) -> bool:
    """Whether a choice runs without a network."""
    return not weights.missing(files_of(choice))


def model_choices(names: Iterable[str], *, network: bool | None) -> list[tuple[str, str]]:
    """Models for a menu: what each is called there, and its name."""
    return _choices(zoo.MODELS, names, network)


def detector_choices(names: Iterable[str], *, network: bool | None) -> list[tuple[str, str]]:
    """Detectors for a menu, the model's own first."""
    return [("the model's own detector", OWN_DETECTOR), *_choices(zoo.DETECTORS, names, network)]


def note(choice: str, *, network: bool | None) -> str:
    """A sentence where a choice is not here yet, else nothing."""
    missing, name = weights.missing(files_of(choice)), chosen(choice)[0]
    if not missing:
        return ""
    if network is False:
        return f"There is no network here, so {name} cannot be fetched. nano comes with the program and works."
    places = " and ".join(sorted({str(file.repo) for file in missing}))
    much = f"{data_size(size)} " if (size := _bytes(missing)) else ""
    return f"{name} is not here yet: the next run fetches {much}from {places}. You can cancel it."


def arriving(choice: str) -> Generator[Progress, None, None]:
    """Fetch what a choice lacks, telling how far it is in bytes. Closing this stops it; the next one goes on there.

    Raises:
        WeightsError: if it cannot be had.
    """
    with closing(weights.fetch(*files_of(choice))) as fetching:
        for step in fetching:
            yield Progress("fetch", step.done_bytes, step.total_bytes or 0)


def _choices(
    entries: Mapping[str, zoo.ModelEntry] | Mapping[str, zoo.DetectorEntry],
    names: Iterable[str],
    network: bool | None,
) -> list[tuple[str, str]]:
    choices = []
    for name in names:
        line = name
        if name in entries:
            files = list(entries[name].files.values())
            licences = sorted({file.licence for file in files})
            size = data_size(_bytes(files)) if _bytes(files) else ""
            place = "needs a network" if network is False else "to be fetched"
            parts = [name, size, *licences, place if weights.missing(files) else ""]
            line = " · ".join(filter(None, parts))
        choices.append((line, name))
    return choices


def _bytes(files: Iterable[WeightsFile]) -> int:
    return sum(file.bytes or file.about_bytes or 0 for file in files)
