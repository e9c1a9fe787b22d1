"""What MobileSAMv2's paper leaves open, measured: python -m benchmarks.experiments NAME --data DIR -o FILE

`detectors`  object discovery by every detector on this machine, at several input sides, with its seconds.
`samplers`   average recall against seconds for each sampler and budget.
`objects`    recall by number of prompts, by crowdedness, size and overlap of objects; what became of each; outlines.

DIR is as `mobilesamv2 evaluate --data` reads it; `benchmarks.scenes` draws one. Nothing is fetched.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from mobilesamv2 import loading, weights, zoo
from mobilesamv2.build import build_detector
from mobilesamv2.evaluate.datasets import Dataset, LabelledObject, read_dataset
from mobilesamv2.evaluate.objects import (
    FATES,
    FOUND_IOU,
    ObjectFacts,
    ObjectResults,
    mask_iou,
    mean_recall,
    object_facts,
    object_results,
)
from mobilesamv2.evaluate.recall import SIZES
from mobilesamv2.evaluate.run import Plan, measurement, summary
from mobilesamv2.evaluate.run import evaluate as evaluate_plan
from mobilesamv2.filters import MaskFilters
from mobilesamv2.images import load_image
from mobilesamv2.models.detector.detector import ObjectDetector
from mobilesamv2.progress import run_to_end
from mobilesamv2.promptable import Embedding
from mobilesamv2.raw_masks import RawMasks
from mobilesamv2.request import Request
from mobilesamv2.segmenter import Segmenter
from mobilesamv2.types import Bools, Floats, Picture

from .harness import machine, table

Rows = list[dict[str, Any]]
SIDES = (256, 384, 512, 640, 768)
"""Input sides in pixels at which detectors take one look."""
SAMPLERS = (
    *(f"object-aware:{most}" for most in (16, 64, 320)),
    *(f"box-centres:{most}" for most in (16, 64, 320)),
    *(f"coverage:{most}" for most in (64, 320)),
    *(f"hierarchical:{side}" for side in (16, 32)),
    *(f"grid:{side}" for side in (8, 16, 32)),
)
"""As `Request.parse` reads them, with rising budgets."""
BUDGETS = (8, 16, 32, 64, 128, 192, 256, 320)
LOW_CONFIDENCE = 0.05
"""Of the detector, so that it seldom runs out of boxes before the budget does; 0.4 is the default."""
GRID = Request("grid", points_per_side=16)
ENOUGH = 0.01
"""The best number of prompts is the smallest whose recall is at most this below the highest."""


@dataclass(frozen=True)
class Study:
    """A model on a data set."""

    segmenter: Segmenter
    dataset: Dataset

    def photographs(self) -> Iterator[tuple[Picture, list[LabelledObject], Embedding]]:
        """Each picture with its objects, encoded once."""
        for photograph in tqdm(self.dataset.photographs, unit="photo", disable=None):
            picture = load_image(photograph.path)
            yield picture, photograph.objects(), self.segmenter.encode(picture)


def detectors(study: Study) -> dict[str, Rows]:
    """Boxes of each detector at each input side, and the masks that the model makes of them."""
    looks = {
        (name, sides): detector
        for name in zoo.DETECTORS
        if not weights.missing(zoo.DETECTORS[name].files.values())
        for sides, detector in _at_each_side(build_detector(name))
    }
    measured: list[list[dict[str, Any]]] = []
    for picture, objects, embedding in study.photographs():
        if not measured:  # the first run of a network is slower than all others
            for detector in looks.values():
                detector.detect(picture)
        measured.append([])
        for detector in looks.values():
            segmenter = study.segmenter.with_detector(detector)
            result = segmenter.segment_everything(picture, embedding=embedding)
            measured[-1].append(measurement(result, objects))
    plan = Plan(lambda: study.segmenter, study.segmenter.name, (Request(),) * len(looks))
    found = summary(plan, [{"settings": settings} for settings in measured])["rows"]
    rows: Rows = [
        {
            "detector": name,
            "input sides": sides,
            "boxes": round(row["prompts"], 1),
            "box AR@100": _percent(row["prompt_box_ar"]["100"]),
            "box AR@1000": _percent(row["prompt_box_ar"]["1000"]),
            **{size: _percent(row["prompt_box_ar_by_group"][size]["1000"]) for size in ("small", "medium", "large")},
            "mask AR@1000": _percent(row["mask_ar"]["1000"]),
            "discovery, ms": round(1000 * row["seconds"]["discover"]),
        }
        for (name, sides), row in zip(looks, found, strict=True)
    ]
    absent: Rows = [
        {"detector": name, "missing file": f"{file.repo}/{file.filename}"}
        for name, entry in zoo.DETECTORS.items()
        for file in weights.missing(entry.files.values())
    ]
    return {"detectors": rows, "missing": absent}


def _at_each_side(detector: ObjectDetector) -> Iterator[tuple[str, ObjectDetector]]:
    """A detector as it comes, and with one look at each of `SIDES`, all on one network."""
    own = [side for side in (detector.input_side, detector.second_side) if side]
    yield " and ".join(map(str, own)), detector
    for side in SIDES:
        if own != [side]:
            yield str(side), ObjectDetector(detector.network, input_side=side, nms_iou=detector.nms_iou)


def samplers(study: Study) -> dict[str, Rows]:
    """Average recall and seconds of each sampler at each budget, from one encoding of each picture.

    `largest` has the largest budget of each sampler alone.
    """
    plan = Plan(lambda: study.segmenter, study.segmenter.name, tuple(map(Request.parse, SAMPLERS)))
    with tqdm(total=len(study.dataset.photographs), unit="photo", disable=None) as bar:
        found = evaluate_plan(plan, study.dataset, on_picture=lambda done: bar.update(done - bar.n))
    rows: Rows = [
        {
            "sampler": row["sampler"],
            "prompts": round(row["prompts"], 1),
            "masks": round(row["masks"], 1),
            **{f"AR@{k}": _percent(row["mask_ar"][str(k)]) for k in (10, 100, 1000)},
            **{size: _percent(row["mask_ar_by_group"][size]["1000"]) for size in ("small", "medium", "large")},
            "best IoU": _percent(row["mean_best_iou"]),
            "seconds": round(sum(row["seconds"].values()), 2),
        }
        for row in found["rows"]
    ]
    largest = {row["sampler"].partition(":")[0]: row for row in rows}  # the last of each
    return {"samplers": rows, "largest": list(largest.values())}


def objects(study: Study) -> dict[str, Rows]:
    """For each object of each picture: how well it was found with how many prompts, and what became of it."""
    runs = {
        "object-aware": Request(),
        f"object-aware, confidence {LOW_CONFIDENCE}": Request(confidence=LOW_CONFIDENCE),
        "box-centres": Request("box-centres"),
        str(GRID): GRID,
    }
    facts: list[ObjectFacts] = []
    results: dict[str, list[ObjectResults]] = {name: [] for name in runs}
    by_budget: list[Floats] = []
    for picture, labelled, embedding in study.photographs():
        facts.append(object_facts(labelled))
        for name, request in runs.items():
            steps = study.segmenter.steps(picture, request, embedding=embedding, filters=MaskFilters())
            raw = RawMasks.of(run_to_end(steps))
            kept, _ = raw.filtered(request)
            results[name].append(object_results(labelled, prompts=raw.prompts, raw=raw.masks, kept=kept))
            if request.confidence == LOW_CONFIDENCE:
                ious = mask_iou([each.rle for each in labelled if not each.is_crowd], raw.masks.rles)
                allowed = [ious[:, raw.masks.prompt_index < most].max(axis=1, initial=0) for most in BUDGETS]
                by_budget.append(np.stack(allowed, axis=1))
    groups = _groups(facts)
    joined = {name: ObjectResults.concatenate(parts) for name, parts in results.items()}
    return {
        "prompts": _prompts(groups, np.concatenate(by_budget)),
        "recall": [
            {"objects": name, "number": int(chosen.sum())}
            | {run: _percent(mean_recall(found.iou[chosen])) for run, found in joined.items()}
            for name, chosen in groups.items()
        ],
        "fates": [_fates(run, name, found, groups[name]) for run, found in joined.items() for name in SIZES],
        "outlines": [_outlines(run, name, found, groups[name]) for run, found in joined.items() for name in SIZES],
    }


def _groups(facts: list[ObjectFacts]) -> dict[str, Bools]:
    """Which objects are small, overlapped, or one of many; only groups that have an object, and all sizes."""
    area, overlap = (
        np.concatenate([each.area for each in facts]),
        np.concatenate([each.overlap for each in facts]),
    )
    number = np.concatenate([each.objects for each in facts])
    groups: dict[str, Bools] = {
        name: (area >= low) & (area <= high) if name == "all" else (area >= low) & (area < high)
        for name, (low, high) in SIZES.items()
    }
    more = {
        "1 to 7 in the picture": number <= 7,
        "8 to 15 in the picture": (number > 7) & (number <= 15),
        "16 to 99 in the picture": (number > 15) & (number < 100),
        "100 and more in the picture": number >= 100,
        "apart: box IoU with another below 0.1": overlap < 0.1,
        "touching: box IoU 0.1 to 0.3": (overlap >= 0.1) & (overlap < 0.3),
        "overlapping: box IoU from 0.3 on": overlap >= 0.3,
    }
    return groups | {name: chosen for name, chosen in more.items() if chosen.any()}


def _prompts(groups: dict[str, Bools], ious: Floats) -> Rows:
    rows: Rows = []
    for name, chosen in groups.items():
        recalls = [mean_recall(ious[chosen, column]) for column in range(len(BUDGETS))]
        enough = [most for most, recall in zip(BUDGETS, recalls, strict=True) if recall >= max(recalls) - ENOUGH]
        rows.append(
            {"objects": name, "number": int(chosen.sum())}
            | {str(most): _percent(recall) for most, recall in zip(BUDGETS, recalls, strict=True)}
            | {"enough": enough[0] if enough else None}
        )
    return rows


def _fates(run: str, size: str, found: ObjectResults, chosen: Bools) -> dict[str, Any]:
    fates = np.array(found.fates())[chosen]
    shares = {fate: _percent(float((fates == fate).mean()) if len(fates) else None) for fate in FATES}
    return {"sampler": run, "size": size, "number": len(fates)} | shares


def _outlines(run: str, size: str, found: ObjectResults, chosen: Bools) -> dict[str, Any]:
    chosen = chosen & (found.iou >= FOUND_IOU)
    iou, outline = (float(each[chosen].mean()) if chosen.any() else None for each in (found.iou, found.boundary_iou))
    return {
        "sampler": run,
        "size": size,
        "found": int(chosen.sum()),
        "IoU": _percent(iou),
        "boundary IoU": _percent(outline),
    }


def _percent(share: float | None) -> float | None:
    return None if share is None or np.isnan(share) else round(100 * share, 1)


EXPERIMENTS: dict[str, Callable[[Study], dict[str, Rows]]] = {
    "detectors": detectors,
    "samplers": samplers,
    "objects": objects,
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure what the paper leaves open.")
    parser.add_argument("name", choices=EXPERIMENTS, help="the experiment")
    parser.add_argument("--data", required=True, type=Path, metavar="DIR", help="annotated photographs")
    parser.add_argument("--split", metavar="NAME", help="only pictures that the file marks so")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N pictures")
    parser.add_argument("--model", default=zoo.DEFAULT_MODEL, help="(%(default)s)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the results here as JSON")
    return parser


def main() -> None:
    options = parser().parse_args()
    dataset = read_dataset(options.data, split=options.split)
    dataset = Dataset(dataset.photographs[: options.limit], dataset.is_federated)
    study = Study(loading.load(options.model), dataset)
    tables = EXPERIMENTS[options.name](study)
    if options.output is not None:
        written = {
            "experiment": options.name,
            "model": options.model,
            "device": study.segmenter.device_description,
            "pictures": len(dataset.photographs),
            "objects": sum(len(photograph.rles) for photograph in dataset.photographs),
            "machine": machine(),
            "tables": tables,
        }
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    for name, rows in tables.items():
        print(f"\n{name}\n\n{table(rows)}" if rows else f"\n{name}: none")


if __name__ == "__main__":
    main()
