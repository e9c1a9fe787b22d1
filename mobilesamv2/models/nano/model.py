"""The embedded model: an encoder, and a mask head that reads its features in windows around prompts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from ..kernels.parallel import in_parallel
from .encoder import NanoEncoder, NanoEncoderConfig, NanoFeatures
from .mask_head import CELLS, MaskHead, MaskHeadConfig, SharedFeatures, WindowPrompts
from .windows import box_windows, paste, point_windows, read_logits

MASK_STRIDE = 2
"""Input pixels per pixel of the masks."""
OUTSIDE = -3.0
"""Logit where a window ends."""
TIGHTER_AND_LOOSER = (0.0, -1.5, 1.5)
"""Added to the logits of a box for its three masks: the best guess, less of it, more of it."""
BOX_IOU_SHARES = (1.0, 0.9, 0.9)
"""Predicted IoUs of these three masks, as shares of the best guess's."""
_WINDOWS_AT_ONCE = 48
"""Windows that one thread answers at once: fewer are more calls, more leave its caches."""


def _prompts_at_once(count: int, *, windows: int) -> int:
    """How many of some prompts, with so many windows each, one thread answers at once: all threads about as many."""
    threads = torch.get_num_threads()
    rounds = math.ceil(count * windows / (_WINDOWS_AT_ONCE * threads))
    return math.ceil(count / (rounds * threads))


@dataclass(frozen=True)
class NanoConfig:
    """The embedded model's parts.

    Args:
        encoder: its sizes.
        mask_head: its sizes.
        input_side: side of the square input in pixels, a multiple of 64.

    Raises:
        ValueError: if it is none.
    """

    encoder: NanoEncoderConfig = field(default_factory=NanoEncoderConfig)
    mask_head: MaskHeadConfig = field(default_factory=MaskHeadConfig)
    input_side: int = 704

    def __post_init__(self) -> None:
        if self.input_side % 64 or self.input_side < 64:
            raise ValueError(f"The input side must be a multiple of 64; got {self.input_side}.")


