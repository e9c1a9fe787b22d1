"""Configuration of a detection network: a few values that can be kept beside its weights.

Knows neither Ultralytics nor files; networks are made from it elsewhere.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass

SIDES = (32, 4096)
"""The smallest and the largest input side in pixels that a file may ask for."""

NMS_IOU = 0.9
"""Non-maximum suppression of boxes in MobileSAMv2's released code; the paper does not state it."""

LITE_FAMILY = "efficientnet-lite0"
"""The family of `nano-objects`, whose network is our own (`LiteDetector`)."""

METADATA_PREFIX = "detector."
"""What the names of a configuration's values begin with in the metadata of a safetensors file."""


@dataclass(frozen=True)
class DetectorConfig:
    """The architecture of a detector; the default is YOLOv8n with one class.

    Args:
        family: `LITE_FAMILY`, or a model description that comes with Ultralytics, without its size: "yolov8", "yolo11",
            "yolov8-p2".
        scale: its size, for most families one of "n", "s", "m", "l" and "x"; "" for a family of one size.
        classes: how many classes the head tells apart; a box takes the best of their scores.
        reg_max: bins of the distribution over distances to each edge of a box; 1 where these are given as they are.
        input_side: longer side in pixels that pictures are scaled to.
        second_side: the same of a second look, for small objects; 0: there is none.
        box_width, class_width: channels inside the head's two branches; 0 where they are the family's own.
        layers: the description itself as JSON, for a network that is of no family; `family` and `scale` are then
            only names for people.
    """

    family: str = "yolov8"
    scale: str = "n"
    classes: int = 1
    reg_max: int = 16
    input_side: int = 640
    second_side: int = 0
    box_width: int = 0
    class_width: int = 0
    layers: str = ""

    @property
    def architecture(self) -> str:
        """File name of the description, such as "yolov8n.yaml" or "yolov8n-p2.yaml"."""
        return re.sub(r"^(yolov?\d+)", rf"\g<1>{self.scale}", self.family) + ".yaml"

    def to_metadata(self) -> dict[str, str]:
        """The values by name, for the metadata of a safetensors file; `from_metadata` reads them again."""
        return {METADATA_PREFIX + name: str(value) for name, value in dataclasses.asdict(self).items()}

    @staticmethod
    def from_metadata(metadata: Mapping[str, str]) -> DetectorConfig | None:
        """Read what `to_metadata` wrote, or None if the metadata describe no detector.

        Raises:
            ValueError: if a number is none, or none that can be.
        """
        found = {
            field.name: metadata[METADATA_PREFIX + field.name]
            for field in dataclasses.fields(DetectorConfig)
            if METADATA_PREFIX + field.name in metadata
        }
        if "family" not in found:
            return None
        side = found.get("input_side", "640")
        if not (side.isdecimal() and SIDES[0] <= int(side) <= SIDES[1]):
            raise ValueError(f"its input side is {side[:20]!r}, not {SIDES[0]} to {SIDES[1]} pixels")
        second = found.get("second_side", "0")
        if second != "0" and not (second.isdecimal() and SIDES[0] <= int(second) <= SIDES[1]):
            raise ValueError(f"its second side is {second[:20]!r}, not 0 or {SIDES[0]} to {SIDES[1]} pixels")
        return DetectorConfig(
            family=found["family"],
            scale=found.get("scale", ""),
            layers=found.get("layers", ""),
            **{name: int(value) for name, value in found.items() if name not in ("family", "scale", "layers")},
        )


LITE_CONFIG = DetectorConfig(family=LITE_FAMILY, scale="", input_side=448, second_side=1024)
"""Of `nano-objects`."""
