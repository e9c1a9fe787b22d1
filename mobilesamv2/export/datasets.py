"""Masks of one photograph or of many as a data set that other programs read: a stream of small files."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from ..types import Masks
from .label_tools import cvat_xml, label_studio_tasks, labelme_record, yolo_lines, yolo_yaml
from .names import numbered
from .panoptic import panoptic_dataset, panoptic_image, panoptic_map
from .pictures import png_bytes
from .records import coco_dataset, json_bytes

File = tuple[str, bytes]
"""A path with "/" between its parts, relative to the folder or archive it goes to, and the bytes."""

DATASETS: dict[str, str] = {
    "coco": "coco.json, a COCO data set with run lengths, as pycocotools reads it",
    "coco-polygons": "coco_polygons.json, the same with polygons, which have no holes",
    "panoptic": "panoptic.json and panoptic/, COCO's panoptic form: each pixel has exactly one segment",
    "yolo": "yolo/, labels for Ultralytics' segmentation (polygons without holes) and data.yaml",
    "labelme": "labelme/, a JSON for each photograph (polygons without holes), to lie beside it",
    "label-studio": "label_studio.json, tasks with brush masks as predictions",
    "cvat": "cvat.xml, CVAT for images 1.1, with masks",
}
"""Formats of a data set, and what each brings."""
DATASET_NAMES = (
    *("coco.json", "coco_polygons.json", "panoptic", "panoptic.json", "yolo", "labelme"),
    *("label_studio.json", "cvat.xml"),
)
"""What these files and folders are called: no photograph's folder beside them may be called the same."""


def dataset_files(
    photos: Iterable[tuple[str, Masks]],
    *,
    formats: Collection[str],
    info: Mapping[str, Any] | None = None,
) -> Iterator[File]:
    """The files of a data set, one after the other. Ids count through all photographs.

    Files that stand for one photograph have its name, and its folders, so that other programs find both together; where
    two photographs differ in their suffix alone, the second's file gets "-2".

    Args:
        photos: the name of each photograph's file and its masks; gone through once for each format, so no generator.
        formats: names of `DATASETS`; others are passed over.
        info: how the masks were made, told in COCO's files and, as `model`, in Label Studio's.
    """
    info = info or {}
    if "coco" in formats:
        yield "coco.json", json_bytes(coco_dataset(photos, info=info))
    if "coco-polygons" in formats:
        yield "coco_polygons.json", json_bytes(coco_dataset(photos, info=info, polygons=True), indent=None)
    if not _WITH_NAMES.isdisjoint(formats):
        names = list(numbered(_path_of(file_name) for file_name, _ in photos))
    if "panoptic" in formats:
        for name, (_, masks) in zip(names, photos, strict=True):
            yield f"panoptic/{name}.png", png_bytes(panoptic_image(panoptic_map(masks)))
        named = ((file_name, f"{name}.png", masks) for name, (file_name, masks) in zip(names, photos, strict=True))
        yield "panoptic.json", json_bytes(panoptic_dataset(named))
    if "yolo" in formats:
        yield "yolo/data.yaml", yolo_yaml().encode()
        for name, (_, masks) in zip(names, photos, strict=True):
            yield f"yolo/labels/{name}.txt", yolo_lines(masks).encode()
    if "labelme" in formats:
        for name, (file_name, masks) in zip(names, photos, strict=True):
            yield f"labelme/{name}.json", json_bytes(labelme_record(file_name, masks), indent=None)
    if "label-studio" in formats:
        model = str(info.get("model", "mobilesamv2"))
        yield "label_studio.json", json_bytes(label_studio_tasks(photos, model=model), indent=None)
    if "cvat" in formats:
        yield "cvat.xml", cvat_xml(photos)


_NO_PATH = re.compile(r"[\\\x00-\x1f\x7f\ud800-\udfff]")
"""What archives cannot name or other systems take for a folder."""
_WITH_NAMES = frozenset(("panoptic", "yolo", "labelme"))
"""Formats with a file for each photograph."""


def _path_of(file_name: str) -> str:
    """The path of a photograph's own files but for the suffix: as the photograph's, and never out of the folder."""
    named = _NO_PATH.sub("_", file_name)
    parts = [part for part in named.split("/") if part not in ("", ".", "..")]
    path = "/".join(parts)
    folder, slash, last = path.rpartition("/")
    return f"{folder}{slash}{last.rpartition('.')[0] or last}" or "photo"
