"""The table of models and detectors."""

from __future__ import annotations

import re

import pytest

import mobilesamv2
from mobilesamv2 import zoo
from mobilesamv2.errors import UnknownModelError
from mobilesamv2.models.sam import Sam
from mobilesamv2.weights import folders, verify

ENTRIES = [*zoo.MODELS.values(), *zoo.DETECTORS.values()]
NAMES = [entry.name for entry in ENTRIES]


def test_models_are_listed_by_name_the_embedded_one_first() -> None:
    assert zoo.models() == ("nano", "mobilesam")
    assert zoo.models()[0] == zoo.DEFAULT_MODEL


def test_the_package_lists_the_same_models_before_and_after_its_subpackage_is_imported() -> None:
    assert mobilesamv2.models() == zoo.models()
    assert mobilesamv2.models.sam.Sam is Sam


@pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
def test_each_entry_is_complete(entry: zoo.ModelEntry | zoo.DetectorEntry) -> None:
    assert {**zoo.MODELS, **zoo.DETECTORS}[entry.name] is entry
    assert entry.summary
    assert entry.weights.licence in ("AGPL-3.0-or-later", "Apache-2.0")
    if entry.weights.repo is None:
        assert entry.weights.filename.endswith(".safetensors")
    else:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", entry.weights.repo)
        assert re.fullmatch(r"[0-9a-f]{64}", entry.weights.sha256 or "")
        assert entry.weights.bytes is not None
        assert entry.weights.bytes > 1_000_000


@pytest.mark.parametrize("entry", zoo.MODELS.values(), ids=zoo.models())
def test_the_usual_detector_of_each_model_is_in_the_table(entry: zoo.ModelEntry) -> None:
    assert entry.detector in zoo.DETECTORS


def test_the_default_model_and_its_detector_need_no_network() -> None:
    entry = zoo.MODELS[zoo.DEFAULT_MODEL]
    assert entry.weights.repo is None
    assert zoo.DETECTORS[entry.detector].weights.repo is None


@pytest.mark.parametrize(
    "entry", [e for e in ENTRIES if e.weights.repo is None], ids=lambda entry: entry.name
)
def test_embedded_weights_are_there_as_the_table_says_and_at_most_12_mb(
    entry: zoo.ModelEntry | zoo.DetectorEntry,
) -> None:
    path = folders()[-1] / entry.weights.filename
    verify(path, entry.weights)
    assert path.stat().st_size <= 12_000_000


def test_an_unknown_model_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(
        UnknownModelError, match=r'There is no model "sam3"\. The models are: nano, mobilesam\.'
    ):
        zoo.find_model("sam3")


def test_an_unknown_detector_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(UnknownModelError, match=r'no object detector "x"\. The detectors are: nano-objects;'):
        zoo.find_detector("x")
