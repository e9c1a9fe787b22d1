"""The rows of the Parquet files: what is in them, and pictures and results turned into them."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..export import annotation_records
from ..results import SegmentationResult
from .listing import text_of

Row = dict[str, Any]
"""One picture: `source`, `error`, `record`, `annotations`, `prompt_list`, `label_map`; docs/batch.md describes them."""


def row_of_result(name: str, result: SegmentationResult, *, label_map: str | None = None) -> Row:
    """The row of a picture that was segmented.

    Args:
        name: of the picture.
        result: its masks and its record.
        label_map: where its label map lies in the folder of results.
    """
    return {
        "source": text_of(name),
        "error": None,
        "record": json.dumps(result.to_record(), allow_nan=False),
        "annotations": annotation_records(result.masks),
        "prompt_list": result.prompts.to_list(),
        "label_map": label_map,
    }


def row_of_error(name: str, sentence: str) -> Row:
    """The row of a picture that could not be segmented: all but its name and the reason is null."""
    return {"source": text_of(name), "error": text_of(sentence)}


@functools.cache
def schema() -> Any:
    """The pyarrow schema of the files. Lists of numbers that a mask or a prompt has not are null."""
    import pyarrow as pa

    floats, text = pa.list_(pa.float32()), pa.string()
    mask = pa.struct(
        {
            "segmentation": pa.struct({"size": pa.list_(pa.int32()), "counts": text}),
            "bbox": floats,
            "area": pa.int64(),
            "score": pa.float32(),
            "predicted_iou": pa.float32(),
            "stability_score": pa.float32(),
            "detector_score": pa.float32(),
            "prompt_index": pa.int32(),
            "parent": pa.int32(),
        }
    )
    prompt = pa.struct({"box": floats, "points": pa.list_(floats), "score": pa.float32()})
    return pa.schema(
        {
            "source": text,
            "error": text,
            "record": text,
            "annotations": pa.list_(mask),
            "prompt_list": pa.list_(prompt),
            "label_map": text,
        }
    )


def parquet_of(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A Parquet file of rows, packed with zstd."""
    import pyarrow as pa
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(list(rows), schema=schema()), file, compression="zstd")
    return file.getvalue()


def rows_of(file: bytes | Any, columns: Sequence[str] | None = None) -> list[Row]:
    """The rows of a Parquet file, of which `columns` are read.

    Raises:
        OSError, pyarrow.ArrowInvalid: if it is none, or damaged.
    """
    from pyarrow import parquet

    source = io.BytesIO(file) if isinstance(file, bytes) else file
    found: list[Row] = parquet.ParquetFile(source).read(columns=columns and list(columns)).to_pylist()
    return found
