"""The page on a tiny model in a process of its own, which notes every file it opens and every address it asks."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mobilesamv2
from mobilesamv2.web.layout import build_demo, launch
from mobilesamv2.web.models import Models
from mobilesamv2.web.settings import Range, Settings
from tests.tiny import tiny_segmenter
from tests.web.ports import free_port, wait_for

SETTINGS = Settings(
    first_example=False,
    prompts=Range(16, 1024, 16, 16),
    grid_sides=Range(8, 32, 8, 8),
    upload_bytes=2_000_000,
)
WATCHED = (
    "open",
    "socket.connect",
    "socket.getaddrinfo",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.fork",
)


@dataclass(frozen=True)
class Server:
    """A page that is being served.

    Args:
        address: with a slash at its end.
        uploads: where it keeps what visitors send.
        events: what it did, a line each: the name of an event of `sys.addaudithook`, a tab, its argument.
    """

    address: str
    uploads: Path
    events: Path
    process: Any

    @property
    def log(self) -> str:
        """All that it wrote."""
        return Path(f"{self.events}.log").read_text(encoding="utf-8", errors="backslashreplace")

    def done(self) -> list[tuple[str, str]]:
        """What it did so far: events with their arguments."""
        lines = self.events.read_text(encoding="utf-8", errors="backslashreplace").splitlines()
        return [(name, told) for name, _, told in (line.partition("\t") for line in lines)]


@contextmanager
def running(folder: Path, *, model: str = "tiny", queue_size: int = 4) -> Iterator[Server]:
    """A server whose uploads and notes lie in `folder`.

    Args:
        model: "tiny" or "nano"; on the page it is called nano.
        queue_size: how many may wait.
    """
    folder.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    events, uploads, port = folder / "events", folder / "uploads", free_port()
    process = context.Process(target=_serve, args=(port, str(events), str(uploads), model, queue_size), daemon=True)
    process.start()
    server = Server(f"http://127.0.0.1:{port}/", uploads, events, process)
    try:
        wait_for(server.address, alive=process.is_alive)
        yield server
    finally:
        process.terminate()
        process.join(timeout=30)


def _serve(port: int, events: str, uploads: str, model: str, queue_size: int) -> None:
    os.environ["GRADIO_TEMP_DIR"] = uploads
    log = os.open(f"{events}.log", os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(log, stream)
    load = mobilesamv2.load if model == "nano" else lambda name: tiny_segmenter()
    settings = replace(SETTINGS, queue_size=queue_size)
    demo = build_demo(Models(load, names=("nano",), first="nano"), settings)
    notes = os.open(events, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(event: str, given: tuple[Any, ...]) -> None:
        if event in WATCHED and given:
            told = given[1] if event == "socket.connect" else given[0]
            os.write(notes, f"{event}\t{told!r}\n".encode("utf-8", "backslashreplace"))

    sys.addaudithook(note)
    launch(demo, settings, host="127.0.0.1", port=port)
