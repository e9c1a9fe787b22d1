"""Sentences of downloads."""

from __future__ import annotations

from html import escape

from ...formatting import data_size

TITLE = "Take it with you"
FORMATS = (
    ("COCO JSON", "coco"),
    ("Label map", "label-map"),
    ("Masks", "masks"),
    ("Cut-outs", "cutouts"),
    ("Overlay", "overlay"),
    ("Uncovered", "uncovered"),
    ("COCO polygons", "coco-polygons"),
    ("COCO panoptic", "panoptic"),
    ("YOLO", "yolo"),
    ("labelme", "labelme"),
    ("Label Studio", "label-studio"),
    ("CVAT", "cvat"),
)
FIRST_FORMATS = ("coco", "label-map", "masks", "cutouts", "overlay")
"""What is chosen at first."""
FORMATS_LABEL = "Files"
FORMATS_INFO = (
    "COCO JSON: run lengths that pycocotools reads. Label map: the number of its mask for each pixel, with a legend. "
    "Masks: black and white, one file each. Cut-outs: cropped to the mask, transparent elsewhere. Uncovered: what no "
    "mask covers. Panoptic: each pixel has exactly one segment. Polygons, YOLO and labelme fill holes. Pictures are "
    "PNGs; all but cut-outs have the photo's size."
)
DOWNLOAD = "Download"
NOTHING_SEGMENTED = "There are no masks to take away yet: segment the photo first."
NOTHING_POINTED_AT = "There are no masks to take away yet: point at an object first."
WRONG_FORMATS = 'Formats are names, as a list or in one text: "masks,cutouts" or "all".'


def link(name: str, bytes_: int) -> str:
    """What the link to a finished file says."""
    return f"{escape(name)}, {data_size(bytes_)}"
