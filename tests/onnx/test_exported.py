"""The embedded model as files: what the command writes, and the same masks on a photograph as with PyTorch."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

import mobilesamv2
from mobilesamv2 import loading
from mobilesamv2.cli import main
from mobilesamv2.errors import MobileSamError, WeightsError
from mobilesamv2.images import load_image
from mobilesamv2.onnx.running import OnnxNetwork
from mobilesamv2.segmenter import Segmenter

ROOT = Path(__file__).resolve().parents[2]
FORMS: dict[str, dict[str, Any]] = {
    "points": {"points": [[[150, 100]], [[40, 60]]]},
    "a point and a box": {"points": [[[150, 100]]], "boxes": [[60, 20, 250, 190]]},
}


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return load_image(ROOT / "examples" / "images" / "coffee.png")[:240, :320]


@pytest.fixture(scope="module")
def on_torch() -> Segmenter:
    return mobilesamv2.load("nano", device="cpu", dtype=torch.float32)


@pytest.fixture(scope="module")
def on_onnx(exported: Path) -> Segmenter:
    return mobilesamv2.load("nano", weights=exported, backend="onnx")


def test_masks_and_boxes_of_a_photograph_are_those_of_pytorch(
    on_torch: Segmenter, on_onnx: Segmenter, photo: np.ndarray
) -> None:
    expected, found = (model.segment_everything(photo, max_prompts=24) for model in (on_torch, on_onnx))
    assert len(found.masks) == len(expected.masks) > 5
    boxes, expected_boxes = found.prompts.boxes_xyxy, expected.prompts.boxes_xyxy
    assert boxes is not None
    assert expected_boxes is not None
    np.testing.assert_allclose(boxes, expected_boxes, atol=0.05)
    overlap = coco_mask.iou(list(found.masks.rles), list(expected.masks.rles), [0] * len(expected.masks))
    assert np.diag(overlap).min() > 0.999
    np.testing.assert_allclose(found.masks.predicted_iou, expected.masks.predicted_iou, atol=1e-4)
    assert found.device.endswith("ONNX Runtime")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("multimask", [False, True])
def test_prompts_are_answered_as_by_pytorch(
    on_torch: Segmenter, on_onnx: Segmenter, photo: np.ndarray, form: str, multimask: bool
) -> None:
    embedding = on_torch.encode(photo)
    logits, iou = on_onnx.decode_logits(embedding, multimask=multimask, **FORMS[form])
    expected, expected_iou = on_torch.decode_logits(embedding, multimask=multimask, **FORMS[form])
    torch.testing.assert_close(logits, expected, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(iou, expected_iou, atol=1e-4, rtol=1e-3)
    refined, _ = on_onnx.decode_logits(embedding, mask_inputs=expected[:, :1, ...].squeeze(1), **FORMS[form])
    again, _ = on_torch.decode_logits(embedding, mask_inputs=expected[:, :1, ...].squeeze(1), **FORMS[form])
    torch.testing.assert_close(refined, again, atol=1e-3, rtol=1e-3)


def test_boxes_and_points_may_be_asked_together(on_onnx: Segmenter, on_torch: Segmenter, photo: np.ndarray) -> None:
    network, features = on_onnx.sam, on_torch.encode(photo).features
    assert isinstance(network, OnnxNetwork)
    coords = torch.tensor([[[40.0, 40], [300, 260]], [[90, 90], [0, 0]]])
    labels = torch.tensor([[2.0, 3], [1, -1]])
    both, _ = network.answers(features, coords, labels)
    for row in range(2):
        alone, _ = network.answers(features, coords[row : row + 1], labels[row : row + 1])
        torch.testing.assert_close(both[row], alone[0], atol=1e-3, rtol=1e-3)


def test_the_description_says_how_to_use_the_files(exported: Path) -> None:
    described = json.loads((exported / "model.json").read_text())
    segmenter, detector = described["segmenter"], described["detector"]
    assert segmenter["encoder"]["inputs"] == {"images": [1, 3, 704, 704]}
    assert segmenter["decoder"]["inputs"]["point_coords"] == ["prompts", "points", 2]
    assert segmenter["decoder"]["outputs"] == {
        "low_res_masks": ["prompts", 4, 352, 352],
        "iou_predictions": ["prompts", 4],
    }
    assert segmenter["mean"][0] == 123.675
    assert segmenter["licence"] == detector["licence"] == "AGPL-3.0-or-later"
    assert detector["network"]["outputs"] == {"boxes": [1, "anchors", 4], "scores": [1, 1, "anchors"]}
    assert sorted(path.name for path in exported.iterdir()) == [
        "decoder.onnx",
        "detector.onnx",
        "encoder.onnx",
        "model.json",
    ]


def test_files_of_another_model_are_refused(exported: Path) -> None:
    with pytest.raises(WeightsError, match=r"holds nano, not mobilesam; load it by that name\.$"):
        mobilesamv2.load("mobilesam", weights=exported, backend="onnx")


def test_a_folder_without_a_description_and_a_damaged_file_are_said_to_be_so(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"has no model\.json"):
        mobilesamv2.load("nano", weights=tmp_path, backend="onnx")
    (tmp_path / "model.json").write_bytes((exported / "model.json").read_bytes())
    (tmp_path / "encoder.onnx").write_bytes(b"no model")
    with pytest.raises(WeightsError, match=r"encoder\.onnx cannot be read by ONNX Runtime"):
        mobilesamv2.load("nano", weights=tmp_path, backend="onnx")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"backend": "tensorflow"}, 'no backend "tensorflow"'),
        ({"backend": "onnx", "device": "cuda"}, "leave device and dtype out"),
        ({"backend": "onnx", "dtype": torch.bfloat16}, "leave device and dtype out"),
    ],
)
def test_a_backend_that_cannot_be_had_is_refused_in_a_sentence(options: dict[str, Any], said: str) -> None:
    with pytest.raises(MobileSamError, match=said):
        mobilesamv2.load("nano", **options)


def test_a_name_that_there_is_not_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "unheard-of", "-o", str(tmp_path)]) == 1
    assert "unheard-of" in capsys.readouterr().err
    assert main(["export", "nano-objects", "--detector", "yolov8n", "-o", str(tmp_path)]) == 1
    assert "no model but a detector" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_example_of_the_documentation_runs(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cached_segmenter", "cached_detector"):
        monkeypatch.setattr(loading, name, lambda *given: exported)
    (tmp_path / "exported").symlink_to(exported)
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "onnx.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)  # our own documentation
    assert isinstance(names["model"], Segmenter)
