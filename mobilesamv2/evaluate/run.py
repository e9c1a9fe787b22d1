"""Segments everything in annotated photographs in several ways and measures each; can be stopped and continued."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pycocotools import mask as coco_mask

from ..images import load_image
from ..request import Request
from ..results import STAGES, SegmentationResult
from ..segmenter import Segmenter
from .datasets import Dataset, DatasetError, LabelledObject, Photograph
from .recall import Found, find, total

MakeSegmenter = Callable[[], Segmenter]
"""Loads the model; it is pickled where pictures are spread over processes."""
Record = dict[str, Any]
"""What one picture gave, ready for JSON: `{"file": name, "settings": [one measurement for each request]}`."""


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Args:
        make_segmenter: loads the model.
        model: what identifies it and its detector, such as "nano + nano-objects": a run is only continued with it.
        requests: the ways to segment everything; all of them share one encoding of each picture.
    """

    make_segmenter: MakeSegmenter
    model: str
    requests: tuple[Request, ...]


def evaluate(
    plan: Plan,
    dataset: Dataset,
    *,
    progress_file: Path | None = None,
    workers: int = 1,
    on_picture: Callable[[int], object] = lambda done: None,
) -> Record:
    """Measure every way of `plan` on a data set.

    Args:
        plan: the model and the ways.
        dataset: the photographs.
        progress_file: gets a line for each picture that is done; pictures in it are not measured again.
        workers: processes, each with a model of its own and its share of the cores.
        on_picture: called after each picture with the number of pictures done.

    Returns:
        `summary` of all pictures, the same however often the run was stopped and however many workers it had.

    Raises:
        DatasetError: if an annotation is unusable, or the progress file is of another run.
        InvalidImageError: if a picture cannot be read.
    """
    heading = {
        "model": plan.model,
        "requests": [str(request) for request in plan.requests],
        "pictures": len(dataset.photographs),
    }
    done = _read_progress(progress_file, heading)
    left = [photograph for photograph in dataset.photographs if str(photograph.path) not in done]
    out = None if progress_file is None else progress_file.open("a", encoding="utf-8")
    try:
        if out is not None and not done and progress_file is not None and not progress_file.stat().st_size:
            print(json.dumps(heading), file=out, flush=True)
        for record in _measured(plan, left, workers):
            done[record["file"]] = record
            if out is not None:
                print(json.dumps(record), file=out, flush=True)
            on_picture(len(done))
    finally:
        if out is not None:
            out.close()
    in_order = [done[str(photograph.path)] for photograph in dataset.photographs]
    return summary(plan, in_order) | {"labels": "federated" if dataset.is_federated else "as annotated"}


def _read_progress(file: Path | None, heading: Record) -> dict[str, Record]:
    """The pictures that an earlier run finished; a last line that was cut off is measured again."""
    if file is None or not file.exists():
        return {}
    lines = file.read_text(encoding="utf-8").splitlines()
    records = []
    for number, line in enumerate(lines):
        try:
            records.append(json.loads(line))
        except ValueError:
            if number + 1 < len(lines):
                raise DatasetError(f"{file} is damaged in line {number + 1}; delete it to begin anew.") from None
    if records and records[0] != heading:
        raise DatasetError(
            f"{file} holds the progress of another run ({records[0]}); delete it, or name another output."
        )
    # Written anew without a line that was cut off, which the next one would be appended to.
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return {record["file"]: record for record in records[1:]}


def _measured(plan: Plan, photographs: Sequence[Photograph], workers: int) -> Iterator[Record]:
    if workers <= 1 or len(photographs) < 2:
        segmenter = plan.make_segmenter() if photographs else None
        for photograph in photographs:
            assert segmenter is not None
            yield measure(segmenter, photograph, plan.requests)
        return
    threads = max(1, (os.cpu_count() or 1) // workers)
    # Not fork: PyTorch's threads do not survive it.
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_start_worker, initargs=(plan, threads)
    ) as pool:
        waiting = iter(photographs)
        running: set[Future[Record]] = {pool.submit(_work, one) for one in islice(waiting, 2 * workers)}
        while running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(_work, one) for one in islice(waiting, len(finished))}
            for future in finished:
                yield future.result()


