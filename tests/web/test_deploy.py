"""docs/deploy.md and the files of deploy/: the table of limits, nginx in front of a page, unit, container file."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file

from mobilesamv2.web.settings import LIMITS, Range, Settings
from tests.hostile.client import last_event

from .conftest import ROOT, FakeApp, serving_fake
from .fakes import FAKE_SETTINGS
from .person import until
from .ports import free_port

DEPLOY = ROOT / "deploy"
PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
LIMIT_ROWS = re.findall(r"^\| `(MOBILESAMV2_\w+)` \| (.+) \| (.+) \| (.+) \|$", PAGE, flags=re.MULTILINE)
"""The table of limits: variable, default, what it limits, what happens beyond it."""


def test_the_table_is_that_of_the_settings() -> None:
    assert [(variable, value) for variable, value, _, _ in LIMIT_ROWS] == [
        (limit.variable, f"{value.high if isinstance(value, Range) else value:,}")
        for limit in LIMITS
        for value in [getattr(Settings(), limit.field)]
    ]
    assert all(what and passed for _, _, what, passed in LIMIT_ROWS)


def test_every_variable_that_is_named_exists() -> None:
    package = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "mobilesamv2").rglob("*.py"))
    texts = [PAGE, *(path.read_text(encoding="utf-8") for path in DEPLOY.iterdir())]
    named = {name for text in texts for name in re.findall(r"MOBILESAMV2_[A-Z_]+", text)}
    assert len(named) > 10
    assert not {name for name in named if f'"{name}"' not in package}


def test_paths_that_the_commands_name_exist() -> None:
    for name in set(re.findall(r"\bdeploy/[\w.@-]+", PAGE)):
        assert (ROOT / name).is_file(), name
    container = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    copied = [line.split()[1:-1] for line in container.splitlines() if line.startswith("COPY")]
    assert all((ROOT / name).exists() for names in copied for name in names)


def test_the_numbers_of_the_page_are_those_that_are_served(fake_app: FakeApp) -> None:
    served = httpx.get(f"{fake_app.address}metrics").text
    for name in set(re.findall(r"`(mobilesamv2_[a-z_]+)`", PAGE)):
        assert f"# TYPE {name} " in served, name


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not on this machine")
def test_the_unit_is_one(tmp_path: Path) -> None:
    unit = (DEPLOY / "mobilesamv2@.service").read_text(encoding="utf-8")
    command = re.search(r"^ExecStart=(\S+)", unit, flags=re.MULTILINE)
    assert command is not None
    written = tmp_path / "mobilesamv2@7860.service"
    written.write_text(unit.replace(command[1], "/bin/true"), encoding="utf-8")  # is not installed here
    told = subprocess.run(["systemd-analyze", "verify", written], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")


@pytest.fixture(scope="module")
def nginx() -> str:
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        pytest.skip("nginx is not on this machine")
    return found


@pytest.fixture(scope="module")
def workers(nginx: str, fake_app_of_the_session: FakeApp) -> Iterator[tuple[str, str]]:
    """The addresses of two pages that know nothing of each other."""
    with serving_fake(FAKE_SETTINGS) as other:
        yield fake_app_of_the_session.address, other.address


@pytest.fixture(scope="module")
def proxy(nginx: str, workers: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """nginx with the committed file, on free ports and with a certificate of its own, before two workers."""
    folder = tmp_path_factory.mktemp("nginx")
    (certificate,) = re.findall(r"^openssl .*$", PAGE, flags=re.MULTILINE)
    subprocess.run(shlex.split(certificate), cwd=folder, check=True, capture_output=True)
    port = free_port()
    site = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    for old, new in (
        ("127.0.0.1:7860", workers[0].split("/")[2]),
        ("127.0.0.1:7861", workers[1].split("/")[2]),
        ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("/etc/ssl/mobilesamv2", str(folder)),
    ):
        assert old in site
        site = site.replace(old, new)
    (folder / "site.conf").write_text(site, encoding="utf-8")
    kept = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""  # otherwise its workers may not write here
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\n{kept}include {folder}/site.conf;\n}}\n",
        encoding="utf-8",
    )
    served = subprocess.Popen([nginx, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"])
    address = f"https://127.0.0.1:{port}"
    try:
        until(lambda: served.poll() is not None or answers(f"{address}/health"))
        assert served.poll() is None, (folder / "error.log").read_text()
        yield address
    finally:
        served.terminate()
        served.wait(timeout=30)


def answers(address: str) -> bool:
    try:
        return httpx.get(address, verify=False).is_success
    except httpx.TransportError:
        return False


def test_a_run_goes_through_nginx(proxy: str, wide_photo: Path) -> None:
    client = Client(proxy, verbose=False, analytics_enabled=False, ssl_verify=False)
    overlay, summary = client.predict(handle_file(str(wide_photo)), api_name="/segment")
    client.close()
    assert Path(overlay).is_file()
    assert summary["masks"] == 12


def test_each_visitor_stays_with_one_of_two_workers(proxy: str, workers: tuple[str, str], wide_photo: Path) -> None:
    chosen = []
    for network in range(4):  # nginx looks at the first three numbers of an address
        before = [answered(worker) for worker in workers]
        transport = httpx.HTTPTransport(verify=False, local_address=f"127.0.{network}.1")
        with httpx.Client(base_url=f"{proxy}/gradio_api", transport=transport, timeout=60) as visitor:
            for _ in range(2):
                assert told_of_segment(visitor, wide_photo)["masks"] == 12
        grown = [answered(worker) - old for worker, old in zip(workers, before, strict=True)]
        assert sorted(grown) == [0, 2]
        chosen.append(grown.index(2))
    assert set(chosen) == {0, 1}


ANSWERED = re.compile(r'^mobilesamv2_requests_total\{(?=.*"answered")(?=.*"segment").*\} (\S+)', re.MULTILINE)


def answered(worker: str) -> int:
    """How many calls of `/segment` a worker has answered."""
    found = ANSWERED.search(httpx.get(f"{worker}metrics").text)
    return int(float(found[1])) if found else 0


def told_of_segment(visitor: httpx.Client, photo: Path) -> dict[str, Any]:
    """Upload, ask and listen, each on a connection that nginx sends where it wants: the record of the result."""
    (path,) = visitor.post("upload", files={"files": (photo.name, photo.read_bytes())}).json()
    inputs = visitor.get("info").json()["named_endpoints"]["/segment"]["parameters"]
    sent = {"path": path, "meta": {"_type": "gradio.FileData"}}
    data = [sent, *(one["parameter_default"] for one in inputs[1:])]
    event = visitor.post("call/segment", json={"data": data}).json()["event_id"]
    name, values = last_event(visitor.get(f"call/segment/{event}").text)
    assert name == "complete", values
    record: dict[str, Any] = values[1]
    return record


def test_nginx_refuses_bodies_that_are_too_large_and_others_who_ask_for_the_numbers(proxy: str) -> None:
    photos = [("files", (f"{number}.png", bytes(FAKE_SETTINGS.upload_bytes))) for number in range(24)]
    assert status_of_upload(proxy, 2**30 + 1) == "413"
    assert Settings().most_photos * Settings().upload_bytes < 2**30
    with httpx.Client(verify=False, timeout=60) as client:
        assert client.post(f"{proxy}/gradio_api/upload", files=photos).status_code == 200  # a batch comes in one body
        assert client.get(f"{proxy}/metrics").status_code == 200  # from this machine
        told = client.get(f"{proxy}/").headers
    assert "max-age" in told["strict-transport-security"]
    assert "default-src 'self'" in told["content-security-policy"]
    assert "deny all" in (DEPLOY / "nginx.conf").read_text(encoding="utf-8")


def status_of_upload(proxy: str, length: int) -> str:
    """The status that an upload of so many bytes gets before any of them is sent."""
    url = httpx.URL(proxy)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((url.host, url.port), timeout=60) as plain, context.wrap_socket(plain) as connection:
        connection.sendall(f"POST /gradio_api/upload HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n".encode())
        return connection.recv(100).split()[1].decode()
