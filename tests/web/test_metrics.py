"""Numbers for Prometheus and the log: what is counted, and that neither tells of pictures, names or secrets."""

from __future__ import annotations

import logging
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file

from mobilesamv2.errors import PromptError
from mobilesamv2.progress import Progress
from mobilesamv2.web.metrics import Metrics

from .conftest import FakeApp


def numbers(page: str) -> dict[str, float]:
    """The samples of a page of metrics, by name and labels."""
    lines = [line.rpartition(" ") for line in page.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_requests_are_counted_by_outcome_and_errors_by_kind(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    metrics = Metrics()
    with metrics.request("segment"):
        pass
    for error in (PromptError("a secret"), RuntimeError("another secret")):
        with pytest.raises(Exception, match="told"), metrics.request("segment"):
            raise Exception("told") from error  # as the page's sentences do it

    def stopped() -> Generator[int, None, None]:
        with metrics.request("segment"):
            yield 1

    running = stopped()
    next(running)
    running.close()
    found = numbers(metrics.page().decode())
    outcomes = ("answered", "refused", "failed", "stopped")
    for outcome in outcomes:
        assert found[f'mobilesamv2_requests_total{{outcome="{outcome}",request="segment"}}'] == 1
    assert found['mobilesamv2_errors_total{kind="PromptError"}'] == 1
    assert found['mobilesamv2_errors_total{kind="RuntimeError"}'] == 1
    assert found['mobilesamv2_request_seconds_count{request="segment"}'] == 4
    assert [re.sub(r"[\d.]+$", "", line) for line in caplog.messages] == [
        f"request=segment outcome={outcome} seconds=" for outcome in outcomes
    ]
    assert "secret" not in caplog.text


def test_the_time_of_a_stage_lasts_from_its_step_to_that_of_another() -> None:
    metrics = Metrics()

    def run() -> Generator[Any, None, None]:
        yield Progress("wait")
        yield Progress("wait")
        yield Progress("decode", 0, 2)
        yield Progress("decode", 1, 2)
        yield "result"

    assert len(list(metrics.stages(run()))) == 5
    found = numbers(metrics.page().decode())
    assert found['mobilesamv2_stage_seconds_count{stage="wait"}'] == 1
    assert found['mobilesamv2_stage_seconds_count{stage="decode"}'] == 1


def test_closing_counts_what_was_done_and_closes_the_run() -> None:
    metrics, closed = Metrics(), []

    def run() -> Generator[Any, None, None]:
        try:
            yield Progress("encode")
            yield Progress("decode")
        finally:
            closed.append(True)

    running = metrics.stages(run())
    assert [next(running), next(running)] == [Progress("encode"), Progress("decode")]
    running.close()
    assert closed == [True]
    assert 'stage="encode"' in metrics.page().decode()


def test_the_page_tells_of_queue_and_memory(fake_app: FakeApp, photo: Path) -> None:
    client = Client(fake_app.address, verbose=False, analytics_enabled=False)
    client.predict(handle_file(str(photo)), api_name="/segment")
    client.close()
    answer = httpx.get(f"{fake_app.address}metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = numbers(answer.text)
    assert found["mobilesamv2_waiting"] == 0
    assert found["process_resident_memory_bytes"] > 10**7
    assert found['mobilesamv2_requests_total{outcome="answered",request="segment"}'] >= 1
    assert found['mobilesamv2_stage_seconds_count{stage="decode"}'] >= 1
