"""A hub on the loopback interface that answers as the real one does, or as badly as a test wants."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

COMMIT = "c0ffee" + "0" * 34


def _opened() -> Event:
    gate = Event()
    gate.set()
    return gate


@dataclass
class FakeHub:
    """What the hub serves, and what it was asked.

    Args:
        files: content by "owner/name/filename".
        status: answer every request with this HTTP status instead, if it is not 200.
        status_of_content: the same for requests of content only.
        token: what visitors must have; None: nothing.
        sent: send so many bytes of each file only, and say that this is all; None: all.
        broken_after: break the connection after so many bytes of an answer; None: never.
        broken_answers: how many answers are broken so, before the others are whole.
        more: bytes that are sent after those of the file.
        changed: bytes that are sent instead of those of the file.
        said_bytes: the size the hub says, if another than the true one.
        past_the_end: the HTTP status for a range that begins behind the last byte; 200: the whole file.
        said_etag: the etag the hub says, if another than the SHA-256.
        elsewhere: whether content lies on another host, as large files do; that host is shown no token.
        ranges: whether it goes on where it is asked to.
        is_a_hub: whether it names the commit, as hubs do.
        pause: seconds before each 1,000 bytes.
        gate: content is sent while it is set.
        requests: "METHOD path" of each request so far.
        shown_tokens: the token that each request for content elsewhere showed.
        asked_ranges: the Range of each request of content; "" for none.
        address: where it is.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    status: int = 200
    status_of_content: int = 200
    token: str | None = None
    sent: int | None = None
    broken_after: int | None = None
    broken_answers: int = 10**9
    more: bytes = b""
    changed: bytes | None = None
    said_bytes: int | None = None
    past_the_end: int = 200
    said_etag: str | None = None
    elsewhere: bool = False
    ranges: bool = True
    is_a_hub: bool = True
    pause: float = 0.0
    gate: Event = field(default_factory=_opened)
    requests: list[str] = field(default_factory=list)
    shown_tokens: list[str | None] = field(default_factory=list)
    asked_ranges: list[str] = field(default_factory=list)
    address: str = ""

    @property
    def downloads(self) -> int:
        """How often content was asked for."""
        return len(self.asked_ranges)


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        hub = self.hub
        hub.requests.append(f"{self.command} {self.path}")
        if self.path.startswith("/elsewhere/"):
            hub.shown_tokens.append(self.headers.get("Authorization"))
            self._give(hub.files[self.path.removeprefix("/elsewhere/")], with_body=with_body)
            return
        repo, _, rest = self.path.strip("/").partition("/resolve/")
        content = hub.files.get(f"{repo}/{rest.partition('/')[2]}")
        status = hub.status_of_content if with_body and hub.status == 200 else hub.status
        if hub.token is not None and self.headers.get("Authorization") != f"Bearer {hub.token}":
            status = 401
        if status != 200 or content is None:
            self._refuse(404 if status == 200 else status, missing=status == 200)
            return
        if hub.elsewhere:
            self._redirect(f"{repo}/{rest.partition('/')[2]}", content)
            return
        self._give(content, with_body=with_body)

    def _redirect(self, name: str, content: bytes) -> None:
        self.send_response(302)
        other_host = self.hub.address.replace("127.0.0.1", "localhost")
        self.send_header("Location", f"{other_host}/elsewhere/{name}")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("X-Linked-ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Linked-Size", str(len(content)))
        self.send_header("ETag", '"of-the-pointer"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _give(self, content: bytes, *, with_body: bool) -> None:
        hub = self.hub
        if with_body:
            hub.asked_ranges.append(self.headers.get("Range") or "")
        body = content
        if with_body:
            body = (content if hub.changed is None else hub.changed)[: hub.sent]
        if with_body and hub.past_the_end != 200 and self.headers.get("Range") == f"bytes={len(body)}-":
            self._refuse(hub.past_the_end, missing=False)
            return
        start = self._start(len(body)) if with_body else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if hub.is_a_hub:
            self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hub.said_etag or hashlib.sha256(content).hexdigest()}"')
        if hub.said_bytes is not None:
            self.send_header("X-Linked-Size", str(hub.said_bytes))
        rest_of_body = body[start:] + hub.more
        self.send_header("Content-Length", str(len(rest_of_body if with_body else body)))
        self.end_headers()
        if with_body:
            self._send(rest_of_body)

    def _start(self, size: int) -> int:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        return int(asked[1]) if asked and self.hub.ranges and int(asked[1]) < size else 0

    def _refuse(self, status: int, *, missing: bool) -> None:
        self.send_response(status)
        if missing:
            self.send_header("X-Error-Code", "EntryNotFound")
        body = b'{"error": "Two\\nlines."}'
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _send(self, body: bytes) -> None:
        hub = self.hub
        if hub.broken_after is not None and hub.broken_answers > 0:
            hub.broken_answers -= 1
            self.wfile.write(body[: hub.broken_after])
            self.close_connection = True
            return
        try:
            for start in range(0, len(body), 1000):
                hub.gate.wait(timeout=30)
                time.sleep(hub.pause)
                self.wfile.write(body[start : start + 1000])
        except OSError:  # the visitor has left
            self.close_connection = True

    def log_message(self, format: str, *values: object) -> None:
        """Stay silent."""


@contextmanager
def running_hub(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve `hub` on a free port until the block ends."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            hub.gate.set()
            server.shutdown()
            thread.join()
