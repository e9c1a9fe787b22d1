"""Masks for programs that label and train: YOLO segmentation, labelme, CVAT and Label Studio.

CVAT and Label Studio are given run lengths, which are exactly the masks. YOLO and labelme know polygons alone, so holes
are filled (`ops.outlines.middle_rings`).
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree

import numpy as np

from ..ops.outlines import joined, middle_rings
from ..ops.rle import window_runs
from ..types import Floats, Ints, Masks
from .records import CATEGORY, Photos

_LABELME_FORM = "5.5.0"
"""The version of labelme whose form its files have."""
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML cannot hold."""
_RUN_BITS = (3, 4, 8, 16)
"""Label Studio's brush: a run is told in one of four lengths of numbers."""


def yolo_lines(masks: Masks) -> str:
    """A text of Ultralytics' segmentation labels: a line for each mask, its class 0 and its outline in shares of 1.

    A line is one polygon, so islands are joined by a line of no width, which readers draw a pixel wide.
    """
    height, width = masks.size_hw
    lines = []
    for index, area in enumerate(masks.areas):
        if area:
            points = joined(_middle_rings(masks, index)) / np.array([width, height], dtype=np.float32)
            lines.append(" ".join(["0", *(f"{value:.6f}" for value in points.ravel())]) + "\n")
    return "".join(lines)


def yolo_yaml() -> str:
    """The data set's description: photographs in `images`, labels of the same names in `labels`."""
    return f"path: .\ntrain: images\nval: images\nnames:\n  0: {CATEGORY}\n"


def labelme_record(file_name: str, masks: Masks) -> dict[str, Any]:
    """The JSON that labelme keeps beside a photograph: a polygon for each island; those of one mask share `group_id`.

    Args:
        file_name: of the photograph; its folders are left out.
    """
    shapes = [
        {
            "label": CATEGORY,
            "points": ring.tolist(),
            "group_id": index + 1,
            "description": "",
            "shape_type": "polygon",
            "flags": {},
            "mask": None,
        }
        for index in np.flatnonzero(masks.areas).tolist()
        for ring in _middle_rings(masks, index)
    ]
    height, width = masks.size_hw
    return {
        "version": _LABELME_FORM,
        "flags": {},
        "shapes": shapes,
        "imagePath": PurePosixPath(file_name).name,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }


def cvat_xml(photos: Photos) -> bytes:
    """An XML file of "CVAT for images 1.1" with a mask for each mask; smaller ones lie on larger ones."""
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    labels = ElementTree.SubElement(ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task"), "labels")
    label = ElementTree.SubElement(labels, "label")
    ElementTree.SubElement(label, "name").text = CATEGORY
    ElementTree.SubElement(label, "type").text = "mask"
    ElementTree.SubElement(label, "attributes")
    for image_id, (file_name, masks) in enumerate(photos):
        height, width = masks.size_hw
        image = ElementTree.SubElement(
            root,
            "image",
            id=str(image_id),
            name=_NO_XML.sub("_", file_name),
            width=str(width),
            height=str(height),
        )
        for place, index in enumerate(masks.painting_order()):
            x0, y0, x1, y1 = (int(edge) for edge in masks.boxes_xyxy[index])
            width, height = x1 - x0, y1 - y0
            if width > 0:
                lengths = _lengths(_rows(masks, index, width=width), width * height)
                box = {"left": x0, "top": y0, "width": width, "height": height, "z_order": place}
                mask = {
                    "label": CATEGORY,
                    "source": "auto",
                    "occluded": "0",
                    "rle": ", ".join(map(str, lengths)),
                }
                ElementTree.SubElement(image, "mask", mask | {name: str(value) for name, value in box.items()})
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def label_studio_tasks(photos: Photos, *, model: str = "mobilesamv2") -> list[dict[str, Any]]:
    """Tasks for Label Studio with a prediction each: brush masks with the label "object".

    The project's labelling configuration names them so: `<Image name="image" value="$image"/>` and
    `<BrushLabels name="tag" toName="image"><Label value="object"/></BrushLabels>`.

    Args:
        photos: the name of each photograph's file becomes `data.image`: where Label Studio finds it, an address or a
            path of its storage, is for the importer to put before it.
        model: told as `model_version`.
    """
    return [
        {
            "data": {"image": file_name},
            "predictions": [{"model_version": model, "result": [_brush(masks, index) for index in range(len(masks))]}],
        }
        for file_name, masks in photos
    ]


def _brush(masks: Masks, index: int) -> dict[str, Any]:
    height, width = masks.size_hw
    record = {
        "id": f"mask-{index + 1}",
        "type": "brushlabels",
        "from_name": "tag",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": brush_rle(masks, index), "brushlabels": [CATEGORY]},
    }
    score = masks.scores[index]
    return record | ({"score": float(score)} if np.isfinite(score) else {})


def brush_rle(masks: Masks, index: int) -> list[int]:
    """Mask `index` as Label Studio's brush keeps it: bytes of a stream of bits that codes RGBA pixels row by row.

    A header (the number of values in 32 bits, the bits of a value and of four lengths), then runs of one value: a 1,
    which of the four lengths, the length less one, the value. A mask is 255 in all four channels, the rest 0.
    """
    height, width = masks.size_hw
    rows = _rows(masks, index, width=width, of_picture=True)
    bits = [f"{4 * height * width:032b}", f"{8 - 1:05b}", *(f"{size - 1:04b}" for size in _RUN_BITS)]
    for place, length in enumerate(_lengths(rows, height * width)):
        value = f"{255 * (place % 2):08b}"
        left = 4 * length
        while left > 0:
            run = min(left, 1 << _RUN_BITS[-1])
            kind = next(kind for kind, size in enumerate(_RUN_BITS) if run <= 1 << size)
            bits.append(f"1{kind:02b}{run - 1:0{_RUN_BITS[kind]}b}{value}")
            left -= run
    stream = np.frombuffer("".join(bits).encode("ascii"), dtype=np.uint8) - ord("0")
    packed: list[int] = np.packbits(stream).tolist()
    return packed


def _rows(masks: Masks, index: int, *, width: int, of_picture: bool = False) -> Ints:
    """Runs of a mask counted along rows of `width` pixels: of the picture, or of the mask's box."""
    x0, y0 = (int(edge) for edge in masks.boxes_xyxy[index, :2])
    origin = (x0, y0) if of_picture else (0, 0)
    return window_runs(masks.window(index).T, origin_yx=origin, height=width)


def _lengths(runs: Ints, total: int) -> list[int]:
    """Lengths of what is outside and inside by turns, outside first, of runs as (start, end)."""
    turns = np.concatenate([[0], runs.ravel(), [total]])
    lengths: list[int] = np.diff(turns).tolist()
    return lengths if lengths[-1] or len(lengths) == 1 else lengths[:-1]


def _middle_rings(masks: Masks, index: int) -> list[Floats]:
    x0, y0 = (int(edge) for edge in masks.boxes_xyxy[index, :2])
    return middle_rings(masks.window(index), origin_xy=(x0, y0))
