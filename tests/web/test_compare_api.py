"""`/compare` and `/budget` for programs: any two contenders, every point, and sentences where it fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from .conftest import FakeApp

RECORD = {
    *("model", "device", "sampler", "request", "image", "prompts", "masks_decoded", "masks"),
    *("duplicates_removed", "coverage", "seconds", "total_seconds", "is_complete"),
}


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("downloads"))


@pytest.fixture
def client(fake_app: FakeApp, downloads: str) -> Iterator[Client]:
    client = Client(fake_app.address, verbose=False, download_files=downloads, analytics_enabled=False)
    yield client
    client.close()


def compare(client: Client, photo: Path, **options: Any) -> tuple[str, str, dict[str, Any]]:
    left, right, summary = client.predict(handle_file(str(photo)), **options, api_name="/compare")
    return left, right, summary


def test_any_two_contenders_can_be_compared(client: Client, photo: Path) -> None:
    left, right, summary = compare(client, photo, left="grid:2", right="grid", points_per_side=16)
    assert [summary[side]["request"]["points_per_side"] for side in ("left", "right")] == [2, 16]
    assert [summary[side]["prompts"] for side in ("left", "right")] == [4, 256]
    assert (Path(left).name, Path(right).name) == ("grid-2.png", "grid-16.png")
    with Image.open(left) as one, Image.open(right) as other:
        assert one.format == other.format == "PNG"
        assert one.size == other.size


def test_by_default_grid_search_meets_object_aware_sampling(client: Client, photo: Path) -> None:
    left, right, summary = compare(client, photo, max_prompts=16)
    assert (Path(left).name, Path(right).name) == ("grid.png", "object-aware.png")
    assert summary["grid"] == summary["left"]
    assert summary["object_aware"] == summary["right"]
    assert set(summary["left"]) >= {*RECORD, "found_alone", "sampling_seconds"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"left": "dots"}, "There is no sampler 'dots'"),
        ({"right": "grid:many"}, "whole number"),
        ({"right": "grid:1000"}, "1,024 are the most"),
        ({"left": "object-aware:0"}, "at least 1"),
    ],
)
def test_what_is_no_contender_is_told(
    fake_app: FakeApp, client: Client, photo: Path, wrong: dict[str, str], words: str
) -> None:
    with pytest.raises(AppError, match=words):
        compare(client, photo, **wrong)
    assert fake_app.script.started == 0


def test_budgets_are_measured_up_to_the_largest(fake_app: FakeApp, client: Client, photo: Path) -> None:
    fake_app.script.finds = 40
    found = client.predict(handle_file(str(photo)), largest=64, api_name="/budget")
    assert found["budgets"] == [16, 32, 64]
    assert [point["prompts"] for point in found["object_aware"]] == [16, 32, 40]
    assert [point["prompts"] for point in found["grid"]] == [16, 25, 64]
    assert set(found["grid"][0]) >= {"masks", "coverage", "decode_seconds"}
    assert (found["boxes_proposed"], found["boxes_ran_out"]) == (40, True)
    assert found["verdict"].endswith(".")


def test_a_budget_that_the_page_does_not_offer_is_refused(client: Client, photo: Path) -> None:
    with pytest.raises(AppError, match="5000"):
        client.predict(handle_file(str(photo)), largest=5000, api_name="/budget")
