"""Turns a training run into the embedded checkpoint and its model card."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mobilesamv2 import zoo
from mobilesamv2.models.detector.detector import (
    NMS_IOU,
    DetectorConfig,
    ObjectDetector,
    build_detector_module,
    fuse_batch_norm,
)

from .coco_data import LabelledPicture, read_labels, read_picture
from .detector_recall import BUDGETS, Recall, measure_recall

CALIBRATION_PICTURES = 100
CONFIDENCE = 0.4
"""The confidence above which the object-aware sampler takes boxes."""
STUDY = Path(__file__).parent / "results" / "detector_study.md"
"""What the model card says about the training data at its end; a test holds its table to what `--show` prints."""
OWN_NMS_IOU = zoo.find_detector("nano-objects").nms_iou
LEAST = 0.02
"""Boxes below this confidence are not looked at: there are thousands, and none of them matters."""


def export(*, data: Path, checkpoint: Path, weights: Path, boxes_per_picture: int, command: str) -> None:
    """Write the averaged weights of a run's checkpoint as safetensors, and the model card beside them.

    Confidences are calibrated: one number is added to the last bias of the classification branches, so that on
    training photographs the median number of boxes above confidence .4 is `boxes_per_picture`. Order and places of
    boxes do not change. Convolution kernels are stored as float16, everything else in float32.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    network = build_detector_module(DetectorConfig())
    network.load_state_dict(state["average"])
    typical = [p for p in read_labels(data, split="train") if p.source.startswith("coco-")]
    chosen = np.random.default_rng(0).permutation(len(typical))[:CALIBRATION_PICTURES]
    shift = confidence_shift(
        as_detector(network), [typical[index] for index in chosen], boxes_per_picture=boxes_per_picture
    )
    shift_confidence(network, shift)
    tensors = {
        name: value.half() if value.ndim > 1 else value for name, value in network.state_dict().items()
    }
    unfit = [name for name, value in tensors.items() if not torch.isfinite(value).all()]
    if unfit:
        raise ValueError(f"These weights are not finite in float16: {', '.join(unfit)}.")
    facts = {
        "format": "pt",
        "format_version": "1",
        "model": "nano-objects",
        "architecture": DetectorConfig().architecture,
        "licence": "AGPL-3.0-or-later",
        "steps": str(state["step"]),
        "begun_with": state.get("begun_with", ""),
        "minutes": f"{state['seconds'] / 60:.0f}",
        "confidence_shift": f"{shift:.3f}",
        "command": (checkpoint.parent / "command.txt").read_text(encoding="utf-8").strip(),
        "data": "COCO panoptic and instances, COCO boxes, building facades, TreePheno; procedural scenes",
    }
    save_file({name: value.contiguous() for name, value in tensors.items()}, weights, metadata=facts)
    recall = evaluate(data=data, weights=weights)
    card = weights.with_suffix(".md")
    remarks = checkpoint.parent / "remarks.txt"  # what a person noted about the run, if anything
    text = model_card(
        facts,
        recall,
        at_published=evaluate(data=data, weights=weights, iou=NMS_IOU),
        command=command,
        megabytes=weights.stat().st_size / 1e6,
        remarks=remarks.read_text(encoding="utf-8").strip() if remarks.exists() else "",
        study=STUDY.read_text(encoding="utf-8"),
    )
    card.write_text(text, encoding="utf-8")
    weights.chmod(0o644)
    print(f"{weights}: {weights.stat().st_size / 1e6:.1f} MB; {card}")


def evaluate(*, data: Path, weights: Path, iou: float | None = None) -> Recall:
    """Measure exported weights on the val pictures, which no training saw; `iou` as for `measure_recall`."""
    network = build_detector_module(DetectorConfig())
    network.load_state_dict(load_file(weights))
    return measure_recall(
        as_detector(network), read_labels(data, split="val"), iou=iou, confidence=CONFIDENCE, least=LEAST
    )


def as_detector(network: nn.Module, *, input_side: int = DetectorConfig().input_side) -> ObjectDetector:
    """A detector for inference with a copy of a network's weights, which scales pictures to `input_side`."""
    copy = build_detector_module(DetectorConfig())
    copy.load_state_dict(network.state_dict())
    return ObjectDetector(fuse_batch_norm(copy.eval()), input_side=input_side, nms_iou=OWN_NMS_IOU)


def confidence_shift(
    detector: ObjectDetector, pictures: Sequence[LabelledPicture], *, boxes_per_picture: int
) -> float:
    """What to add to the logits so that the median picture has so many boxes above `CONFIDENCE`."""
    worst = []
    for picture in pictures:
        found = detector.detect(read_picture(picture), confidence=LEAST, max_boxes=boxes_per_picture)
        worst.append(float(found.scores[-1]) if len(found) == boxes_per_picture else LEAST)
    return _logit(CONFIDENCE) - _logit(float(np.median(worst)))


