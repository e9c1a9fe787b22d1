"""From the command to the first result: the import, the page, and its first answer.

    python -m benchmarks.cold_start [--photo examples/images/coffee.png] [--rounds 3]

Each round is a new process with an empty temporary folder, on the embedded model, offline.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
from gradio_client import Client, handle_file
from PIL import Image, ImageOps

from .harness import parser_of, report, seconds_of

ROOT = Path(__file__).parent.parent
PATIENCE = 120
"""Seconds after which a page that does not answer is given up."""


def import_seconds(statement: str) -> float:
    """A new interpreter that runs a statement, less one that runs none."""

    def run(code: str) -> float:
        return seconds_of(lambda: subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT))

    return run(statement) - run("pass")


def page_seconds(photo: Path) -> tuple[float, float]:
    """Seconds until the page answers, and from then until the first result for a photo is there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "GRADIO_SERVER_PORT": str(port),
            "GRADIO_ANALYTICS_ENABLED": "False",
            "MOBILESAMV2_OFFLINE": "1",
            "TMPDIR": folder,
        }
        start = time.perf_counter()
        page = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        try:
            _wait_for(address, page)
            reachable = time.perf_counter()
            client = Client(address, verbose=False)  # reads the page's endpoints: no part of a visit
            asked = time.perf_counter()
            client.predict(handle_file(str(photo)), api_name="/segment")
            return reachable - start, time.perf_counter() - asked
        finally:
            page.terminate()
            page.wait()


def _wait_for(address: str, page: subprocess.Popen[bytes]) -> None:
    end = time.perf_counter() + PATIENCE
    while time.perf_counter() < end and page.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=PATIENCE):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.02)
    raise SystemExit("The page did not come up; run `python app.py` to see why.")


def main() -> None:
    parser = parser_of("Time the way from the command to the first result.", "cold_start", rounds=3)
    parser.add_argument("--photo", type=Path, default=ROOT / "examples" / "images" / "coffee.png")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.png"
        with Image.open(options.photo) as image:
            ImageOps.fit(image.convert("RGB"), (640, 480)).save(photo)
        imports = [import_seconds("import mobilesamv2") for _ in range(options.rounds)]
        visits = [page_seconds(photo) for _ in range(options.rounds)]
    pages, results = zip(*visits, strict=True)
    report(
        "cold_start",
        [
            {
                "what": what,
                "median, s": float(np.median(times)),
                "fastest, s": min(times),
                "slowest, s": max(times),
            }
            for what, times in (
                ("import mobilesamv2", imports),
                ("page reachable after the command", pages),
                ("first result for 640 x 480 after that", results),
            )
        ],
        into=options.into,
    )


if __name__ == "__main__":
    main()
