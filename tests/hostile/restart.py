"""The page killed in the middle of a run and started again: python -m tests.hostile.restart

The visitor's page is still open: the same session, and the photo that was uploaded before.
"""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

import httpx

from .client import Client
from .pictures import photo, saved
from .server import Server, running

SESSION = "visitor"


def restarted(folder: Path) -> str:
    """What happened, in a line.

    Raises:
        RuntimeError: if the run was not cut, or the page answers otherwise than before.
    """
    with running(folder) as server:
        client = Client(server)
        sent = client.upload("photo.png", saved(photo(size_wh=(1600, 1200)), "PNG"))
        expected = _masks(client, sent)
        threading.Timer(1.0, server.process.kill).start()
        if not _is_cut(client, sent):
            raise RuntimeError("The run came to its end before the page was killed.")
        server.process.join()
    with running(folder) as server:
        client = Client(server)
        client.press("segment-run", sent, session=SESSION)
        if _masks(client, sent) != expected:
            raise RuntimeError("The page answers otherwise than before.")
        _check_folder(server)
    return "Killed in the middle of a run. The open page goes on with its photo; answers are as before."


def _masks(client: Client, sent: dict[str, Any]) -> Any:
    return client.call("predict_mask", [sent, None, None, [9, 9, 900, 700], False, "nano"])[1]["annotations"]


def _is_cut(client: Client, sent: dict[str, Any]) -> bool:
    """Whether a long run ends without an answer."""
    try:
        client.press("segment-run", sent, session=SESSION, Sampler="grid", Prompts=1024)
    except httpx.HTTPError:
        return True
    return False


def _check_folder(server: Server) -> None:
    """Raise if a picture in the cache is not whole."""
    for path in server.uploads.rglob("*.png"):
        if not path.name.startswith(".") and not path.read_bytes().endswith(b"IEND\xaeB`\x82"):
            raise RuntimeError(f"{path.name} is a part of a picture.")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        print(restarted(Path(made)))
