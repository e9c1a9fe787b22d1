"""The page for programs that speak MCP."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mobilesamv2.web.layout.serving import serves_mcp

from .conftest import FakeApp

needs_mcp = pytest.mark.skipif(
    importlib.util.find_spec("mcp") is None, reason='mcp is not here: pip install -e ".[test]" brings it'
)
TOOLS = {"segment", "compare", "budget", "predict_mask", "export", "batch"}


@pytest.mark.parametrize("there", [True, False])
def test_without_the_package_the_log_says_so_and_the_page_goes_on(
    there: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if there else None)
    with caplog.at_level(logging.WARNING):
        assert serves_mcp() is there
    assert ("pip install" in caplog.text) is not there


def talk(address: str, talking: Callable[[Any], Any]) -> Any:
    """What `talking` returns, a coroutine function that is given a session with the page."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def session() -> Any:
        async with (
            streamable_http_client(f"{address}gradio_api/mcp/") as (read, write, *_),
            ClientSession(read, write) as opened,
        ):
            await opened.initialize()
            return await talking(opened)

    # In a thread of its own: a test that drove a browser may have left a loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(session())).result()


@needs_mcp
def test_every_endpoint_is_a_tool_that_explains_itself_and_its_inputs(fake_app: FakeApp) -> None:
    async def list_tools(session: Any) -> Any:
        return (await session.list_tools()).tools

    tools = {tool.name: tool for tool in talk(fake_app.address, list_tools)}
    assert set(tools) == TOOLS
    for tool in tools.values():
        assert len(tool.description) > 80
        for parameter, schema in tool.inputSchema["properties"].items():
            assert len(schema["description"]) > 10, (tool.name, parameter)
    assert tools["predict_mask"].inputSchema["properties"]["points"]["type"] == "array"


@needs_mcp
def test_a_tool_answers_and_tells_what_is_wrong(fake_app: FakeApp, photo: Path) -> None:
    sent = "data:image/jpeg;base64," + base64.b64encode(photo.read_bytes()).decode()

    async def call(session: Any) -> Any:
        good = await session.call_tool("predict_mask", {"photo": sent, "boxes": [60, 20, 250, 190]})
        bad = await session.call_tool("predict_mask", {"photo": sent, "points": [[5000, 1]]})
        return good, bad

    good, bad = talk(fake_app.address, call)
    assert not good.isError
    assert "predicted_iou" in good.content[-1].text
    assert bad.isError
    assert "lies outside the photo" in bad.content[0].text
