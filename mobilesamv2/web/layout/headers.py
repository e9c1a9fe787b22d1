"""Headers that limit what a browser does with the page, and no answer at all about addresses of other servers or from
routes of Gradio that the page does not use.

An ASGI middleware that knows no components.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..text import page as text

_NOT_SERVED = re.compile(r"/gradio_api/(process_recording|dev/reload)", re.IGNORECASE)
"""Routes of Gradio that the page has no use for: one keeps what is sent on the disk, one holds connections open."""
_OTHER_SERVER = re.compile(r"/(proxy=|file=\s*https?:)", re.IGNORECASE)
"""In a path of Gradio's: its route for files would fetch and pass on any address."""
POLICY = {
    "default-src": "'self'",
    # Gradio's page has scripts and styles within it, and compiles those of its components in the browser.
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval' blob:",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
}
"""Content security policy: nothing is fetched from, or sent to, another server."""


def headers(frames: Sequence[str] = ()) -> dict[bytes, bytes]:
    """The headers of every answer.

    Args:
        frames: origins that may show the page in a frame, besides its own.
    """
    policy = POLICY | {"frame-ancestors": " ".join(("'self'", *frames))}
    told = {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "permissions-policy": "camera=(self), microphone=(), geolocation=()",
        "cross-origin-opener-policy": "same-origin",
    }
    return {name.encode(): value.encode() for name, value in told.items()}


class Headers:
    """Adds `headers` to every answer of `app` that does not set them itself; refuses paths that are not served."""

    def __init__(self, app: ASGIApp, frames: Sequence[str] = ()) -> None:
        self._app, self._headers = app, headers(frames)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                names = {name.lower() for name, _ in given}
                message["headers"] = given + [pair for pair in self._headers.items() if pair[0] not in names]
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _OTHER_SERVER.search(scope["path"]):
            await JSONResponse({"detail": text.NO_PROXY}, status_code=403)(scope, receive, add)
        elif _NOT_SERVED.search(scope["path"]):
            await JSONResponse({"detail": text.NOT_THERE}, status_code=404)(scope, receive, add)
        else:
            await self._app(scope, receive, add)
