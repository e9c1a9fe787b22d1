"""The whole way from a picture to masks against recorded values of MobileSAM, MobileSAMv2 and Segment Anything.

Tolerances are those that separate the reference in float32 from itself in float64 or with another convolution.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask
from torch import Tensor

from mobilesamv2.build import build_sam
from mobilesamv2.prompts import GridSampler, MaskFilters
from mobilesamv2.segmenter import Embedding, Segmenter
from mobilesamv2.types import Masks, Rle
from tests.parity.synthetic_weights import FOLDER, mobile_sam_state

PICTURE = FOLDER / "images" / "smooth_375x500.png"
AREA_TOLERANCE = max(4, 1e-4 * 375 * 500)
CALLS: dict[str, dict[str, Any]] = {
    call["name"]: call for call in json.loads((FOLDER / "predict.json").read_text())["calls"]
}
LOGITS = np.load(FOLDER / "predict.npz")


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    """MobileSAM with synthetic weights, read from a file as published ones are."""
    path: Path = tmp_path_factory.mktemp("weights") / "mobile_sam.pt"
    torch.save(mobile_sam_state(), path)
    return Segmenter(build_sam("mobilesam", weights=path, device="cpu"), name="mobilesam")


@pytest.fixture(scope="module")
def embedding(segmenter: Segmenter) -> Embedding:
    return segmenter.encode(PICTURE)


def rle_of(record: dict[str, Any]) -> Rle:
    return {"size": record["size"], "counts": record["counts"].encode("ascii")}


def assert_same_masks(found: Masks, expected: list[Rle], *, slack: float = 1) -> None:
    assert len(found) == len(expected)
    overlap = coco_mask.iou(list(found.rles), expected, [0] * len(expected)).diagonal()
    differing = (1 - overlap) / (1 + overlap) * (found.areas + coco_mask.area(expected))  # pixels
    assert ((overlap >= 0.999) | (differing < 2.5)).all()  # one or two pixels are more than that in a small mask
    np.testing.assert_allclose(found.areas, coco_mask.area(expected), rtol=0, atol=slack * AREA_TOLERANCE)


def test_a_picture_is_encoded_as_recorded(embedding: Embedding) -> None:
    recorded = np.load(FOLDER / "tiny_vit.npz")["tinyvit_image_375x500/out_s"]
    assert embedding.features.shape == (1, 256, 64, 64)
    np.testing.assert_allclose(embedding.features[0, ::4, ::4, ::4].numpy(), recorded, rtol=0, atol=1e-4)


def arguments_of(call: dict[str, Any], earlier: Tensor | None) -> dict[str, Any]:
    """One recorded call as arguments of `predict`: a single prompt, with the earlier answer where it had one."""
    points = call["point_coords"]
    return {
        "boxes": None if call["box"] is None else [call["box"]],
        "points": None if points is None else [points],
        "labels": None if points is None else [call["point_labels"]],
        "mask_inputs": earlier if call["mask_input"] else None,
        "multimask": call["multimask_output"],
    }


@pytest.fixture(scope="module")
def best_of_point(segmenter: Segmenter, embedding: Embedding) -> Tensor:
    """The low-resolution answer that the last recorded call refines."""
    logits, iou = segmenter.decode_logits(embedding, **arguments_of(CALLS["point"], None))
    return logits[:, iou[0].argmax()]


@pytest.mark.parametrize("name", CALLS)
def test_a_prompt_is_answered_as_recorded(
    name: str, segmenter: Segmenter, embedding: Embedding, best_of_point: Tensor
) -> None:
    asked = arguments_of(CALLS[name], best_of_point)
    logits, iou = segmenter.decode_logits(embedding, **asked)
    # An answer that is fed back brings its rounding along, 1e-4 root mean square: noise of that size in the mask
    # prompt changes these logits by up to 7e-3, predicted IoUs by 1e-4 and areas by 40 pixels.
    slack = 10 if CALLS[name]["mask_input"] else 1
    np.testing.assert_allclose(logits[0, :, ::4, ::4], LOGITS[f"{name}/low_s"], rtol=0, atol=2e-3 * slack)
    np.testing.assert_allclose(iou[0], LOGITS[f"{name}/iou"], rtol=0, atol=1e-4 * slack)
    masks = segmenter.predict(embedding, **asked)
    assert_same_masks(masks, [rle_of(record) for record in CALLS[name]["masks_coco_rle"]], slack=slack)
    np.testing.assert_allclose(masks.predicted_iou, CALLS[name]["predicted_iou"], rtol=0, atol=1e-4 * slack)


def test_many_boxes_are_answered_as_recorded(segmenter: Segmenter, embedding: Embedding) -> None:
    recorded = json.loads((FOLDER / "box_everything_375x500.json").read_text())
    arrays = np.load(FOLDER / "box_everything_375x500.npz")
    logits, iou = segmenter.decode_logits(embedding, boxes=recorded["boxes_xyxy"])
    np.testing.assert_allclose(logits[:, 0, ::8, ::8].numpy(), arrays["low_s"], rtol=0, atol=2e-3)
    np.testing.assert_allclose(iou.numpy(), arrays["iou"], rtol=0, atol=1e-4)
    masks = segmenter.predict(embedding, boxes=recorded["boxes_xyxy"])
    assert_same_masks(masks, [rle_of(record) for record in recorded["masks_coco_rle"]])
    np.testing.assert_allclose(masks.areas, recorded["areas"], rtol=0, atol=AREA_TOLERANCE)


def test_grid_search_keeps_the_recorded_masks(segmenter: Segmenter, embedding: Embedding) -> None:
    recorded = json.loads((FOLDER / "generate_base.json").read_text())
    settings, records = recorded["settings"], recorded["records"]
    sampler = GridSampler(
        points_per_side=settings["points_per_side"],
        filters=MaskFilters(
            predicted_iou=settings["pred_iou_thresh"],
            stability=settings["stability_score_thresh"],
            stability_offset=1.0,
            box_nms=settings["box_nms_thresh"],
        ),
    )
    result = segmenter.segment_everything(PICTURE, sampler=sampler, embedding=embedding)
    masks, points = result.masks, result.prompts.points
    assert points is not None
    assert len(result.prompts) == 64
    assert result.masks_decoded == 3 * 64
    assert len(masks) == len(records)

    # Records are matched by their point and predicted IoU: candidates are at least 7.8e-5 apart.
    rows = []
    for record in records:
        same_point = (points[masks.prompt_index, 0] == np.float32(record["point_coords"][0])).all(axis=1)
        distance = np.where(same_point, np.abs(masks.predicted_iou - record["predicted_iou"]), np.inf)
        rows.append(int(distance.argmin()))
        assert distance.min() < 3e-5
    assert sorted(rows) == list(range(len(records)))

    matched = masks.select(rows)
    assert_same_masks(matched, [rle_of(record["segmentation"]) for record in records])
    stability = [record["stability_score"] for record in records]
    np.testing.assert_allclose(matched.stability, stability, rtol=0, atol=1e-3)
    corners = np.array([record["bbox"] for record in records], dtype=np.float32)
    corners[:, 2:] += corners[:, :2] + 1  # recorded widths are one short: between the first pixel and the last
    np.testing.assert_allclose(matched.boxes_xyxy, corners, rtol=0, atol=1)
    assert (np.diff(masks.scores) <= 0).all()