_WORKER: dict[str, Any] = {}
"""Of a worker process: its model and the ways to measure."""


def _start_worker(plan: Plan, threads: int) -> None:
    torch.set_num_threads(threads)
    _WORKER.update(segmenter=plan.make_segmenter(), requests=plan.requests)


def _work(photograph: Photograph) -> Record:
    return measure(_WORKER["segmenter"], photograph, _WORKER["requests"])


def measure(segmenter: Segmenter, photograph: Photograph, requests: Sequence[Request]) -> Record:
    """Segment everything in one photograph in each way, from one encoding of it, and match it with its objects."""
    picture = load_image(photograph.path)
    if picture.shape[:2] != tuple(photograph.size_hw):
        raise DatasetError(
            f"{photograph.path} has {picture.shape[1]} x {picture.shape[0]} pixels; its annotations are for "
            f"{photograph.size_hw[1]} x {photograph.size_hw[0]}."
        )
    truth = photograph.objects()
    embedding = segmenter.encode(picture)
    results = (segmenter.segment_everything(picture, request=each, embedding=embedding) for each in requests)
    return {"file": str(photograph.path), "settings": [measurement(result, truth) for result in results]}


def measurement(result: SegmentationResult, truth: Sequence[LabelledObject]) -> Record:
    """What one run found of the objects of a photograph, ready for JSON: counts that add up over photographs."""
    masks = result.masks
    kinds = {"mask": find("segm", truth, masks.rles, masks.scores)}
    kinds["box"] = find("bbox", truth, masks.boxes_xyxy, masks.scores)
    boxed = result.prompts[result.prompts.has_box]
    if boxed.boxes_xyxy is not None and boxed.scores is not None:
        kinds["prompt_box"] = find("bbox", truth, boxed.boxes_xyxy, boxed.scores)
    objects = [each.rle for each in truth if not each.is_crowd]
    best = np.zeros(len(objects))
    if objects and len(masks):
        best = np.asarray(coco_mask.iou(list(masks.rles), objects, [False] * len(objects))).max(axis=0)
    record = result.to_record()
    return {
        "prompts": record["prompts"],
        "masks": record["masks"],
        "coverage": record["coverage"],
        "seconds": record["seconds"],
        "objects": len(objects),
        "best_iou": float(best.sum()),
    } | {kind: {name: each.to_json() for name, each in found.items()} for kind, found in kinds.items()}


def summary(plan: Plan, records: Sequence[Record]) -> Record:
    """Figures over all pictures: a row for each way, and `mask_ar` and `box_ar` of the first also by themselves."""
    rows = [
        {"sampler": str(request), **_row([record["settings"][index] for record in records])}
        for index, request in enumerate(plan.requests)
    ]
    first = {key: rows[0][key] for key in ("mask_ar", "box_ar")} if rows else {}
    return {"model": plan.model, "pictures": len(records), **first, "rows": rows}


def _row(measured: Sequence[Record]) -> Record:
    count = max(1, len(measured))
    objects = sum(each["objects"] for each in measured)
    row: Record = {}
    for kind in ("mask", "box", "prompt_box"):
        pictures = [
            {name: Found.from_json(value) for name, value in each[kind].items()} for each in measured if kind in each
        ]
        if not pictures:
            continue
        found = total(pictures)
        row[f"{kind}_ar"] = found["all"].average_recall()
        row[f"{kind}_ar_by_group"] = {name: each.average_recall() for name, each in found.items() if name != "all"}
    return row | {
        "objects": objects,
        "mean_best_iou": sum(each["best_iou"] for each in measured) / objects if objects else None,
        "coverage": sum(each["coverage"] for each in measured) / count,
        "masks": sum(each["masks"] for each in measured) / count,
        "prompts": sum(each["prompts"] for each in measured) / count,
        "seconds": {stage: sum(each["seconds"].get(stage, 0.0) for each in measured) / count for stage in STAGES},
    }
