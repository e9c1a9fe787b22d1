"""The same thresholds on the page, at the endpoint and on the command line give the same masks."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image

import mobilesamv2
from mobilesamv2.cli import main
from mobilesamv2.images import load_image
from mobilesamv2.progress import run_to_end
from mobilesamv2.render import fit_within, overlay
from mobilesamv2.request import Request
from mobilesamv2.results import SegmentationResult
from mobilesamv2.types import Masks
from mobilesamv2.web.layout.segment_tab import _wanted
from mobilesamv2.web.mask_views import label_picture
from mobilesamv2.web.steps import last

from .conftest import FakeApp
from .fakes import FAKE_SETTINGS, FakeSegmenter, script
from .test_everything import Page

CASES = [
    {},
    {"confidence": 0.7, "min_area": 2.0},
    {"predicted_iou": 0.8, "mask_nms": 0.2},
    {"stability": 0.6, "hide_nested": True},
    {"flatten": True, "clean": 60},
]
"""Names of the endpoint's inputs; the command line's options have dashes for underscores."""


class Whole(FakeSegmenter):
    """The fake of the page, for the command line."""

    def segment_everything(self, image: Any, *, request: Request) -> SegmentationResult:
        return run_to_end(self.steps(image, request))


def on_the_command_line(photo: Path, out: Path, asked: dict[str, Any]) -> Masks:
    options = []
    for name, value in asked.items():
        options += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    assert main(["segment", str(photo), "-o", str(out), *options]) == 0
    records = json.loads((out / photo.stem / "masks.json").read_text())["annotations"]
    corners = [[x, y, x + w, y + h] for x, y, w, h in (record["bbox"] for record in records)]
    boxes = np.array(corners, dtype=np.float32).reshape(-1, 4)
    scores = np.array([record["score"] for record in records], dtype=np.float32)
    with Image.open(photo) as image:
        size_hw = image.height, image.width
    rles = [{"size": list(size_hw), "counts": each["segmentation"]["counts"].encode()} for each in records]
    kept = np.arange(len(rles))
    return Masks(size_hw, tuple(rles), scores, boxes, scores, scores, scores, kept)


@pytest.mark.parametrize("asked", CASES, ids=lambda case: "-".join(case) or "nothing")
def test_page_endpoint_and_command_line_leave_the_same_masks(
    fake_app: FakeApp, photo: Path, tmp_path: Path, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **rest: Whole(SimpleNamespace(**script())))
    expected = on_the_command_line(photo, tmp_path, asked)
    assert (len(expected) == 12) == (set(asked) in ({*()}, {"flatten", "clean"})), "a case that leaves masks out"
    picture = load_image(photo)

    client = Client(fake_app.address, verbose=False, download_files=str(tmp_path), analytics_enabled=False)
    try:
        drawn, summary = client.predict(handle_file(str(photo)), **asked, api_name="/segment")
    finally:
        client.close()
    assert summary["masks"] == len(expected)
    assert summary["coverage"] == round(expected.coverage, 6)
    with Image.open(drawn) as image:
        small = fit_within(picture, FAKE_SETTINGS.display_side)
        np.testing.assert_array_equal(np.asarray(image), overlay(small, expected))

    filters = [asked.get(name, 0) for name in ("min_area", "predicted_iou", "stability")]
    filters += [asked.get("mask_nms", 1), asked.get("hide_nested", False), asked.get("flatten", False)]
    confidence, clean = asked.get("confidence", 0.4), asked.get("clean", 0)
    view = last(Page().run(photo, _wanted("object-aware", 320, confidence, "nano", True, clean, *filters)))
    assert view.summary["masks"] == len(expected)
    np.testing.assert_array_equal(view.labels, label_picture(expected, (view.picture.shape[0], view.picture.shape[1])))
