"""Results for other programs: data sets, label maps, masks and cut-outs, in folders and archives."""

from .datasets import DATASET_NAMES, DATASETS, File, dataset_files
from .detections import from_supervision, to_supervision
from .folders import (
    MASKS_NAME,
    SUMMARY_NAME,
    read_result,
    write_comparison,
    write_datasets,
    write_file,
    write_json,
    write_result,
    write_summary,
)
from .formats import FORMATS, NUMBERED, add_file, chosen_formats, files_of, write_archive
from .label_tools import brush_rle, cvat_xml, label_studio_tasks, labelme_record, yolo_lines
from .names import numbered, safe_name
from .panoptic import panoptic_dataset, panoptic_image, panoptic_map
from .pictures import cutout_image, label_map_png, mask_image, png_bytes, uncovered_image
from .records import annotation_records, coco_dataset, json_bytes, legend, legend_csv, masks_from_coco

__all__ = [
    "DATASETS",
    "DATASET_NAMES",
    "FORMATS",
    "MASKS_NAME",
    "NUMBERED",
    "SUMMARY_NAME",
    "File",
    "add_file",
    "annotation_records",
    "brush_rle",
    "chosen_formats",
    "coco_dataset",
    "cutout_image",
    "cvat_xml",
    "dataset_files",
    "files_of",
    "from_supervision",
    "json_bytes",
    "label_map_png",
    "label_studio_tasks",
    "labelme_record",
    "legend",
    "legend_csv",
    "mask_image",
    "masks_from_coco",
    "numbered",
    "panoptic_dataset",
    "panoptic_image",
    "panoptic_map",
    "png_bytes",
    "read_result",
    "safe_name",
    "to_supervision",
    "uncovered_image",
    "write_archive",
    "write_comparison",
    "write_datasets",
    "write_file",
    "write_json",
    "write_result",
    "write_summary",
    "yolo_lines",
]
