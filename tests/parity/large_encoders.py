"""Hold the large encoders against their recorded values: too slow for a test, run by hand.

    python -m tests.parity.large_encoders [vit_b efficientvit_l1 efficientvit_l2]

Prints seconds and the largest difference of each, and ends with status 1 if one is above the tolerance. What the
tests leave to it is depth: they run the same modules at small widths, and EfficientViT-L0 and ViT-B's first windows
at the real ones.
"""

from __future__ import annotations

import dataclasses
import sys
import time

import numpy as np
import torch
from torch import nn

from mobilesamv2.models.encoders.efficientvit import EfficientVit
from mobilesamv2.models.encoders.vit import Vit
from mobilesamv2.zoo.segmentation import EFFICIENTVIT, VIT
from tests.models.conftest import RECORDED_ENCODERS, two_scale_noise
from tests.parity.synthetic_weights import manifest_of, part_of, synthetic_state

TOLERANCE = 1e-4
ENCODERS = ("vit_b", "efficientvit_l1", "efficientvit_l2")


def build(name: str) -> nn.Module:
    """One of `ENCODERS` with its synthetic weights."""
    encoder: nn.Module
    with torch.device("meta"):
        if name == "vit_b":
            encoder, manifest = Vit(VIT["b"]), part_of(manifest_of("sam_vit_b"), "image_encoder")
        else:
            size = "l1" if name.endswith("l1") else "l2"
            encoder = EfficientVit(dataclasses.replace(EFFICIENTVIT[size], squeezed_from=1024))
            manifest = manifest_of(f"{name}_encoder")
    encoder.load_state_dict(synthetic_state(manifest), assign=True)
    return encoder.eval()


def main(names: list[str]) -> int:
    """Compare the encoders of these names, all of them if there are none; the status to end with."""
    pixels = two_scale_noise(seed=7, channels=3, sides=(64, 1024), weights=(1.0, 0.5))
    largest = 0.0
    for name in names or ENCODERS:
        encoder = build(name)
        start = time.perf_counter()
        with torch.inference_mode():
            out = encoder(pixels).numpy()
        seconds = time.perf_counter() - start
        difference = float(np.abs(out[0, ::4, ::4, ::4] - RECORDED_ENCODERS[f"{name}/out_s"]).max())
        print(f"{name}: {seconds:.1f} s, differs by at most {difference:.1e}")
        largest = max(largest, difference)
    return int(largest > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
