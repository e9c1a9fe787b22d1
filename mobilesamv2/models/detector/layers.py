"""The layers of a detection network as plain, checked values: what Ultralytics builds a network from.

A description may come from anybody's file, and Ultralytics evaluates parts of it as Python. So nothing is passed on
but layers that are known by name here, with numbers as their arguments.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .config import DetectorConfig
from .ultralytics_import import ultralytics_module

HEADS = frozenset({"Detect", "Segment", "Segment26", "v10Detect"})
"""Heads whose boxes and scores are those of a plain detection head; the rest of them is left out."""

KNOWN_LAYERS = re.compile(
    r"A2C2f|AConv|ADown|Bottleneck(CSP)?|C1|C2|C2PSA|C2f|C2fCIB|C2fPSA|C3|C3Ghost|C3TR|C3k2|C3x|CBFuse|CBLinear|Concat"
    r"|Conv|ConvTranspose|DWConv|ELAN1|Focus|Ghost(Bottleneck|Conv)|HG(Block|Stem)|PSA|RepC3|RepNCSPELAN4|ResNetLayer"
    r"|SCDown|SPP|SPPELAN|SPPF|nn\.(Conv2d|ConvTranspose2d|Identity|MaxPool2d|Upsample|ZeroPad2d)"
)
FOLDERS = ("v8", "11", "v9", "v10", "12", "26", "v5", "v6", "v3")
"""Where Ultralytics keeps the descriptions of families, those that are looked at first in front."""

WORDS = {"None": None, "True": True, "False": False, "nc": "nc", "nearest": "nearest", "bilinear": "bilinear"}
ACTIVATION = re.compile(
    r"(torch\.)?nn\.(ELU|GELU|Hardswish|Identity|LeakyReLU|Mish|ReLU6?|SiLU)\((inplace=True|True|[0-9.]{1,8})?\)"
)
MOST_LAYERS, MOST_REPEATS, MOST_CHANNELS = 200, 100, 8192

Row = tuple[Any, int, str, tuple[Any, ...]]
"""Where a layer takes its input from (one index or several), how often it is repeated, its name, its arguments."""


@dataclass(frozen=True)
class Layers:
    """A network that ends in a plain detection head.

    Args:
        rows: the layers, the head last.
        depth, width: factors on repeats and channels.
        max_channels: channels before scaling are at most so many.
        scale: size by which some layers change their form; "" for none.
        activation: a call such as "nn.ReLU()"; "" for the usual SiLU.
    """

    rows: tuple[Row, ...]
    depth: float = 1.0
    width: float = 1.0
    max_channels: int = MOST_CHANNELS
    scale: str = ""
    activation: str = ""

    def description(self, *, classes: int, reg_max: int) -> dict[str, Any]:
        """What Ultralytics' `DetectionModel` takes."""
        size = self.scale or "only"
        rows = [[_as_list(source), n, name, _as_list(arguments)] for source, n, name, arguments in self.rows]
        found = {
            "nc": classes,
            "reg_max": reg_max,
            "end2end": False,
            "scales": {size: [self.depth, self.width, self.max_channels]},
            "scale": size,
            "backbone": rows[:-1],
            "head": rows[-1:],
        }
        return {**found, "activation": self.activation} if self.activation else found

    def to_json(self) -> str:
        """The same as `Layers.from_json` takes it."""
        content = self.description(classes=1, reg_max=1)
        return json.dumps({**content, "scale": self.scale, "scales": {self.scale: content["scales"].popitem()[1]}})

    @staticmethod
    def from_json(text: str) -> Layers:
        """Read and check what `to_json` wrote.

        Raises:
            ValueError: if it is anything else.
        """
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError("the description of its layers is no JSON") from error
        return parse_layers(content)


