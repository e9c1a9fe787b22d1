"""Middleware that refuses addresses of other servers: Gradio's route for files would fetch and pass on any address."""

from __future__ import annotations

import re

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ..text import page as text

_OTHER_SERVER = re.compile(r"/(proxy=|file=\s*https?:)", re.IGNORECASE)


class NoProxy:
    """Middleware that refuses paths which hold the address of another server."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        if scope["type"] == "http" and _OTHER_SERVER.search(scope["path"]):
            await JSONResponse({"detail": text.NO_PROXY}, status_code=403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