def shift_confidence(network: nn.Module, shift: float) -> None:
    """Add a number to the logits of all confidences, in place."""
    with torch.no_grad():
        for branch in cast(Any, network).model[-1].cv3:
            bias: Tensor = branch[-1].bias
            bias += shift


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def recall_table(recall: Recall) -> str:
    """The numbers as a Markdown table and two sentences."""
    rows = "\n".join(
        f"| {budget} | {recall.average_recall[budget]:.3f} | {recall.recall_at_half[budget]:.3f} |"
        for budget in BUDGETS
    )
    sizes = ", ".join(f"{name} {value:.3f}" for name, value in recall.by_size.items())
    return f"""| best boxes | average recall (IoU .50 to .95) | recall (IoU .50) |
|---|---|---|
{rows}

Average recall of the best {max(BUDGETS)} boxes by size (below 0.4 %, below 3 %, above 3 % of the picture):
{sizes}.
Above confidence {CONFIDENCE} there are {recall.boxes_per_picture:.0f} boxes in the median picture; they meet
{recall.confident_recall:.1%} of the labelled ones (IoU .50).
"""


def model_card(
    facts: dict[str, str],
    recall: Recall,
    *,
    at_published: Recall,
    command: str,
    megabytes: float,
    remarks: str = "",
    study: str = "",
) -> str:
    """The text of the model card.

    Args:
        facts: the metadata of the weights.
        recall: what they find with the suppression that suits them.
        at_published: the same with that of MobileSAMv2's code.
        command: what exported them.
        remarks: sentences about the run that only a person knows.
        study: a section for the end.
    """
    average = [measured.average_recall[100] for measured in (at_published, recall)]
    half = [measured.recall_at_half[100] for measured in (at_published, recall)]
    choice = "These are its last weights: nothing was chosen by the val pictures."
    if "last.pt" not in command:
        choice = (
            "The checkpoint was chosen by its average recall of 100 boxes on half of the\n"
            "val pictures, so the numbers below are slightly optimistic."
        )
    begun_with = facts.get("begun_with")
    start = f"the weights that `{begun_with}` held then" if begun_with else "random weights"
    ending = f"\n{study}" if study else ""
    return f"""# nano-objects

The embedded object detector: it proposes boxes of anything that looks like an object, a part or a region, without
naming it. The object-aware sampler asks the segmentation model one question for each.

![The 40 boxes it is surest of on three photographs](pictures/nano-objects.jpg)

(`python -m training.card_pictures`; the photographs are those of [examples](../examples/CREDITS.md).)

- **Network**: YOLOv8n of the Ultralytics package with one class, 3.0 M parameters, {megabytes:.1f} MB (kernels in
  float16). Pictures are scaled to {DetectorConfig().input_side} pixels, RGB in 0..1.
- **File**: `nano-objects.safetensors`; keys are those of Ultralytics' `DetectionModel` (`model.0.conv.weight` to
  `model.22.dfl.conv.weight`), batch norms not folded. Its metadata says how it was made.
- **Licence**: AGPL-3.0-or-later, as the network's code is.

## Data

| source | pictures | what is labelled | licence of the pictures |
|---|---|---|---|
| COCO panoptic, train part | 100 | every region | per picture, Creative Commons |
| COCO instances | 344 | objects of 80 classes | per picture, Creative Commons |
| COCO, boxes only | 2,478 | objects of 80 classes | per picture, mixed Creative Commons, mostly not recorded |
| building facades (Roboflow export) | 598 | windows, doors, cars, plants | CC BY 4.0 |
| TreePheno (Roboflow export) | 51 | trunks and limbs | CC BY 4.0 |
| procedural scenes, `training/scenes.py` | without end | every shape, part and ground | ours |

COCO's annotations are CC BY 4.0. The pictures are not part of this repository. Where labels are not exhaustive,
places without a label hardly count as "no object" in the loss (weights in `training/detector_batches.py`), since
they may well be one.

## Training

    {facts["command"]}

From {start}, {facts["steps"]} steps of 8 pictures of 320 to 512 pixels, in {facts["minutes"]} minutes of
wall clock on one core of a 2-core CPU that was busy with other work; bfloat16, AdamW, cosine schedule, averaged
weights, fixed seed. {choice}
{remarks}

Exported by

    {command}

which adds {facts["confidence_shift"]} to all confidence logits, chosen on training photographs, so that the
samplers' threshold of .4 gives a useful number of boxes. **So a confidence is a rank, not a probability.**

## Measured

On the 98 val pictures (COCO panoptic, where every region, things and stuff, is a box), which training never saw;
non-maximum suppression at IoU {OWN_NMS_IOU}. `python -m training.detector evaluate --data DATA` prints the same:

{recall_table(recall)}
With the suppression of MobileSAMv2's code, at IoU {NMS_IOU} (`--iou {NMS_IOU}`), the best 100 boxes are more often
nearly the same: average recall {average[0]:.3f} instead of {average[1]:.3f}, recall at IoU .50
{half[0]:.3f} instead of {half[1]:.3f}.

## Known failures and limits

- Small objects are mostly missed, see the numbers by size; so are thin ones, and members of a crowd.
- Trained for minutes on few pictures: boxes are loose, and several for one object are common.
- Stuff, such as sky and grass, is found less surely than things; what COCO does not name is found less often.
- Photographs only: drawings, documents, aerial and medical pictures were not seen.
- COCO shows everyday scenes, mostly of North America and Europe; elsewhere expect less.
- It tells nothing about what an object is; do not use it to find or follow people.
{ending}"""
