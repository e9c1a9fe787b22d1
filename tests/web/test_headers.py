"""The headers of every answer. That the page works with them, every test of the page in a browser shows."""

from __future__ import annotations

import httpx
import pytest

from mobilesamv2.web.layout.headers import POLICY
from mobilesamv2.web.settings import Settings

from .conftest import FakeApp


@pytest.mark.parametrize("path", ["", "health", "metrics", "gradio_api/info", "no-such-file"])
def test_every_answer_has_them(fake_app: FakeApp, path: str) -> None:
    told = httpx.get(f"{fake_app.address}{path}").headers
    assert told["x-content-type-options"] == "nosniff"
    assert told["referrer-policy"] == "no-referrer"
    policy = told["content-security-policy"]
    for part in ("default-src 'self'", "object-src 'none'", "frame-ancestors 'self'"):
        assert part in policy.split("; ")


def test_nothing_may_be_fetched_from_another_server() -> None:
    assert all("http" not in sources and "*" not in sources for sources in POLICY.values())


def test_only_a_space_may_be_shown_in_a_frame_of_another_site() -> None:
    assert Settings.from_environment({}).frames == ()
    assert "https://huggingface.co" in Settings.from_environment({"SPACE_ID": "someone/demo"}).frames


@pytest.mark.parametrize("path", ["run/segment", "api/segment", "run/predict_mask/", "api/batch"])
def test_nobody_asks_past_the_queue(fake_app: FakeApp, path: str) -> None:
    answer = httpx.post(f"{fake_app.address}gradio_api/{path}", json={"data": []})
    assert answer.status_code == 404
    assert "join the queue" in answer.json()["detail"]


def test_routes_of_gradio_that_keep_files_or_connections_are_not_served(fake_app: FakeApp) -> None:
    sent = {"file": ("recording.mp4", b"x")}
    assert httpx.post(f"{fake_app.address}gradio_api/process_recording", files=sent).status_code == 404
    assert httpx.get(f"{fake_app.address}gradio_api/dev/reload", timeout=10).status_code == 404