class NanoModel(nn.Module):
    """Promptable segmentation in three calls: `encode`, `share` and `decode`.

    Frames are pixels of the square input.
    """

    def __init__(self, config: NanoConfig) -> None:
        super().__init__()
        self.config = config
        self.image_encoder = NanoEncoder(config.encoder)
        self.mask_head = MaskHead(
            config.mask_head,
            detail=config.encoder.detail_width,
            parts=config.encoder.parts_width,
            context=config.encoder.context_width,
        )

    @classmethod
    def from_config(cls, config: NanoConfig) -> NanoModel:
        """Make the modules of `config` with random weights."""
        return cls(config)

    @property
    def input_side(self) -> int:
        """Side in pixels of the square that pictures, prompts and masks lie in."""
        return self.config.input_side

    @property
    def picture_side(self) -> int:
        """Side of the square that the encoder takes: the same."""
        return self.config.input_side

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.mask_head.leave.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Number format of the networks; windows and prompts are in float32 always."""
        return self.mask_head.leave.weight.dtype

    def cast(self, dtype: torch.dtype) -> NanoModel:
        """Give the networks another number format, in place."""
        return self.to(dtype)

    def encode(self, pixels: Tensor) -> Tensor:
        """Encode normalised, padded pictures (B, 3, S, S) as features (B, C, S / 8, S / 8)."""
        features: NanoFeatures = self.image_encoder(pixels.to(self.dtype))
        return features.packed()

    def share(self, features: Tensor) -> SharedFeatures:
        """What all prompts on a picture read, once per picture."""
        of = NanoFeatures.unpacked(features, self.config.encoder)
        return self.mask_head.share(of.detail, of.parts, of.context)

    def decode(
        self,
        features: Tensor,
        *,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes_xyxy: Tensor | None = None,
        masks: Tensor | None = None,
        shared: SharedFeatures | None = None,
        multimask: bool,
    ) -> tuple[Tensor, Tensor]:
        """Answer N prompts on one picture.

        Args:
            features: (1, C, h, w), of `encode`.
            points: (N, P, 2), x before y, or None.
            labels: (N, P), 1 foreground, 0 background, -1 padding; comes with `points`.
            boxes_xyxy: (N, 4), or None. A prompt with a box is answered in the window around it; points alone in
                three windows, for a small, a middling and a large object.
            masks: (N, 1, 4h, 4w), logits of an earlier answer to refine, or None.
            shared: `share` of the features; made here where it is left out.
            multimask: three masks instead of one. Of points: those of the three windows, smallest first; without
                it, the one with the highest predicted IoU. Of a box: its mask, and a tighter and a looser one.

        Returns:
            float32 logits (N, M, 4h, 4w) and float32 predicted IoUs (N, M), M = 3 with `multimask`, else 1.
        """
        size_hw = (4 * features.shape[-2], 4 * features.shape[-1])
        given = {"points": points, "labels": labels, "boxes_xyxy": boxes_xyxy, "masks": masks}
        prompts = {name: value for name, value in given.items() if value is not None}
        count = max(map(len, prompts.values()), default=0)
        if count == 0:
            many = 3 if multimask else 1
            return features.new_zeros(0, many, *size_hw).float(), features.new_zeros(0, many).float()
        if shared is None:
            shared = self.share(features)
        logits = torch.empty(count, 3 if multimask else 1, *size_hw, device=features.device)
        iou = torch.empty(logits.shape[:2], device=features.device)
        step = _prompts_at_once(count, windows=1 if boxes_xyxy is not None else 3)
        pieces = [slice(start, start + step) for start in range(0, count, step)]
        in_parallel([
            partial(
                self._decode_some,
                shared,
                {name: value[piece] for name, value in prompts.items()},
                logits[piece],
                iou[piece],
            )
            for piece in pieces
        ])  # fmt: skip
        return logits, iou

    def _decode_some(
        self, shared: SharedFeatures, prompts: dict[str, Tensor], into_logits: Tensor, into_iou: Tensor
    ) -> None:
        """Answer some prompts with logits (N, M, 4h, 4w) and predicted IoUs (N, M)."""
        multimask = into_iou.shape[1] > 1
        boxes, points, labels = (prompts.get(name) for name in ("boxes_xyxy", "points", "labels"))
        if boxes is not None:
            windows = box_windows(boxes.float())[:, None]  # (N, 1, 4)
            kinds = torch.zeros(1, device=windows.device, dtype=torch.long)
        else:
            assert points is not None  # prompts without a box have points
            assert labels is not None
            windows = point_windows(points.float(), labels, side=float(self.input_side))  # (N, 3, 4)
            kinds = torch.arange(1, 4, device=windows.device)
        count, each = windows.shape[:2]
        masks = prompts.get("masks")
        flat = windows.flatten(0, 1)
        logits, iou = self.mask_head(
            shared,
            WindowPrompts(
                windows=flat,
                picture=torch.zeros(len(flat), device=flat.device, dtype=torch.long),
                kind=kinds.repeat(count),
                points=None if points is None else points.repeat_interleave(each, 0),
                labels=None if labels is None else labels.repeat_interleave(each, 0),
                prior=None
                if masks is None
                else read_logits(masks.repeat_interleave(each, 0), flat, cells=CELLS, stride=MASK_STRIDE),
            ),
        )
        logits, iou = logits.view(count, each, *logits.shape[1:]), iou.view(count, each)
        if each == 1 and multimask:
            logits = logits + logits.new_tensor(TIGHTER_AND_LOOSER)[:, None, None]
            iou = iou * iou.new_tensor(BOX_IOU_SHARES)
            windows = windows.expand(-1, 3, -1)
        elif each > 1 and not multimask:
            best, every = iou.argmax(1), torch.arange(count, device=iou.device)
            logits, iou, windows = (
                logits[every, best][:, None],
                iou[every, best][:, None],
                windows[every, best][:, None],
            )
        into_iou.copy_(iou)
        paste(
            logits.flatten(0, 1),
            windows.flatten(0, 1),
            into=into_logits.flatten(0, 1),
            stride=MASK_STRIDE,
            outside=OUTSIDE,
        )
