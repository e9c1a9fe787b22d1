"""Whether the page is ready."""

from __future__ import annotations

import threading

import httpx
import pytest

from mobilesamv2.web.health import Health, answers

from .conftest import FakeApp
from .fakes import Fake
from .person import until


def test_the_page_is_ready_once_its_first_model_has_answered(fake_app: FakeApp) -> None:
    until(lambda: httpx.get(f"{fake_app.address}health").status_code == 200)
    assert httpx.get(f"{fake_app.address}health").text == "ready"


def test_it_is_not_ready_before() -> None:
    go = threading.Event()
    health = Health(go.wait)
    health.start()
    assert (health.is_ready, health.status) == (False, "starting")
    go.set()
    until(lambda: health.is_ready)
    assert health.status == "ready"


def test_a_model_that_fails_is_tried_again_and_its_words_are_not_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tries: list[int] = []

    def probe() -> None:
        tries.append(len(tries))
        if len(tries) < 3:
            raise ZeroDivisionError("a secret")

    health = Health(probe, pause=0.05)
    health.start()
    until(lambda: "ZeroDivisionError" in health.status)
    until(lambda: health.is_ready)
    assert len(tries) == 3
    assert "ZeroDivisionError" in caplog.text
    assert "a secret" not in caplog.text + health.status


def test_the_probe_asks_the_first_model_for_one_mask() -> None:
    fake = Fake()
    answers(fake.models)
    assert fake.script.asked == (("given", 1),)
    fake = Fake(error=RuntimeError("broken"))
    with pytest.raises(RuntimeError):
        answers(fake.models)
