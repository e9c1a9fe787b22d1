"""Tensors of a detector's checkpoint in one form, and the network that their names and shapes belong to.

Only names and tensors: what a file is, and whether it may be read, is for others to say.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from ..models.detector.config import LITE_CONFIG, DetectorConfig
from ..models.detector.layers import Layers, families
from ..models.detector.network import detector_layout
from ..zoo import DETECTORS

INPUT_SIDE = 640
"""What a network is taken to be trained on where nothing says so: Ultralytics' own default."""
LITE_TENSOR = "model.0.stem.conv.weight"
"""What only the embedded detector's own network has."""
WRAPPERS = ("module.", "network.", "_orig_mod.")
"""Prefixes that training, `ObjectDetector` and compiling put before every name."""

State = dict[str, Tensor]


def plain_state(state: Mapping[str, Tensor]) -> State:
    """The tensors of the detector in a checkpoint, under the names that `build_detector_module` gives them.

    Names begin with "model.0.". Of a segmentation head the branch of masks is left out. Of a head with two pairs of
    branches the one that wants non-maximum suppression is taken, as Ultralytics itself does, or else the one-to-one
    pair. Batch norms that were folded into convolutions come back as norms that change nothing.

    Raises:
        ValueError: if there is no detection head among the tensors.
    """
    state = dict(state)
    while any(all(name.startswith(prefix) for name in state) for prefix in (*WRAPPERS, "model.model.")) and state:
        state = {name.partition(".")[2]: value for name, value in state.items()}
    if state and all(re.match(r"\d+\.", name) for name in state):
        state = {f"model.{name}": value for name, value in state.items()}
    head = _head_prefix(state)
    one_to_one = f"{head}cv2.0.2.weight" not in state
    found: State = {}
    for name, value in state.items():
        branch = name.removeprefix(head).partition(".")[0] if name.startswith(head) else ""
        if branch.startswith("one2one_") and one_to_one:
            branch = branch.removeprefix("one2one_")
            name = head + name.removeprefix(f"{head}one2one_")
        if branch not in ("cv4", "proto") and not branch.startswith("one2one_"):
            found[name] = value
    _unfold_norms(found)
    return found


def head_facts(state: Mapping[str, Tensor]) -> DetectorConfig:
    """What the head in a plain state says about its network: classes, bins, and widths that are not the usual ones.

    Raises:
        ValueError: if there is no detection head among the tensors.
    """
    head = _head_prefix(state)
    first, boxes = state[f"{head}cv2.0.0.conv.weight"], state[f"{head}cv2.0.2.weight"]
    inputs, box_width = first.shape[1], first.shape[0]
    reg_max, rest = divmod(len(boxes), 4)
    scores = state.get(f"{head}cv3.0.2.weight")
    if scores is None or scores.ndim != 4 or rest or reg_max < 1:
        raise ValueError("its detection head is incomplete")
    classes, class_width = scores.shape[:2]
    return DetectorConfig(
        classes=classes,
        reg_max=reg_max,
        box_width=0 if box_width == max(16, inputs // 4, 4 * reg_max) else box_width,
        class_width=0 if class_width == max(inputs, min(classes, 100)) else class_width,
    )


def config_from_state(state: Mapping[str, Tensor]) -> DetectorConfig:
    """The network that a plain state is of, or is nearest to: our own, or any that Ultralytics describes.

    Raises:
        ValueError: if it has next to nothing in common with any of them.
    """
    facts = head_facts(state)
    if LITE_TENSOR in state:
        return dataclasses.replace(LITE_CONFIG, reg_max=facts.reg_max)
    shapes = _shapes({name: value.shape for name, value in state.items()})
    fewest, nearest = len(shapes) // 2, None
    for family, layers in _candidates(state):
        config = dataclasses.replace(facts, family=family, scale=layers.scale)
        differences = len(shapes ^ _shapes(detector_layout(config)))
        if differences < fewest:
            fewest, nearest = differences, config
        if differences == 0:
            break
    if nearest is None:
        raise ValueError("its tensors are those of no network that Ultralytics describes")
    return dataclasses.replace(nearest, input_side=usual_input_side(nearest))


def config_from_layers(layers: Layers, state: Mapping[str, Tensor]) -> DetectorConfig:
    """The network of a plain state whose layers are described beside it; of a known family where it is that.

    Raises:
        ValueError: if there is no detection head among the tensors.
    """
    facts = head_facts(state)
    for family, known in families():
        if known == layers:
            config = dataclasses.replace(facts, family=family, scale=layers.scale)
            break
    else:
        config = dataclasses.replace(facts, family="custom", scale="", layers=layers.to_json())
    return dataclasses.replace(config, input_side=usual_input_side(config))


def usual_input_side(config: DetectorConfig) -> int:
    """What the published detector of that architecture is fed, or `INPUT_SIDE` if none is published."""
    for published in DETECTORS.values():
        if dataclasses.replace(published.config, input_side=config.input_side) == config:
            return published.config.input_side
    return INPUT_SIDE


def _head_prefix(state: Mapping[str, Tensor]) -> str:
    """What the names in the head begin with: that of the last layer."""
    layers = [int(match[1]) for name in state if (match := re.match(r"model\.(\d+)\.", name))]
    head = f"model.{max(layers, default=0)}."
    for name in ("cv2.0.0.conv.weight", "cv2.0.2.weight"):
        tensor = state.get(head + name, state.get(f"{head}one2one_{name}"))
        if tensor is None or tensor.ndim != 4:
            raise ValueError("it has no detection head")
    masks = state.get(f"{head}cv4.0.2.weight")
    if masks is not None and masks.ndim == 4 and f"{head}proto.cv1.conv.weight" not in state and len(masks) != 32:
        raise ValueError("its head is one for poses or turned boxes, not for upright boxes")
    return head


def _shapes(shapes: Mapping[str, torch.Size]) -> set[tuple[str, torch.Size]]:
    return {(name, shape) for name, shape in shapes.items() if not name.endswith("num_batches_tracked")}


def _unfold_norms(state: State) -> None:
    """Where a convolution took its norm's shift as a bias, give the norm back, in place."""
    for name in [name for name in state if name.endswith(".conv.bias")]:
        norm = name.removesuffix("conv.bias") + "bn."
        if norm + "weight" not in state:
            bias = state.pop(name)
            ones = torch.ones_like(bias, dtype=torch.float32)
            state |= {
                norm + "weight": ones,
                norm + "bias": bias,
                norm + "running_mean": torch.zeros_like(ones),
                norm + "running_var": ones - 1e-3,  # the norm adds as much before it takes the root
            }


def _candidates(state: Mapping[str, Tensor]) -> Iterator[tuple[str, Layers]]:
    """Families and sizes with as many layers, and convolutions between them that are as wide."""
    last = int(_head_prefix(state).split(".")[1])
    for family, layers in families():
        if len(layers.rows) != last + 1:
            continue
        wide = [
            (state.get(f"model.{index}.conv.weight"), _channels(layers, arguments[0]))
            for index, (_, _, name, arguments) in enumerate(layers.rows)
            if name == "Conv"
        ]
        if all(tensor is None or len(tensor) == width for tensor, width in wide if tensor is None or tensor.ndim):
            yield family, layers


def _channels(layers: Layers, wanted: int) -> int:
    # The next multiple of eight, as Ultralytics scales channels.
    return -(-int(min(wanted, layers.max_channels) * layers.width) // 8) * 8
