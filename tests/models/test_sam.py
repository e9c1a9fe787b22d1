"""Whole models: each published one has the keys of its checkpoint, and its parts fit each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mobilesamv2 import zoo
from mobilesamv2.geometry import ResizeLongestSide
from mobilesamv2.models.encoders.efficientvit import EfficientVitConfig
from mobilesamv2.models.encoders.vit import VitConfig
from mobilesamv2.models.mask_decoder.decoder import MaskDecoder, MaskDecoderConfig
from mobilesamv2.models.preprocess import to_input
from mobilesamv2.models.prompt_encoder.encoder import PromptEncoder, PromptEncoderConfig
from mobilesamv2.models.sam import Sam, SamConfig
from mobilesamv2.segmenter import Segmenter
from tests.parity.synthetic_weights import manifest_of, part_of, synthetic_state
from tests.tiny import picture

DECODER = MaskDecoderConfig(width=16, heads=2, hidden_width=32, iou_hidden_width=16)
SMALL_EFFICIENTVIT = EfficientVitConfig(
    widths=(4, 8, 8, 16, 16),
    depths=(0, 0, 0, 0, 1),
    neck_depth=1,
    neck_width=8,
    head_width=8,
    out_width=16,
    input_side=64,
)

CONFIGS = {entry.name: entry.config for entry in zoo.MODELS.values() if isinstance(entry.config, SamConfig)}
ENCODERS = {
    "mobilesam": part_of(manifest_of("mobile_sam"), "image_encoder"),
    "mobilesamv2-tinyvit": manifest_of("tinyvit_v2_encoder"),
    "mobilesamv2-efficientvit-l2": manifest_of("efficientvit_l2_encoder"),
    "mobilesamv2-vit-h": manifest_of("sam_vit_h_encoder"),
    **{f"efficientvit-sam-{size}": manifest_of(f"efficientvit_{size}_encoder") for size in ("l0", "l1", "l2")},
    **{f"sam-vit-{size}": part_of(manifest_of(f"sam_vit_{size}"), "image_encoder") for size in "blh"},
}


def decoder_manifest() -> dict[str, dict[str, Any]]:
    """What the prompt-guided decoder of MobileSAMv2 holds, under our names of its two parts."""
    names = {"PromtEncoder": "prompt_encoder", "MaskDecoder": "mask_decoder"}
    published = manifest_of("prompt_guided_decoder")
    return {
        f"{names[part]}.{key}": published[f"{part}.{key}"] for part, _, key in (k.partition(".") for k in published)
    }


@pytest.mark.parametrize("name", CONFIGS)
def test_keys_and_shapes_of_each_model_are_those_of_its_published_files(name: str) -> None:
    with torch.device("meta"):
        own = Sam.from_config(CONFIGS[name]).state_dict()
    published = {f"image_encoder.{key}": entry for key, entry in ENCODERS[name].items()} | decoder_manifest()
    assert {key: list(value.shape) for key, value in own.items()} == {
        key: entry["shape"] for key, entry in published.items()
    }
    assert all(str(own[key].dtype) == f"torch.{entry['dtype']}" for key, entry in published.items())


@pytest.mark.parametrize("name", ["mobile_sam", "sam_vit_b", "sam_vit_l", "sam_vit_h"])
def test_published_files_of_whole_models_have_the_same_decoder(name: str) -> None:
    whole = manifest_of(name)
    assert {key: entry for key, entry in whole.items() if not key.startswith("image_encoder.")} == decoder_manifest()


def test_the_prompt_guided_decoder_loads_strictly_into_the_modules_whose_output_is_recorded(
    mobile_sam_weights: dict[str, Tensor],
) -> None:
    state = synthetic_state(decoder_manifest())
    for name, module in (
        ("prompt_encoder", PromptEncoder(PromptEncoderConfig())),
        ("mask_decoder", MaskDecoder(MaskDecoderConfig())),
    ):
        module.load_state_dict(part_of(state, name), strict=True)
        recorded = part_of(mobile_sam_weights, name)
        assert all(torch.equal(value, recorded[key]) for key, value in module.state_dict().items())


@pytest.mark.parametrize("name", CONFIGS)
def test_prompts_lie_in_1024_pixels_and_only_efficientvit_sam_sees_512(name: str) -> None:
    with torch.device("meta"):
        sam = Sam.from_config(CONFIGS[name])
    assert sam.input_side == 1024
    assert sam.picture_side == (512 if name.startswith("efficientvit-sam") else 1024)


@pytest.mark.parametrize("encoder", [VitConfig(), VitConfig(input_side=512), EfficientVitConfig(input_side=1024)])
def test_an_encoder_of_another_embedding_size_is_refused(encoder: VitConfig | EfficientVitConfig) -> None:
    with pytest.raises(ValueError, match="The encoder makes embeddings of side"):
        SamConfig(encoder=encoder, prompt_encoder=PromptEncoderConfig(input_side=768))


def small_sam(encoder: VitConfig | EfficientVitConfig) -> Sam:
    torch.manual_seed(0)
    prompt_encoder = PromptEncoderConfig(width=16, input_side=128)
    return Sam.from_config(SamConfig(encoder=encoder, prompt_encoder=prompt_encoder, mask_decoder=DECODER)).eval()


def test_pictures_are_scaled_for_the_encoder_and_prompts_for_the_decoder() -> None:
    sam, seen = small_sam(SMALL_EFFICIENTVIT), []
    sam.image_encoder.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    prompts: list[Tensor] = []
    sam.prompt_encoder.register_forward_pre_hook(
        lambda _module, _none, asked: prompts.extend(asked["boxes_xyxy"]), with_kwargs=True
    )
    segmenter, photo = Segmenter(sam, name="small"), picture(33, 100)
    embedding = segmenter.encode(photo)
    masks = segmenter.predict(embedding, boxes=[[0, 0, 100, 33]])

    assert torch.equal(seen[0], to_input(photo, ResizeLongestSide((33, 100), 64)))
    assert embedding.resize == ResizeLongestSide((33, 100), 128)
    assert embedding.features.shape == (1, 16, 8, 8)
    np.testing.assert_allclose(prompts[0], ResizeLongestSide((33, 100), 128).boxes_to_input(np.array([0, 0, 100, 33])))
    assert masks.size_hw == (33, 100)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    "encoder",
    [
        SMALL_EFFICIENTVIT,
        VitConfig(width=16, depth=2, heads=2, global_blocks=(1,), window=3, input_side=128, out_width=16),
    ],
    ids=["efficientvit", "vit"],
)
def test_a_whole_model_answers_in_half_precision(encoder: VitConfig | EfficientVitConfig, dtype: torch.dtype) -> None:
    segmenter = Segmenter(small_sam(encoder).cast(dtype), name="small")
    embedding = segmenter.encode(picture(48, 64))
    logits, iou = segmenter.decode_logits(embedding, boxes=[[2, 3, 40, 30], [10, 10, 60, 40]])
    assert embedding.features.dtype == dtype
    assert logits.shape == (2, 1, 32, 32)
    assert logits.dtype == iou.dtype == torch.float32
    assert torch.isfinite(logits).all()


def test_parts_of_different_widths_are_refused() -> None:
    with pytest.raises(ValueError, match="they must be equal"):
        Sam(
            image_encoder=nn.Identity(),
            prompt_encoder=PromptEncoder(PromptEncoderConfig(width=8)),
            mask_decoder=MaskDecoder(DECODER),
        )