def parse_layers(description: object) -> Layers:
    """Check a description in Ultralytics' form; mask branches and one-to-one heads become plain detection heads.

    Raises:
        ValueError: if it does not describe a detector, or names what is not known here, saying what.
    """
    if not isinstance(description, Mapping):
        raise ValueError("the description of its layers is missing")
    backbone, head = description.get("backbone"), description.get("head")
    if not isinstance(backbone, list) or not isinstance(head, list) or not backbone or not head:
        raise ValueError("the description of its layers is incomplete")
    if len(backbone) + len(head) > MOST_LAYERS:
        raise ValueError(f"it has more than {MOST_LAYERS} layers")
    kind = head[-1][2] if isinstance(head[-1], (list, tuple)) and len(head[-1]) == 4 else "?"
    if not isinstance(kind, str) or kind not in HEADS:
        raise ValueError(f'its head is "{str(kind)[:40]}", which gives no upright boxes with scores')
    *rows, last = [_row(row) for row in [*backbone, *head]]
    for row in rows:
        if not KNOWN_LAYERS.fullmatch(row[2]):
            raise ValueError(f'its layer "{row[2]}" is not known')
    if not isinstance(last[0], tuple):
        raise ValueError("its head has a single level")
    activation = description.get("activation") or ""
    if activation and not (isinstance(activation, str) and ACTIVATION.fullmatch(activation)):
        raise ValueError("its activation is not known")
    scale = description.get("scale") or ""
    scales = description.get("scales") or {}
    if not isinstance(scale, str) or not isinstance(scales, Mapping):
        raise ValueError("its size is not known")
    if scales:
        scale = scale if scale in scales else str(next(iter(scales)))
        numbers = scales.get(scale)
    else:
        numbers = [
            description.get("depth_multiple", 1.0), description.get("width_multiple", 1.0), MOST_CHANNELS
        ]  # fmt: skip
    if not isinstance(numbers, (list, tuple)) or len(numbers) != 3 or not all(_is_number(n) for n in numbers):
        raise ValueError("its size is not known")
    return Layers(
        rows=(*rows, (last[0], 1, "Detect", ("nc",))),
        depth=float(numbers[0]),
        width=float(numbers[1]),
        max_channels=int(numbers[2]),
        scale=scale,
        activation=activation,
    )


def layers_of(config: DetectorConfig) -> Layers:
    """The layers of a configuration.

    Raises:
        ValueError: if Ultralytics has no such family or size.
    """
    if config.layers:
        return Layers.from_json(config.layers)
    for family, layers in families():
        if family == config.family and layers.scale == config.scale:
            return layers
    raise ValueError(f'Ultralytics describes no network "{config.architecture}"')


def families() -> Iterator[tuple[str, Layers]]:
    """Every detector that Ultralytics describes, in all its sizes, by the name of its family."""
    # Read from the package: by name, Ultralytics would take a file of the working folder first.
    models = Path(ultralytics_module("ultralytics").__file__).parent / "cfg" / "models"
    for folder in FOLDERS:
        for file in sorted((models / folder).glob("*.yaml"), key=lambda file: (len(file.stem), file.stem)):
            yield from _read(file)


@cache
def _read(file: Path) -> tuple[tuple[str, Layers], ...]:
    """One file's family in each of its sizes; nothing if it is no detector that is known here."""
    content = ultralytics_module("ultralytics.utils").YAML.load(file)
    if content["head"][-1][2] not in ("Detect", "v10Detect"):
        return ()
    found = []
    for scale in content.get("scales") or [""]:
        with contextlib.suppress(ValueError):
            # Each size of YOLOv10 has a file of its own, which carries the size in its name.
            family = re.sub(rf"^(yolov?\d\d){scale}$", r"\1", file.stem)
            found.append((family, parse_layers({**content, "scale": scale})))
    return tuple(found)


def _row(row: object) -> Row:
    if not isinstance(row, (list, tuple)) or len(row) != 4:
        raise ValueError("one of its layers is incomplete")
    source, repeats, name, arguments = row
    if not isinstance(name, str) or not isinstance(arguments, (list, tuple)):
        raise ValueError("one of its layers is incomplete")
    if type(repeats) is not int or not 1 <= repeats <= MOST_REPEATS:
        raise ValueError(f'its layer "{name[:40]}" is repeated {str(repeats)[:20]} times')
    inputs = source if isinstance(source, (list, tuple)) else [source]
    if not inputs or not all(type(index) is int and abs(index) < MOST_LAYERS for index in inputs):
        raise ValueError(f'its layer "{name[:40]}" has unknown inputs')
    name = "nn.Identity" if name == "Silence" else name[:40]
    return (
        tuple(inputs) if isinstance(source, (list, tuple)) else source,
        repeats,
        name,
        _arguments(arguments),
    )


def _arguments(values: list[Any] | tuple[Any, ...], *, nested: bool = False) -> tuple[Any, ...]:
    found: list[Any] = []
    for value in values:
        if isinstance(value, str) and value in WORDS:
            found.append(WORDS[value])
        elif value is None or type(value) is bool or _is_number(value):
            found.append(value)
        elif isinstance(value, (list, tuple)) and not nested:
            found.append(_arguments(value, nested=True))
        else:
            raise ValueError(f"one of its layers has the argument {str(value)[:40]!r}, which is not known")
    return tuple(found)


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and abs(float(str(value))) <= MOST_CHANNELS


def _as_list(value: Any) -> Any:
    return [_as_list(item) for item in value] if isinstance(value, tuple) else value
