"""Results for other programs: COCO JSON, label maps, masks and cut-outs, in folders and archives."""

from .folders import (
    MASKS_NAME,
    SUMMARY_NAME,
    write_comparison,
    write_file,
    write_json,
    write_result,
    write_summary,
)
from .formats import FORMATS, NUMBERED, File, add_file, chosen_formats, files_of, write_archive
from .names import numbered, safe_name
from .pictures import cutout_image, label_map_image, mask_image, png_bytes
from .records import coco_dataset, json_bytes, legend, legend_csv

__all__ = [
    "FORMATS",
    "MASKS_NAME",
    "NUMBERED",
    "SUMMARY_NAME",
    "File",
    "add_file",
    "chosen_formats",
    "coco_dataset",
    "cutout_image",
    "files_of",
    "json_bytes",
    "label_map_image",
    "legend",
    "legend_csv",
    "mask_image",
    "numbered",
    "png_bytes",
    "safe_name",
    "write_archive",
    "write_comparison",
    "write_file",
    "write_json",
    "write_result",
    "write_summary",
]
