"""A hub on the loopback interface that answers as the real one does, or as badly as a test wants."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

COMMIT = "c0ffee" + "0" * 34


@dataclass
class FakeHub:
    """What the hub serves, and what it was asked.

    Args:
        files: content by "owner/name/filename".
        status: answer every request with this HTTP status instead, if it is not 200.
        sent: send so many bytes of each file only; None: all.
        requests: "METHOD path" of each request so far.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    status: int = 200
    sent: int | None = None
    requests: list[str] = field(default_factory=list)
    address: str = ""


@contextmanager
def running_hub(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve `hub` on a free port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            hub.requests.append(f"{self.command} {self.path}")
            owner, name, resolve, _revision, *rest = self.path.strip("/").split("/")
            content = hub.files.get("/".join([owner, name, *rest])) if resolve == "resolve" else None
            if hub.status != 200 or content is None:
                self.send_response(404 if hub.status == 200 else hub.status)
                if hub.status == 200:
                    self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = content[: hub.sent] if with_body else content
            self.send_response(200)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, format: str, *values: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
