"""Runs presets: their settings on one data set, and our values beside the paper's with what differs between the two.

Nothing is fetched: a row whose checkpoint is not on this machine says which file that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import loading, weights, zoo
from ..build import SamWeights
from ..request import Request
from ..segmenter import Segmenter
from .datasets import Dataset
from .presets import Metric, Preset, Setting
from .run import Plan, Record, evaluate

LEFT_OUT = "left out"
"""Why a setting was not run that nobody wanted."""


@dataclass(frozen=True)
class ModelChoice:
    """A model with its detector, by name; it can be sent to another process, and is loaded when called.

    Args:
        name: one of the zoo's models.
        weights: as `load` takes them.
        detector: a name or the path of a checkpoint; None: the model's usual one.
        device: as `load` takes it.
    """

    name: str
    weights: SamWeights | None = None
    detector: str | None = None
    device: str | None = None

    def __call__(self) -> Segmenter:
        """Load it; a detector that is not on this machine is left out."""
        detector = None if self._detector_files_missing() else self.detector
        return loading.load(self.name, weights=self.weights, detector=detector, device=self.device)

    def __str__(self) -> str:
        return f"{self.name} + {self.detector or zoo.find_model(self.name).detector}"

    def other(self, name: str) -> ModelChoice:
        """Another model in its place, with the zoo's weights; the same one stays as it is."""
        return self if name == self.name else replace(self, name=name, weights=None)

    def missing(self, request: Request) -> list[str]:
        """The files that `request` needs and that are not on this machine, each as "repository/file"."""
        own = [] if self.weights is not None else weights.missing(zoo.find_model(self.name).files.values())
        detector = [] if request.detector_confidence is None else self._detector_files_missing()
        return [f"{file.repo or 'this package'}/{file.filename}" for file in (*own, *detector)]

    def _detector_files_missing(self) -> list[zoo.WeightsFile]:
        name = self.detector or zoo.find_model(self.name).detector
        return weights.missing(zoo.DETECTORS[name].files.values()) if name in zoo.DETECTORS else []


@dataclass(frozen=True)
class _Row:
    """A setting, what it is measured with, and why it is not, if so."""

    setting: Setting
    model: ModelChoice
    not_run: str


def run_presets(
    presets: Sequence[Preset],
    dataset: Dataset,
    model: ModelChoice,
    *,
    left_out: Sequence[str] = (),
    data_name: str,
    progress_file: Callable[[str], Path | None] = lambda model: None,
    workers: int = 1,
    on_picture: Callable[[str, int], object] = lambda model, done: None,
) -> list[Record]:
    """Measure the settings of some tables; what several of them ask is asked once.

    Args:
        presets: the tables.
        dataset: the photographs.
        model: measures every row that is not about a model of its own.
        left_out: settings whose name holds one of these texts are not run, and say so.
        data_name: what the data are called in the result.
        progress_file: gives the progress file of `evaluate` for the model of that name.
        workers: as `evaluate` takes it.
        on_picture: called after each picture with the model's name and the number of pictures done.

    Returns:
        A record for each preset, ready for JSON: `title`, `pictures`, `objects`, `metrics`, `protocol` (`paper`, `here`
        and `remarks`) and `rows`. A row has `setting`, `model`, `request`, `prompts`, `ours` and `paper` (values by
        metric), and `not_run`: why it was not run, where `ours` is None.

    Raises:
        MobileSamError: as `evaluate` and `load`.
    """
    tables = [[_row(setting, model, left_out) for setting in _settings(preset, model.name)] for preset in presets]
    to_run: dict[ModelChoice, dict[Request, None]] = {}
    for row in (row for rows in tables for row in rows if not row.not_run):
        to_run.setdefault(row.model, {})[row.setting.request] = None
    measured: dict[tuple[ModelChoice, Request], Record] = {}
    devices: list[str] = []
    for choice, requests in to_run.items():
        segmenter = choice()
        devices.append(segmenter.device_description)
        found = evaluate(
            Plan(choice if workers > 1 else _Loaded(segmenter), str(choice), tuple(requests)),
            dataset,
            progress_file=progress_file(choice.name),
            workers=workers,
            on_picture=lambda done, name=choice.name: on_picture(name, done),  # type: ignore[misc]
        )
        measured.update({(choice, request): row for request, row in zip(requests, found["rows"], strict=True)})
    objects = next((row["objects"] for row in measured.values()), None)
    labels = "federated labels" if dataset.is_federated else "labels as annotated"
    here = {
        "data": f"{data_name}: {len(dataset.photographs)} pictures, {objects} objects, {labels}",
        "model": str(model),
        "device": ", ".join(dict.fromkeys(devices)) or "none",
    }
    return [
        _record(preset, rows, measured, here, pictures=len(dataset.photographs), objects=objects)
        for preset, rows in zip(presets, tables, strict=True)
    ]


@dataclass(frozen=True)
class _Loaded:
    segmenter: Segmenter

    def __call__(self) -> Segmenter:
        return self.segmenter


def _settings(preset: Preset, model: str) -> Iterable[Setting]:
    """The rows of a table; one that the paper does not have is left out if another is about the same model."""
    named = {setting.model for setting in preset.settings}
    return (setting for setting in preset.settings if setting.paper or model not in named)


def _row(setting: Setting, model: ModelChoice, left_out: Sequence[str]) -> _Row:
    choice = model if setting.model is None else model.other(setting.model)
    missing = choice.missing(setting.request)
    reason = f"not on this machine: {', '.join(missing)}" if missing else ""
    return _Row(setting, choice, LEFT_OUT if any(text in setting.name for text in left_out) else reason)


def _record(
    preset: Preset,
    rows: Sequence[_Row],
    measured: Mapping[tuple[ModelChoice, Request], Record],
    here: Mapping[str, str],
    *,
    pictures: int,
    objects: int | None,
) -> Record:
    return {
        "title": preset.title,
        "pictures": pictures,
        "objects": objects,
        "metrics": [metric.name for metric in preset.metrics],
        "protocol": {"paper": dict(preset.paper), "here": dict(here), "remarks": list(preset.remarks)},
        "rows": [
            {
                "setting": row.setting.name,
                "model": str(row.model),
                "request": row.setting.request.to_record(),
                "prompts": None if found is None else found["prompts"],
                "ours": None if found is None else {each.name: _value(each, found) for each in preset.metrics},
                "paper": dict(row.setting.paper),
                "not_run": row.not_run,
            }
            for row in rows
            for found in (measured.get((row.model, row.setting.request)) if not row.not_run else None,)
        ],
    }


def _value(metric: Metric, row: Mapping[str, Any]) -> float | None:
    """None where there is nothing to measure: no object of that size."""
    total = 0.0
    for keys in metric.keys:
        found: Any = row
        for key in keys:
            found = found[key]
        if found is None:
            return None
        total += found
    return metric.times * total
