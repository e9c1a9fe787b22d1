"""How many prompts are decoded at once: as many as suit a device and its memory."""

from __future__ import annotations

import torch

from .nano.model import NanoModel
from .sam import Sam

_CPU_BUDGET = 512 * 2**20
_GPU_BUDGET = 4 * 2**30
_LARGEST_CHUNK = {"cpu": 8, "cuda": 128}
_WINDOWED_CHUNK = {"cuda": 256}
"""Windows are small; what takes memory is their masks, three for each point."""
_SHARED_CHUNK_PER_CORE = 8
"""Prompts that share their image need little memory; so many a core are decoded between two looks at who waits."""


def suitable_chunk(sam: Sam | NanoModel, embedding_hw: tuple[int, int], *, sharing: bool) -> int:
    """How many prompts to decode at once, at least 1, on an embedding of that size.

    Args:
        sam: the model, on the device that it will run on.
        embedding_hw: height and width of the image embedding.
        sharing: whether prompts share their image (`Sam.share`).
    """
    if isinstance(sam, NanoModel):
        return _WINDOWED_CHUNK.get(sam.device.type, 64)
    if sharing:
        return max(16, _SHARED_CHUNK_PER_CORE * torch.get_num_threads())
    # Prompts with images of their own: few on a CPU, whose caches are small. At the most about ten copies of the image
    # tokens and three of the upscaled ones (16 times as many pixels of an eighth of the channels) are alive at once.
    height, width = embedding_hw
    pixels = sam.mask_decoder.config.width * height * width
    bytes_per_prompt = (10 + 3 * 16 / 8) * pixels * sam.dtype.itemsize
    budget = _CPU_BUDGET if sam.device.type == "cpu" else _GPU_BUDGET
    return max(1, min(_LARGEST_CHUNK.get(sam.device.type, 32), int(budget / bytes_per_prompt)))
