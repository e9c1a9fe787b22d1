"""Tables of MobileSAMv2's paper (arXiv 2312.09579 v1) to measure again: settings, and the paper's values. Only data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..request import Request


@dataclass(frozen=True)
class Metric:
    """One column of a table.

    Args:
        name: its head.
        keys: where the value is in a row of `run.summary`: the path of each part, and the parts are added.
        times: what their sum is multiplied by, to be in the paper's unit.
    """

    name: str
    keys: tuple[tuple[str, ...], ...]
    times: float


@dataclass(frozen=True)
class Setting:
    """One row of a table.

    Args:
        name: what the paper calls it.
        request: what is asked.
        paper: the paper's values, by the names of metrics; what it does not say is left out.
        model: the zoo's name of the model, where the row is about one; None: the model that is measured.
    """

    name: str
    request: Request
    paper: Mapping[str, float]
    model: str | None = None


@dataclass(frozen=True)
class Preset:
    """One table of the paper.

    Args:
        title: what it shows.
        metrics: its columns.
        settings: its rows.
        paper: how the paper measured: `data`, `model` and `device`.
        remarks: what is measured in another way here, whatever the data and the model.
    """

    title: str
    metrics: tuple[Metric, ...]
    settings: tuple[Setting, ...]
    paper: Mapping[str, str]
    remarks: tuple[str, ...] = ()


LVIS = "100 pictures of LVIS chosen at random, which ones is not stated"
VIT_H = "SAM's ViT-H; boxes with the prompt-guided decoder of MobileSAMv2"
FILTERS = "Masks of boxes are not filtered. Those of points have filters that suit the model; in the paper SAM's."


def _recall(name: str, most: int, group: str | None = None) -> Metric:
    path = ("mask_ar", str(most)) if group is None else ("mask_ar_by_group", group, str(most))
    return Metric(name, (path,), times=100)


AR = (
    _recall("AR@1000", 1000),
    _recall("small", 1000, "small"),
    _recall("medium", 1000, "medium"),
    _recall("large", 1000, "large"),
)
AR_BY_BUDGET = (
    _recall("AR@10", 10),
    _recall("AR@100", 100),
    _recall("AR@1000", 1000),
    Metric("average", tuple(("mask_ar", k) for k in ("10", "100", "1000")), times=100 / 3),
)


def _milliseconds(name: str, *stages: str) -> Metric:
    return Metric(name, tuple(("seconds", stage) for stage in stages), times=1000)


TIME = (
    _milliseconds("prompts, ms", "discover"),
    _milliseconds("decoding, ms", "decode"),
    _milliseconds("both, ms", "discover", "decode"),
    _milliseconds("image encoder, ms", "encode"),
    _milliseconds("the rest, ms", "preprocess", "filter", "postprocess"),
)


def _ar(
    everything: float, small: float | None = None, medium: float | None = None, large: float | None = None
) -> dict[str, float]:
    values = zip(AR, (everything, small, medium, large), strict=True)
    return {metric.name: value for metric, value in values if value is not None}


def _ms(prompts: float, decoding: float, both: float) -> dict[str, float]:
    return dict(zip((metric.name for metric in TIME), (prompts, decoding, both), strict=False))


def _by_budget(*values: float) -> dict[str, float]:
    return dict(zip((metric.name for metric in AR_BY_BUDGET), values, strict=True))


def _grid(side: int, *, multimask: bool = True) -> Request:
    return Request("grid", points_per_side=side, multimask=multimask)


def _centres(*, multimask: bool) -> Request:
    return Request("box-centres", max_prompts=320, multimask=multimask)


BOXES = Request("object-aware", max_prompts=320)

PRESETS: dict[str, Preset] = {
    "table2": Preset(
        title="Table 2: time of prompts and mask decoding",
        metrics=TIME,
        settings=(
            Setting("grid 32 x 32, three masks", _grid(32), _ms(16, 1600, 1616)),
            Setting("grid 64 x 64, three masks", _grid(64), _ms(64, 6400, 6464)),
            Setting("at most 320 boxes, one mask", BOXES, _ms(47, 50, 97)),
        ),
        paper={"data": "not stated", "model": "SAM's decoder as ViT-H has it", "device": "not stated"},
        remarks=(
            "The paper's first column is the prompt encoder, and for boxes the object discovery too; here it is object "
            "discovery alone, and the prompt encoder is timed with the decoder.",
            "The paper's times are per picture with the image encoder left out; it gives 450 ms for ViT-H, 20 ms for "
            "EfficientViT-L2 and 8 ms for TinyViT.",
        ),
    ),
    "table3": Preset(
        title="Table 3: mask AR@1000 by what is asked",
        metrics=AR,
        settings=(
            Setting("grid 64 x 64, three masks", _grid(64), _ar(59.2, 46.6, 78.7, 82.4)),
            Setting("grid 32 x 32, three masks", _grid(32), _ar(57.2, 42.9, 79.2, 83.6)),
            Setting("grid 16 x 16, three masks", _grid(16), _ar(40.0, 19.4, 71.3, 79.1)),
            Setting("grid 64 x 64, one mask", _grid(64, multimask=False), _ar(54.3)),
            Setting("grid 32 x 32, one mask", _grid(32, multimask=False), _ar(49.8)),
            Setting("grid 16 x 16, one mask", _grid(16, multimask=False), _ar(34.6)),
            Setting("at most 320 boxes, one mask", BOXES, _ar(59.3, 47.9, 77.1, 79.9)),
            Setting("their centres, one mask", _centres(multimask=False), _ar(53.6, 44.0, 70.4, 66.6)),
            Setting("their centres, three masks", _centres(multimask=True), _ar(55.7, 40.6, 78.6, 84.6)),
        ),
        paper={"data": LVIS, "model": VIT_H, "device": "not stated"},
        remarks=(FILTERS,),
    ),
    "table4": Preset(
        title="Table 4: mask AR by how many masks count",
        metrics=AR_BY_BUDGET,
        settings=(
            Setting("grid 64 x 64, three masks", _grid(64), _by_budget(12.6, 44.8, 59.2, 38.9)),
            Setting("at most 320 boxes, one mask", BOXES, _by_budget(17.6, 50.6, 59.3, 42.5)),
        ),
        paper={"data": LVIS, "model": VIT_H, "device": "not stated"},
        remarks=(FILTERS,),
    ),
    "table5": Preset(
        title="Table 5: mask AR@1000 by image encoder, at most 320 boxes",
        metrics=AR,
        settings=(
            Setting("ViT-H", BOXES, _ar(59.3), model="mobilesamv2-vit-h"),
            Setting("EfficientViT-L2", BOXES, _ar(56.3), model="mobilesamv2-efficientvit-l2"),
            Setting("TinyViT", BOXES, _ar(51.1), model="mobilesamv2-tinyvit"),
            Setting("not in the paper", BOXES, {}),
        ),
        paper={"data": LVIS, "model": "each encoder with the prompt-guided decoder", "device": "not stated"},
    ),
    "table7": Preset(
        title="Table 7: mask AR@1000 by the most boxes that are asked",
        metrics=AR,
        settings=tuple(
            Setting(f"at most {most} boxes", Request("object-aware", max_prompts=most), _ar(value))
            for most, value in ((384, 59.3), (320, 59.3), (256, 58.5), (192, 56.6), (128, 53.6), (64, 44.8))
        ),
        paper={"data": LVIS, "model": VIT_H, "device": "not stated"},
    ),
}
