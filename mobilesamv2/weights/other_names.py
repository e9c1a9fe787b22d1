"""State dicts of Segment Anything under the names of other projects. Pure functions on tables of tensors."""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor

from ..errors import WeightsError
from .names import State
from .read import read_state_dict

_OTHER_NETWORKS = {
    "hf_token": "SAM-HQ",
    "hq_token": "SAM-HQ",
    "memory_attention": "SAM 2",
    "no_memory_embedding": "SAM 2",
}
"""Parts of names that tell another network, whose decoder has tokens and layers of its own."""

_MLP = r"(output_hypernetworks_mlps\.\d+|iou_prediction_head)"
# Of Hugging Face transformers (SamModel): its name and the published one, the first that fits. Others are the same.
_RENAMED = [
    (re.compile(rf"(^|\.){theirs}"), rf"\1{ours}")
    for theirs, ours in (
        (r"vision_encoder\.patch_embed\.projection\.", "image_encoder.patch_embed.proj."),
        (r"vision_encoder\.layers\.(\d+)\.layer_norm(\d)\.", r"image_encoder.blocks.\2.norm\3."),
        (r"vision_encoder\.layers\.", "image_encoder.blocks."),
        (r"vision_encoder\.neck\.conv1\.", "image_encoder.neck.0."),
        (r"vision_encoder\.neck\.layer_norm1\.", "image_encoder.neck.1."),
        (r"vision_encoder\.neck\.conv2\.", "image_encoder.neck.2."),
        (r"vision_encoder\.neck\.layer_norm2\.", "image_encoder.neck.3."),
        (r"vision_encoder\.", "image_encoder."),
        # The code of positions is one tensor, which both of these name.
        (
            r"(?:prompt_encoder\.shared_embedding|shared_image_embedding)\.positional_embedding$",
            "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
        ),
        (r"prompt_encoder\.point_embed\.", "prompt_encoder.point_embeddings."),
        (r"prompt_encoder\.mask_embed\.conv1\.", "prompt_encoder.mask_downscaling.0."),
        (r"prompt_encoder\.mask_embed\.layer_norm1\.", "prompt_encoder.mask_downscaling.1."),
        (r"prompt_encoder\.mask_embed\.conv2\.", "prompt_encoder.mask_downscaling.3."),
        (r"prompt_encoder\.mask_embed\.layer_norm2\.", "prompt_encoder.mask_downscaling.4."),
        (r"prompt_encoder\.mask_embed\.conv3\.", "prompt_encoder.mask_downscaling.6."),
        (
            r"mask_decoder\.transformer\.layers\.(\d+)\.layer_norm(\d)\.",
            r"mask_decoder.transformer.layers.\2.norm\3.",
        ),
        (r"mask_decoder\.transformer\.layer_norm_final_attn\.", "mask_decoder.transformer.norm_final_attn."),
        (r"mask_decoder\.upscale_conv1\.", "mask_decoder.output_upscaling.0."),
        (r"mask_decoder\.upscale_layer_norm\.", "mask_decoder.output_upscaling.1."),
        (r"mask_decoder\.upscale_conv2\.", "mask_decoder.output_upscaling.3."),
        (rf"mask_decoder\.{_MLP}\.proj_in\.", r"mask_decoder.\2.layers.0."),
        (rf"mask_decoder\.{_MLP}\.layers\.0\.", r"mask_decoder.\2.layers.1."),
        (rf"mask_decoder\.{_MLP}\.proj_out\.", r"mask_decoder.\2.layers.2."),
    )
]
_OF_TRANSFORMERS = re.compile(r"(^|\.)(vision_encoder|shared_image_embedding|shared_embedding|upscale_conv1)\.")


def read_model(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a model's checkpoint, or of half of one, under the names of the published files.

    Raises:
        WeightsError: as `read_state_dict` and `as_published`.
    """
    return as_published(read_state_dict(path), source=path)


def as_published(state: State, *, source: str | Path) -> dict[str, Tensor]:
    """The same tensors; those that are named as in Hugging Face transformers get the names of the published files.

    Prefixes before them stay. Of the two names that transformers has for the code of positions, one is enough.

    Args:
        source: where they came from, for the error.

    Raises:
        WeightsError: if they are of SAM-HQ or SAM 2, which are other networks.
    """
    for part, network in _OTHER_NETWORKS.items():
        if found := next((name for name in state if part in name.split(".")), None):
            raise WeightsError(
                f"{source} is a checkpoint of {network} (it has {found}), which has tokens and layers of its own and "
                "cannot be run here. Take one of Segment Anything, MobileSAM or EfficientViT-SAM."
            )
    if not any(_OF_TRANSFORMERS.search(name) for name in state):
        return dict(state)
    return {_published(name): value for name, value in state.items()}


def _published(name: str) -> str:
    for theirs, ours in _RENAMED:
        renamed, found = theirs.subn(ours, name)
        if found:
            return renamed
    return name
