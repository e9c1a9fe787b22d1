"""Prompt encoder and mask decoder against recorded values of the published ones (tests/parity)."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
import torch
from torch import Tensor

from mobilesamv2.models.mask_decoder.decoder import MaskDecoder, MaskDecoderConfig
from mobilesamv2.models.prompt_encoder.encoder import PromptEncoder, PromptEncoderConfig
from tests.models.conftest import two_scale_noise
from tests.parity.synthetic_weights import FOLDER, part_of

PROMPTS = np.load(FOLDER / "prompt_encoder.npz")
DECODED = np.load(FOLDER / "mask_decoder.npz")
EMBEDDING_HW = (64, 64)


@pytest.fixture(scope="module")
def prompt_encoder(mobile_sam_weights: dict[str, Tensor]) -> PromptEncoder:
    encoder = PromptEncoder(PromptEncoderConfig()).eval()
    encoder.load_state_dict(part_of(mobile_sam_weights, "prompt_encoder"))
    return encoder


@pytest.fixture(scope="module")
def mask_decoder(mobile_sam_weights: dict[str, Tensor]) -> MaskDecoder:
    decoder = MaskDecoder(MaskDecoderConfig()).eval()
    decoder.load_state_dict(part_of(mobile_sam_weights, "mask_decoder"))
    return decoder


@pytest.fixture(scope="module")
def embedding() -> Tensor:
    noise = two_scale_noise(seed=41, channels=256, sides=(16, 64), weights=(0.8, 0.6))
    assert zlib.crc32(noise.numpy().tobytes()) == DECODED["embedding_crc32"]
    return noise


def mask_prompts() -> Tensor:
    generator = np.random.default_rng(40)
    for shape in ((16, 2, 2), (16, 1, 2), (4, 3, 2)):  # boxes and points are drawn before the masks
        generator.uniform(0, 1024, shape)
    masks = (4 * generator.standard_normal((2, 1, 256, 256))).astype(np.float32)
    assert zlib.crc32(masks.tobytes()) == PROMPTS["mask_crc32"]
    return torch.from_numpy(masks)


def prompts_of(case: str) -> dict[str, Tensor]:
    """What was asked in one recorded case, as arguments of the prompt encoder."""
    boxes, points3 = torch.from_numpy(PROMPTS["boxes"]), torch.from_numpy(PROMPTS["points3"])
    labels3 = torch.from_numpy(PROMPTS["labels3"])
    single = torch.from_numpy(PROMPTS["points"])
    return {
        "points": {"points": points3, "labels": labels3},
        "points_boxes": {"points": points3, "labels": labels3, "boxes_xyxy": boxes[:4]},
        "single_point": {"points": single, "labels": torch.ones(16, 1, dtype=torch.int64)},
        "boxes": {"boxes_xyxy": boxes},
        "boxes_float64": {"boxes_xyxy": boxes.double()},
        "masks": {"masks": mask_prompts()},
        "masks_boxes": {"masks": mask_prompts(), "boxes_xyxy": boxes[:2]},
        "nothing": {},
    }[case]


@pytest.mark.parametrize(
    "case",
    ["points", "points_boxes", "single_point", "boxes", "boxes_float64", "masks", "masks_boxes", "nothing"],
)
def test_prompts_are_encoded_as_recorded(case: str, prompt_encoder: PromptEncoder) -> None:
    with torch.inference_mode():
        sparse, dense = prompt_encoder(embedding_hw=EMBEDDING_HW, **prompts_of(case))
    np.testing.assert_allclose(sparse.numpy(), PROMPTS[f"{case}/sparse"], rtol=0, atol=2e-5)
    expected = PROMPTS[f"{case}/dense_s"]
    if expected.ndim == 1:  # no mask given: one vector everywhere
        dense = dense.expand(*PROMPTS[f"{case}/dense_shape"])
        assert (dense.detach().numpy() == expected[None, :, None, None]).all()
    else:
        assert dense.shape == tuple(PROMPTS[f"{case}/dense_shape"])
        np.testing.assert_allclose(dense.numpy()[:, ::4, ::8, ::8], expected, rtol=0, atol=2e-5)


def test_position_code_of_the_image_is_as_recorded(prompt_encoder: PromptEncoder) -> None:
    with torch.inference_mode():
        code = prompt_encoder.position_grid(*EMBEDDING_HW)
    assert code.shape == tuple(PROMPTS["dense_pe_shape"])
    np.testing.assert_allclose(code.numpy()[0, ::2, ::4, ::4], PROMPTS["dense_pe_s"], rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("case", "asked", "multimask"),
    [
        ("boxes", "boxes", False),
        ("points", "single_point", True),
        ("points_boxes", "points_boxes", False),
        ("masks_boxes", "masks_boxes", True),
    ],
)
def test_masks_and_their_iou_are_decoded_as_recorded(
    case: str,
    asked: str,
    multimask: bool,
    prompt_encoder: PromptEncoder,
    mask_decoder: MaskDecoder,
    embedding: Tensor,
) -> None:
    with torch.inference_mode():
        sparse, dense = prompt_encoder(embedding_hw=EMBEDDING_HW, **prompts_of(asked))
        code = prompt_encoder.position_grid(*EMBEDDING_HW)
        low, iou = mask_decoder(image=embedding, image_code=code, sparse=sparse, dense=dense, multimask=multimask)
    np.testing.assert_allclose(iou.numpy(), DECODED[f"{case}/iou"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(low.numpy()[:, :, ::8, ::8], DECODED[f"{case}/low_s"], rtol=0, atol=2e-3)
    # Logits next to 0 may flip: 1 in 100,000 pixels of all masks.
    flipped = np.abs((low > 0).sum((2, 3)).numpy() - DECODED[f"{case}/positive_pixels"]).sum()
    assert flipped <= low.numel() * 1e-5
    if case == "boxes":
        np.testing.assert_allclose(low[3].numpy(), DECODED["boxes/low_full_3"], rtol=0, atol=2e-3)


def test_prompt_tokens_leave_the_transformer_as_recorded(
    prompt_encoder: PromptEncoder, mask_decoder: MaskDecoder, embedding: Tensor
) -> None:
    with torch.inference_mode():
        sparse, dense = prompt_encoder(embedding_hw=EMBEDDING_HW, **prompts_of("points_boxes"))
        code = prompt_encoder.position_grid(*EMBEDDING_HW)
        output_tokens = torch.cat([mask_decoder.iou_token.weight, mask_decoder.mask_tokens.weight])
        tokens, _ = mask_decoder.transformer(
            image=(embedding + dense).flatten(2).transpose(1, 2),
            image_code=code.flatten(2).transpose(1, 2),
            tokens=torch.cat([output_tokens.expand(len(sparse), -1, -1), sparse], dim=1),
        )
    np.testing.assert_allclose(tokens.numpy()[::4], DECODED["points_boxes/queries"], rtol=0, atol=1e-4)
