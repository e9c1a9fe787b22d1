"""MobileSAM's architecture twice, with the same synthetic weights: ours, and the one in Ultralytics."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mobilesamv2.models.detector.ultralytics_import import ultralytics_module
from mobilesamv2.models.sam import Sam, SamConfig
from tests.parity.synthetic_weights import mobile_sam_state


def our_mobile_sam() -> Sam:
    """The model of this package, in evaluation mode."""
    sam = Sam.from_config(SamConfig()).eval()
    sam.load_state_dict(mobile_sam_state())
    return sam


def their_mobile_sam() -> Any:
    """Ultralytics' model, in evaluation mode. Its keys are the published ones too."""
    sam = ultralytics_module("ultralytics.models.sam.build").build_mobile_sam().eval()
    state = mobile_sam_state()
    known = sam.state_dict()
    sam.load_state_dict(known | {name: value for name, value in state.items() if name in known})
    missing = {name for name, _ in sam.named_parameters()} - set(state)
    assert not missing, missing
    return sam.train().eval()  # it gathers its position biases here, and would run with those of before the loading


def their_masks(sam: Any, embedding: Tensor, *, multimask: bool, **prompts: Any) -> tuple[Tensor, Tensor]:
    """Logits (N, M, 4h, 4w) and predicted IoUs (N, M) by Ultralytics' modules for N prompts at once."""
    sparse, dense = sam.prompt_encoder(points=prompts.get("points"), boxes=prompts.get("boxes"), masks=None)
    logits, iou = sam.mask_decoder(
        image_embeddings=embedding,
        image_pe=sam.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=multimask,
    )
    return logits, iou


def relative_difference(found: Tensor, expected: Tensor) -> float:
    """The largest difference, as a share of the largest value."""
    return float((found - expected).abs().max() / expected.abs().max())


def random_boxes(count: int, *, size_wh: tuple[float, float], seed: int = 0) -> Tensor:
    """float32 (N, 4), mixed sizes as on photographs: most small, some large."""
    generator = torch.Generator().manual_seed(seed)
    size = torch.tensor(size_wh)
    centre = torch.rand(count, 2, generator=generator) * size
    # Sides between a fortieth of the picture and all of it, even on a logarithmic scale.
    sides = size * torch.exp(-3.7 * torch.rand(count, 2, generator=generator))
    corners = torch.cat([centre - sides / 2, centre + sides / 2], dim=1)
    return torch.minimum(corners.clamp(min=0), size.repeat(2))
