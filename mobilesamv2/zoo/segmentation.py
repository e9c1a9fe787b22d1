"""The table of segmentation models."""

from __future__ import annotations

import dataclasses

from ..models.encoders.efficientvit import EfficientVitConfig
from ..models.encoders.vit import VitConfig
from ..models.nano.model import NanoConfig
from ..models.sam import SamConfig
from ..prompts import MaskFilters
from .entries import Form, ModelEntry, WeightsFile

NANO_FILTERS = MaskFilters(predicted_iou=0.5, stability=0.5, box_nms=0.7)
"""Grid search's filters for `nano`, which seldom predicts an IoU above .9. On ten training pictures these have the best
F1 score, .304; .55 has .292 and finds a quarter less (`python -m training.grid_filters --pictures 10 --points-per-side
12`). SAM's own filters would keep next to nothing."""

VIT = {
    "b": VitConfig(),
    "l": VitConfig(width=1024, depth=24, heads=16, global_blocks=(5, 11, 17, 23)),
    "h": VitConfig(width=1280, depth=32, heads=16, global_blocks=(7, 15, 23, 31)),
}
"""Segment Anything's encoders: ViT-B, ViT-L and ViT-H of 90, 308 and 637 million parameters (arXiv 2304.02643)."""
EFFICIENTVIT = {
    "l0": EfficientVitConfig(),
    "l1": EfficientVitConfig(depths=(1, 1, 1, 6, 6), neck_depth=8),
    "l2": EfficientVitConfig(depths=(1, 2, 2, 8, 8), neck_depth=12),
}
"""EfficientViT-SAM's image encoders (arXiv 2402.05008). They see 512 pixels; prompts stay in SAM's 1024, as in the
published predictor."""

_MOBILE_SAM = WeightsFile(
    filename="mobile_sam.pt",
    repo="dhkim2810/MobileSAM",
    bytes=40_728_226,
    sha256="6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
    licence="Apache-2.0",
    form=Form.SAM,
)


def _of_version_2(filename: str, *, about_bytes: int, form: Form) -> WeightsFile:
    return WeightsFile(
        filename=filename,
        repo="RogerQi/MobileSAMV2",
        about_bytes=about_bytes,
        licence="Apache-2.0",
        form=form,
    )


_PROMPT_GUIDED_DECODER = _of_version_2("Prompt_guided_Mask_Decoder.pt", about_bytes=16_300_000, form=Form.DECODER)


def _version_2(encoder: str, file: WeightsFile, *, summary: str, config: SamConfig) -> ModelEntry:
    """MobileSAMv2: one of three encoders, each given 1024 pixels, with one retrained decoder (arXiv 2312.09579)."""
    return ModelEntry(
        name=f"mobilesamv2-{encoder}",
        config=config,
        files={"encoder": file, "decoder": _PROMPT_GUIDED_DECODER},
        detector="object-aware",
        summary=f"MobileSAMv2: {summary} with the prompt-guided decoder",
    )


def _efficientvit_sam(size: str, *, about_bytes: int, sha256: str) -> ModelEntry:
    file = WeightsFile(
        filename=f"efficientvit_sam_{size}.pt",
        repo="mit-han-lab/efficientvit-sam",
        about_bytes=about_bytes,
        sha256=sha256,
        licence="Apache-2.0",
        form=Form.WRAPPED_SAM,
    )
    return ModelEntry(
        name=f"efficientvit-sam-{size}",
        config=SamConfig(encoder=EFFICIENTVIT[size]),
        files={"whole": file},
        detector="nano-objects",
        summary=f"EfficientViT-SAM-{size.upper()}",
    )


def _sam(size: str, filename: str, *, bytes: int, sha256: str) -> ModelEntry:
    file = WeightsFile(
        filename=f"checkpoints/{filename}",
        repo="ybelkada/segment-anything",
        bytes=bytes,
        sha256=sha256,
        licence="Apache-2.0",
        form=Form.SAM,
    )
    return ModelEntry(
        name=f"sam-vit-{size}",
        config=SamConfig(encoder=VIT[size]),
        files={"whole": file},
        detector="nano-objects",
        summary=f"Segment Anything with ViT-{size.upper()}",
    )


ENTRIES: tuple[ModelEntry, ...] = (
    ModelEntry(
        name="nano",
        config=NanoConfig(),
        files={
            "whole": WeightsFile(
                filename="nano.safetensors",
                bytes=9_880_010,
                sha256="44e3a9480d868ec02fb577217e2e0f0d328dc0472c63e87edb5d0f3958798a3e",
            )
        },
        detector="nano-objects",
        summary="small enough to come with the package, made for two CPU cores",
        grid_filters=NANO_FILTERS,
        bfloat16_on_cpu=True,
    ),
    ModelEntry(
        name="mobilesam",
        config=SamConfig(),
        files={"whole": _MOBILE_SAM},
        detector="nano-objects",
        summary="MobileSAM: TinyViT encoder with Segment Anything's decoder",
    ),
    _version_2("tinyvit", _MOBILE_SAM, summary="TinyViT", config=SamConfig()),
    _version_2(
        "efficientvit-l2",
        _of_version_2("l2.pt", about_bytes=245_700_000, form=Form.WRAPPED_SAM),
        summary="EfficientViT-L2",
        # It squeezes the 1024 pixels itself.
        config=SamConfig(encoder=dataclasses.replace(EFFICIENTVIT["l2"], squeezed_from=1024)),
    ),
    _version_2(
        "vit-h",
        _of_version_2("sam_vit_h.pt", about_bytes=2_548_000_000, form=Form.ENCODER),
        summary="SAM's ViT-H",
        config=SamConfig(encoder=VIT["h"]),
    ),
    _efficientvit_sam(
        "l0",
        about_bytes=139_300_000,
        sha256="c4f994b01a16d48bcf2fbbb089448cfbf58fae5811edfa8113c953b8b8cc64b8",
    ),
    _efficientvit_sam(
        "l1",
        about_bytes=190_700_000,
        sha256="fa151df2b9b96896accd505470755cdd293a4c50cdabac95478f3fbd86d9152b",
    ),
    _efficientvit_sam(
        "l2",
        about_bytes=245_500_000,
        sha256="d4bfd842224cbb99de09acc3325e81ac5b7e8725c8fbdab152305e5d934bfe4a",
    ),
    _sam(
        "b",
        "sam_vit_b_01ec64.pth",
        bytes=375_042_383,
        sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    ),
    _sam(
        "l",
        "sam_vit_l_0b3195.pth",
        bytes=1_249_524_607,
        sha256="3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    ),
    _sam(
        "h",
        "sam_vit_h_4b8939.pth",
        bytes=2_564_550_879,
        sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    ),
)
