"""What the study of the embedded segmentation model measures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mobilesamv2.models.nano import windows
from mobilesamv2.models.nano.model import NanoConfig, NanoModel
from mobilesamv2.types import Masks
from training.ranking import rankings
from training.segmenter_study import PARTS, _boundary, without


def test_a_masks_boundary_is_a_band_within_it() -> None:
    mask = np.zeros((300, 400), dtype=bool)  # a diagonal of 500: 10 pixels
    mask[100:200, 100:300] = True
    band = _boundary(mask)
    hole = np.zeros_like(mask)
    hole[110:190, 110:290] = True
    assert (band == (mask & ~hole)).all()


def test_the_pictures_edge_is_a_masks_boundary_too() -> None:
    band = _boundary(np.ones((300, 400), dtype=bool))
    assert band[:10].all()
    assert not band[10:-10, 10:-10].any()


@pytest.mark.parametrize("part", PARTS)
def test_without_a_part_the_model_answers_something_else(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "SCALES", windows.SCALES)  # puts it back
    torch.manual_seed(0)
    model = NanoModel(NanoConfig(input_side=256)).eval()
    pixels, box = torch.randn(1, 3, 256, 256), torch.tensor([[5.0, 5.0, 250.0, 250.0]])

    def answered() -> Tensor:
        with torch.no_grad():
            return model.decode(model.encode(pixels), boxes_xyxy=box, multimask=False)[0]

    before = answered()
    without(model, part)
    assert not torch.allclose(before, answered(), atol=1e-4)


def test_masks_are_ranked_by_what_is_known_of_them() -> None:
    masks = Masks(
        size_hw=(2, 2),
        rles=({"size": [2, 2], "counts": b"04"},) * 2,
        scores=np.zeros(2, dtype=np.float32),
        boxes_xyxy=np.zeros((2, 4), dtype=np.float32),
        predicted_iou=np.array([0.81, 0.25], dtype=np.float32),
        stability=np.ones(2, dtype=np.float32),
        detector_scores=np.array([0.5, 0.9], dtype=np.float32),
        prompt_index=np.arange(2),
    )
    found = {name: values.round(3).tolist() for name, values in rankings(masks).items()}
    assert found["product"] == pytest.approx([0.405, 0.225], abs=1e-3)
    assert found["confidence, root of predicted IoU"] == pytest.approx([0.45, 0.45], abs=1e-3)
