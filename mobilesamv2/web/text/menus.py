"""Sentences of the menus of models and detectors."""

from __future__ import annotations

from collections.abc import Sequence

from ...formatting import data_size

MODEL_LABEL = "Model"
DETECTOR_LABEL = "Objects by"
OWN_DETECTOR = "the model's own detector"


def line(name: str, size: int, licences: Sequence[str], *, is_here: bool, is_offline: bool) -> str:
    """A row of a menu: name, size, licence, and what it needs where it is not here."""
    place = "" if is_here else "needs a network" if is_offline else "to be fetched"
    return " · ".join(part for part in (name, data_size(size) if size else "", *licences, place) if part)


def note(name: str, size: int, places: Sequence[str], *, network: bool | None) -> str:
    """What choosing a model that is not here means."""
    if network is False:
        return f"There is no network here, so {name} cannot be fetched. nano comes with the program and works."
    much = f"{data_size(size)} " if size else ""
    return f"{name} is not here yet: the next run fetches {much}from {' and '.join(places)}. You can cancel it."
