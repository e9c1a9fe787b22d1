"""The committed systemd unit, without systemd: its command in its environment is ready, and a stop ends it cleanly."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file

from .conftest import ROOT
from .ports import free_port, wait_for

UNIT = (ROOT / "deploy" / "mobilesamv2@.service").read_text(encoding="utf-8")
PROGRAM = "import sys\nfrom mobilesamv2.cli import main\nsys.exit(main())\n"
"""What pip writes as .venv/bin/mobilesamv2."""


def settings_of_unit(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.+)$", UNIT, flags=re.MULTILINE)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    """The unit's process, its address, and the folder that stands for the machine's own."""
    port = free_port()
    home = tmp_path / "srv" / "mobilesamv2"
    program = home / ".venv" / "bin" / "mobilesamv2"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!{sys.executable}\n{PROGRAM}", encoding="utf-8")
    program.chmod(0o755)

    def here(text: str) -> str:
        return re.sub(r"(?<![\w.])/(?=srv/|tmp/|var/)", f"{tmp_path}/", text).replace("%i", str(port))

    (command,), (folder,) = settings_of_unit("ExecStart"), settings_of_unit("WorkingDirectory")
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "PYTHONPATH": str(ROOT)}
    environment |= {"OMP_NUM_THREADS": "1"} if "OMP_NUM_THREADS" in os.environ else {}
    for line in settings_of_unit("Environment"):
        environment |= dict(pair.split("=", 1) for pair in shlex.split(here(line)))
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            shlex.split(here(command)), cwd=here(folder), env=environment, stdout=log, stderr=log, text=True
        )
        address = f"http://{environment['GRADIO_SERVER_NAME']}:{environment['GRADIO_SERVER_PORT']}/"
        try:
            yield process, address, tmp_path
        finally:
            process.kill()
            process.wait()


def test_the_command_of_the_unit_is_ready_answers_and_ends_cleanly(
    served: tuple[subprocess.Popen[str], str, Path], wide_photo: Path
) -> None:
    process, address, folder = served
    wait_for(f"{address}health", alive=lambda: process.poll() is None)  # 503 until the model has answered
    assert httpx.get(f"{address}health").text == "ready"
    client = Client(address, verbose=False, analytics_enabled=False)
    client.predict(handle_file(str(wide_photo)), max_prompts=16, api_name="/segment")
    assert visitors_files(folder)
    # Stopped in the middle of a run: a process that ends while a thread is within PyTorch is aborted.
    client.submit(handle_file(str(wide_photo)), sampler="grid", max_prompts=1024, api_name="/segment")
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=float(settings_of_unit("TimeoutStopSec")[0])) == 0
    assert not visitors_files(folder)
    client.close()
    log = log_of(folder)
    assert "request=segment outcome=answered" in log
    assert "Traceback" not in log
    assert wide_photo.name not in log


def log_of(folder: Path) -> str:
    return (folder / "log").read_text(encoding="utf-8")


def visitors_files(folder: Path) -> set[str]:
    """What Gradio keeps, but for the examples."""
    kept = {path.name for path in (folder / "tmp" / "gradio").rglob("*") if path.is_file()}
    return kept - {path.name for path in (ROOT / "examples" / "images").iterdir()}
