"""The loaded models of the page."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mobilesamv2.errors import UnknownModelError, WeightsError
from mobilesamv2.web.models import Models

from .fakes import Fake, FakeSegmenter, loader, script


def test_models_are_loaded_once_and_when_asked_for() -> None:
    asked: list[str] = []

    def load(name: str) -> FakeSegmenter:
        asked.append(name)
        return FakeSegmenter(SimpleNamespace(**script()), name=name)

    models = Models(load, names=("nano", "other"), first="nano")  # type: ignore[arg-type]
    assert asked == ["nano"]
    assert models.get("other") is models.get("other")
    assert asked == ["nano", "other"]


def test_a_first_model_that_cannot_be_had_gives_way_to_the_embedded_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    models = Models(loader(SimpleNamespace(**script())), names=("nano", "mobilesam"), first="mobilesam")
    assert models.first == "nano"
    assert "could not be fetched" in caplog.text


def test_a_model_that_cannot_be_had_raises_and_the_embedded_one_goes_on() -> None:
    models = Fake().models
    with pytest.raises(WeightsError, match="could not be fetched"):
        models.get("mobilesam")
    assert models.get("nano").name == "nano"


def test_models_that_cannot_be_had_leave_the_menu_where_all_are_loaded_at_once() -> None:
    load = loader(SimpleNamespace(**script()))
    assert Models(load, names=("nano", "mobilesam"), first="nano", load_all=True).names == ("nano",)


def test_a_name_that_is_not_on_the_menu_is_refused() -> None:
    with pytest.raises(UnknownModelError, match="choose one of nano"):
        Fake().models.get("sam-vit-x")
