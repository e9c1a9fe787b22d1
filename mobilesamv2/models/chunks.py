"""Number of prompts decoded at once, to suit a device and its memory."""

from __future__ import annotations

from typing import Any

import torch

from .promptable import PromptableNetwork
from .sam import Sam, SharedBySam

_CPU_BUDGET = 512 * 2**20
_GPU_BUDGET = 4 * 2**30
_LARGEST_CHUNK = {"cpu": 8, "cuda": 128}
_WINDOWED_CHUNK = {"cuda": 256}
"""Windows are small; what takes memory is their masks, three for each point."""
_SHARED_CHUNK_PER_CORE = 8
"""Prompts that share their image need little memory. So many for each core are decoded between steps of progress."""


def suitable_chunk(network: PromptableNetwork[Any], features_hw: tuple[int, int], *, shared: object) -> int:
    """How many prompts to decode at once, at least 1.

    Args:
        network: on the device that it will run on.
        features_hw: height and width of its features.
        shared: its `share` of them; None for prompts with masks.
    """
    kind = network.device.type
    if not isinstance(network, Sam):
        return _WINDOWED_CHUNK.get(kind, 64)
    if isinstance(shared, SharedBySam) and shared.projected is not None:
        return max(16, _SHARED_CHUNK_PER_CORE * torch.get_num_threads())
    # Prompts with images of their own: few on a CPU, whose caches are small. At the most about ten copies of the image
    # tokens and three of the upscaled ones (16 times as many pixels of an eighth of the channels) are alive at once.
    height, width = features_hw
    pixels = network.mask_decoder.config.width * height * width
    bytes_per_prompt = (10 + 3 * 16 / 8) * pixels * network.dtype.itemsize
    budget = _CPU_BUDGET if kind == "cpu" else _GPU_BUDGET
    return max(1, min(_LARGEST_CHUNK.get(kind, 32), int(budget / bytes_per_prompt)))
