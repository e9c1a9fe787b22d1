"""Makes the network of a detector from its description."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import nn

from .config import LITE_FAMILY, DetectorConfig
from .layers import layers_of
from .lite import LiteDetector
from .ultralytics_import import ultralytics_module


def build_detector_module(config: DetectorConfig) -> nn.Module:
    """Make the network of a detector with random weights: an Ultralytics `DetectionModel`, or a `LiteDetector`.

    Nothing is downloaded. Its state-dict keys are what detector checkpoints hold, `model.0.conv.weight` to
    `model.22.dfl.conv.weight` for YOLOv8.

    Raises:
        ValueError: if no network can be made from that description.
    """
    if config.family == LITE_FAMILY:
        return LiteDetector(reg_max=config.reg_max)
    description = layers_of(config).description(classes=config.classes, reg_max=config.reg_max)
    with _said_plainly(config):
        module: nn.Module = _tasks().DetectionModel(description, nc=config.classes, verbose=False)
    head = cast(Any, module).model[-1]
    if config.box_width:
        _set_width(head.cv2, config.box_width, outputs=4 * config.reg_max)
    if config.class_width:
        _set_width(head.cv3, config.class_width, outputs=config.classes)
    return module


def detector_layout(config: DetectorConfig) -> dict[str, torch.Size]:
    """Names and shapes of the tensors that a detector's checkpoint holds, without making the network.

    Raises:
        ValueError: if no network can be made from that description.
    """
    if config.family == LITE_FAMILY:
        with torch.device("meta"):
            state = LiteDetector(reg_max=config.reg_max).state_dict()
        return {name: value.shape for name, value in state.items()}
    # Made with one bin, whose tensors are added by hand: counting bins on "meta" makes torch import its compiler.
    description = layers_of(config).description(classes=config.classes, reg_max=1)
    tasks = _tasks()  # imported here: what Ultralytics makes when it is imported must not be on "meta"
    with _said_plainly(config), torch.device("meta"):
        layers, _ = tasks.parse_model(description, ch=3, verbose=False)
        head = layers[-1]
        inputs = head.cv2[0][0].conv.in_channels
        usual = max(16, inputs // 4, 4 * config.reg_max)
        _set_width(head.cv2, config.box_width or usual, outputs=4 * config.reg_max)
        if config.class_width:
            _set_width(head.cv3, config.class_width, outputs=config.classes)
    layout = {f"model.{name}": value.shape for name, value in layers.state_dict().items()}
    if config.reg_max > 1:
        layout[f"model.{len(layers) - 1}.dfl.conv.weight"] = torch.Size([1, config.reg_max, 1, 1])
    return layout


def fuse_batch_norm(network: nn.Module) -> nn.Module:
    """Fold the batch norms of a network into its convolutions, in place: faster, the same up to rounding.

    Call it after the weights are loaded (the state-dict keys change) and before lowering the precision.
    """
    fused: nn.Module = cast(Any, network).fuse(verbose=False)
    return fused


def _tasks() -> Any:
    return ultralytics_module("ultralytics.nn.tasks")


@contextmanager
def _said_plainly(config: DetectorConfig) -> Iterator[None]:
    try:
        yield
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        MemoryError,
        RuntimeError,
        TypeError,
    ) as error:
        raise ValueError(f'the layers of "{config.architecture}" do not fit together') from error


def _set_width(branches: nn.ModuleList, width: int, *, outputs: int) -> None:
    """Give each branch of a head (one per level) that many channels between its first and its last layer."""
    conv = ultralytics_module("ultralytics.nn.modules.conv")
    for branch in branches:
        first = cast(nn.Sequential, branch)[0]
        if isinstance(first, nn.Sequential):  # depthwise, then pointwise
            inputs = cast(Any, first[0]).conv.in_channels
            made: list[nn.Module] = [
                nn.Sequential(conv.DWConv(inputs, inputs, 3), conv.Conv(inputs, width, 1)),
                nn.Sequential(conv.DWConv(width, width, 3), conv.Conv(width, width, 1)),
            ]
        else:
            made = [conv.Conv(cast(Any, first).conv.in_channels, width, 3), conv.Conv(width, width, 3)]
        made.append(nn.Conv2d(width, outputs, 1))
        for index, part in enumerate(made):
            cast(nn.Sequential, branch)[index] = part
        for norm in (part for part in branch.modules() if isinstance(part, nn.BatchNorm2d)):
            norm.eps, norm.momentum = 1e-3, 0.03  # as everywhere in these networks
