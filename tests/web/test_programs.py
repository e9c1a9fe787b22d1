"""The examples of docs/programs.md, each run as it stands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

import mobilesamv2
from tests.tiny import tiny_segmenter

from .conftest import ROOT, FakeApp

SECTION = (ROOT / "docs" / "programs.md").read_text(encoding="utf-8")
CLIENT, LIBRARY = re.findall(r"```python\n(.*?)```", SECTION, flags=re.DOTALL)
(CURL,) = re.findall(r"```bash\n(.*?)```", SECTION, flags=re.DOTALL)
ADDRESS = "http://127.0.0.1:7860"


@pytest.fixture(autouse=True)
def beside_a_photo(tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    shutil.copy(photo, tmp_path / "photo.jpg")


def test_the_example_for_gradio_client(fake_app: FakeApp, capsys: pytest.CaptureFixture[str]) -> None:
    values: dict[str, Any] = {}
    assert ADDRESS in CLIENT
    exec(CLIENT.replace(ADDRESS, fake_app.address), values)  # it is our own text
    values["client"].close()
    assert [mask["prompt_index"] for mask in values["record"]["annotations"]] == [0, 1]
    with zipfile.ZipFile(values["archive"]) as packed:
        assert {"sea_ dawn/coco.json", "what_/cutouts/0001.png", "coco.json"} <= set(packed.namelist())
        images = json.loads(packed.read("coco.json"))["images"]
        assert [image["file_name"] for image in images] == ["sea: dawn.jpg", "what?.jpg"]
    with zipfile.ZipFile(values["data_sets"]) as packed:
        assert {"photo/panoptic.json", "photo/yolo/labels/photo.txt"} <= set(packed.namelist())
    assert "(" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
def test_the_example_for_curl(fake_app: FakeApp) -> None:
    assert ADDRESS in CURL
    script = "set -eu\n" + CURL.replace(ADDRESS, fake_app.address.rstrip("/"))
    run = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    event, data = run.stdout.strip().splitlines()[-2:]
    assert event == "event: complete"
    _, record = json.loads(data.removeprefix("data: "))
    assert (record["prompts"], record["masks"]) == (1, 1)
    assert record["annotations"][0]["bbox"] == [60, 20, 190, 170]


def test_the_example_for_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mobilesamv2, "load", lambda name: tiny_segmenter())
    exec(LIBRARY, {})  # it is our own text
    with zipfile.ZipFile(tmp_path / "masks.zip") as packed:
        names = set(packed.namelist())
    assert {"coco.json", "legend.csv", "label_map.png", "overlay.png", "masks/0001.png"} <= names


def test_the_table_names_every_endpoint_and_no_other(fake_app: FakeApp) -> None:
    from gradio_client import Client

    client = Client(fake_app.address, verbose=False, analytics_enabled=False)
    served = set(client.view_api(return_format="dict", print_info=False)["named_endpoints"])
    client.close()
    assert set(re.findall(r"^\| `(/\w+)` \|", SECTION, flags=re.MULTILINE)) == served
