"""What a row of the zoo says: which files a model is made of, where they are, how to know them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from ..models.detector.config import NMS_IOU, DetectorConfig
from ..models.nano.model import NanoConfig
from ..models.sam import SamConfig
from ..prompts import MaskFilters
from ..prompts.grid import SAM_FILTERS


class Form(Enum):
    """How the tensors lie in a published file; the value is what people read."""

    SAFETENSORS = "safetensors"
    SAM = "state dict"
    """`image_encoder.`, `prompt_encoder.` and `mask_decoder.`."""
    WRAPPED_SAM = "state dict in a wrapper"
    """The same within `{"state_dict": …}`."""
    ENCODER = "state dict of the image encoder"
    """Keys without a prefix."""
    DECODER = "two state dicts, of prompt encoder and mask decoder"
    """`{"PromtEncoder": …, "MaskDecoder": …}`, spelt so."""
    ULTRALYTICS = "pickled Ultralytics model"


@dataclass(frozen=True)
class WeightsFile:
    """One checkpoint file: where it is, and how to know that it is the right one.

    Args:
        filename: its path inside the hub repository, or its name among the embedded weights.
        repo: the hub repository it is fetched from; None for a file that comes with this package.
        revision: the commit of the repository; None where no commit is pinned, then "main" is taken.
        bytes: its size; None where it is not known, then what the hub says at the first fetch counts.
        about_bytes: its size as far as it can be told from the architecture, for people; never checked.
        sha256: its SHA-256 in hexadecimal; None where it is not known, then what the hub says at the first fetch
            counts, and is remembered.
        licence: SPDX identifier of the licence the weights are under.
        form: how the tensors lie in it.
    """

    filename: str
    repo: str | None = None
    revision: str | None = None
    bytes: int | None = None
    about_bytes: int | None = None
    sha256: str | None = None
    licence: str = "AGPL-3.0-or-later"
    form: Form = Form.SAFETENSORS

    @property
    def name(self) -> str:
        """The file's name without folders."""
        return self.filename.rpartition("/")[2]


@dataclass(frozen=True)
class ModelEntry:
    """A segmentation model.

    Args:
        name: what people call it.
        config: its architecture.
        files: its checkpoint: one file as `{"whole": …}`, or two as `{"encoder": …, "decoder": …}`. Of a file that
            holds more than its part, only the part is taken.
        detector: name of the detector it is used with unless another one is asked for.
        summary: one line for people.
        grid_filters: the filters of grid search that suit its predicted IoUs and logits.
        bfloat16_on_cpu: whether it was measured to be as good in bfloat16; then processors that are fast at it use it.
    """

    name: str
    config: SamConfig | NanoConfig
    files: Mapping[str, WeightsFile]
    detector: str
    summary: str
    grid_filters: MaskFilters = SAM_FILTERS
    bfloat16_on_cpu: bool = False


@dataclass(frozen=True)
class DetectorEntry:
    """An object detector.

    Args:
        name: what people call it.
        files: its checkpoint, as `{"whole": …}`.
        config: its architecture.
        summary: one line for people.
        nms_iou: of two boxes that overlap by more, only the better is asked about; .9 in MobileSAMv2's released code.
        vote_iou: the better one becomes the mean of those that overlap it by at least this; None: it stays as it is.
        bfloat16_on_cpu: as `ModelEntry` has it.
    """

    name: str
    files: Mapping[str, WeightsFile]
    config: DetectorConfig = field(default_factory=DetectorConfig)
    summary: str = ""
    nms_iou: float = NMS_IOU
    vote_iou: float | None = None
    bfloat16_on_cpu: bool = False
