"""On a real cluster: a worker is killed, the driver is killed, and every picture is there once."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from mobilesamv2.batch.rows import rows_of

from .clusters import ROOT, cluster, place_for_ray, wait_for
from .fakes import photograph


def parts_in(folder: Path) -> dict[str, int]:
    """Each part, and when it was written."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "results").glob("*.parquet")}


@pytest.mark.skipif(find_spec("ray") is None, reason='Ray: pip install -e ".[batch]"')
def test_every_picture_is_there_once_whoever_was_killed(tmp_path: Path) -> None:
    source, output, processes = tmp_path / "in", tmp_path / "out", tmp_path / "processes"
    processes.mkdir()
    names = [str(photograph(source / f"{number:02}.png")) for number in range(75)]
    broken = source / "20.png"
    broken.write_bytes(b"no picture")
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with (
        place_for_ray() as place,
        cluster(environment := place | token) as address,
        contextlib.ExitStack() as drivers,
    ):
        command = [
            sys.executable,
            "-m",
            "tests.batch.driver",
            address,
            *map(str, (source, output, processes)),
        ]

        def start() -> subprocess.Popen[str]:
            driver = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
            drivers.callback(driver.kill)
            return driver

        driver = start()

        def wait_for_parts(count: int) -> None:
            wait_for(lambda: len(parts_in(output)) >= count or driver.poll() is not None)
            assert driver.poll() is None, "the driver ended by itself"

        wait_for_parts(2)
        workers = {int(path.name) for path in processes.iterdir()}
        os.kill(min(workers), signal.SIGKILL)
        done = len(parts_in(output))
        wait_for_parts(done + 4)
        driver.kill()
        driver.communicate()
        before = parts_in(output)
        assert len(before) < 25, "the driver was to be killed before the end"

        printed, _ = start().communicate(timeout=400)
        after = parts_in(output)
        assert before.items() <= after.items(), "what was done was done again"
        rows = [row for name in after for row in rows_of((output / "results" / name).read_bytes())]
        assert Counter(row["source"] for row in rows) == Counter(names)
        assert [row["source"] for row in rows if row["error"] is not None] == [str(broken)]
        assert not list((output / "unfinished").iterdir())

        last, _ = json.loads(printed.splitlines()[-1])
        assert last["done"] + last["done_before"] == 75
        assert last["done_before"] == 3 * len(before)
        assert json.loads((output / "summary.json").read_text())["is_complete"]
