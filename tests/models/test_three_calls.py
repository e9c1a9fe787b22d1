"""Every network of the zoo from picture to masks, on the "meta" device: shapes and number formats, no arithmetic."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mobilesamv2 import zoo
from mobilesamv2.models.nano.model import NanoConfig, NanoModel
from mobilesamv2.models.promptable import PromptableNetwork
from mobilesamv2.models.sam import Sam

META = torch.device("meta")
BOXES = {"boxes_xyxy": torch.zeros(5, 4, device=META)}
POINTS = {"points": torch.zeros(5, 2, 2, device=META), "labels": torch.ones(5, 2, device=META).long()}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("name", zoo.MODELS)
def test_a_picture_becomes_masks_in_every_number_format(name: str, dtype: torch.dtype) -> None:
    config = zoo.MODELS[name].config
    with META:
        made = NanoModel.from_config(config) if isinstance(config, NanoConfig) else Sam.from_config(config)
    network: PromptableNetwork[Any] = made.eval().cast(dtype)
    side = network.picture_side
    with torch.inference_mode():
        features = network.encode(torch.zeros(1, 3, side, side, device=META))
        shared = network.share(features)
        assert features.dtype == network.dtype == dtype
        height, width = features.shape[2:]
        masks = {"masks": torch.zeros(5, 1, 4 * height, 4 * width, device=META)}
        for prompts in (BOXES, POINTS, {**BOXES, **POINTS}, {**POINTS, **masks}):
            for count, multimask in ((1, False), (3, True)):
                logits, iou = network.decode(features, shared=shared, multimask=multimask, **prompts)
                assert (logits.dtype, iou.dtype) == (torch.float32, torch.float32)
                assert logits.shape == (5, count, 4 * height, 4 * width)
                assert iou.shape == (5, count)
