"""Modules that are traced for ONNX files: each network with the input names and shapes that other programs know.

The decoders take prompts as the original Segment Anything's own export does: points with labels, where the corners of
a box are points too. With gradients enabled the networks take their plain path, which has no caches, threads or tiles.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..models.detector.detector import ObjectDetector
from ..models.nano.mask_head import CELLS, WindowPrompts
from ..models.nano.model import BOX_IOU_SHARES, MASK_STRIDE, OUTSIDE, TIGHTER_AND_LOOSER, NanoModel
from ..models.nano.windows import POINT_WINDOWS, box_windows, pasted, point_windows, read_logits
from ..models.sam import Sam

PADDING, TOP_LEFT, BOTTOM_RIGHT = -1, 2, 3
"""Labels beside 0 and 1: a point that is none, and the corners of a box."""


class EncoderGraph(nn.Module):
    """Image encoder: normalised pixels (1, 3, S, S) to features (1, C, h, w)."""

    def __init__(self, network: Sam | NanoModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network.encode(images)


class SamDecoderGraph(nn.Module):
    """SAM's prompt encoder and mask decoder."""

    def __init__(self, sam: Sam) -> None:
        super().__init__()
        self.sam = sam

    def forward(
        self,
        image_embeddings: Tensor,
        point_coords: Tensor,
        point_labels: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Answer N prompts on one picture.

        Args:
            image_embeddings: (1, C, h, w).
            point_coords: (N, P, 2), x before y in pixels of the input square.
            point_labels: float32 (N, P): 1 foreground, 0 background, 2 and 3 the corners of a box, -1 padding.
                Prompts without a box end with a padding point, as in SAM.
            mask_input: (1, 1, 4h, 4w), logits of an earlier answer for all prompts.
            has_mask_input: float32 (1,), 1 or 0: whether it counts.

        Returns:
            Logits (N, 4, 4h, 4w) and predicted IoUs (N, 4): the answer to an unambiguous prompt, then three.
        """
        prompts, size_hw = self.sam.prompt_encoder, (image_embeddings.shape[2], image_embeddings.shape[3])
        sparse = prompts.embed_points((point_coords + 0.5) / self.sam.input_side, point_labels)
        given = has_mask_input[:, None, None, None]
        dense = given * prompts.mask_downscaling(mask_input) + (1 - given) * prompts.no_mask(size_hw)
        return self.sam.mask_decoder.decode(
            image=image_embeddings,
            image_code=prompts.position_grid(*size_hw),
            sparse=sparse,
            dense=dense,
            asked=slice(None),
        )


class NanoDecoderGraph(nn.Module):
    """The embedded model's mask head, for boxes in one window and points alone in three, mixed in any way."""

    def __init__(self, network: NanoModel) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        image_embeddings: Tensor,
        point_coords: Tensor,
        point_labels: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """As `SamDecoderGraph.forward`; padding points are not needed and change nothing."""
        network, count = self.network, point_coords.shape[0]
        has_box = (point_labels == TOP_LEFT).any(1)
        corners = [(point_coords * (point_labels == label)[..., None]).sum(1) for label in (TOP_LEFT, BOTTOM_RIGHT)]
        each = len(POINT_WINDOWS)
        windows = torch.where(
            has_box[:, None, None],
            box_windows(torch.cat(corners, dim=1))[:, None].expand(-1, each, -1),
            point_windows(point_coords, point_labels, side=float(network.input_side)),
        )  # (N, 3, 4)
        order = torch.arange(each)
        kind = torch.where(has_box[:, None], 0, order + 1)
        # A box is answered in the first of its windows only.
        read = (~has_box[:, None] | (order == 0)).flatten().nonzero()[:, 0]
        of_read = windows.flatten(0, 1)[read]
        prior = read_logits(mask_input.expand(read.shape[0], -1, -1, -1), of_read, cells=CELLS, stride=MASK_STRIDE)
        of_windows, iou_of_windows = network.mask_head(
            network.share(image_embeddings),
            WindowPrompts(
                windows=of_read,
                picture=torch.zeros_like(read),
                kind=kind.flatten()[read],
                points=point_coords[read // each],
                labels=point_labels[read // each],
                prior=prior * has_mask_input[:, None, None, None],
            ),
        )
        side = of_windows.shape[-1]
        logits = of_windows.new_zeros(count * each, side, side).index_put((read,), of_windows)
        logits = logits.view(count, each, side, side)
        iou = iou_of_windows.new_zeros(count * each).index_put((read,), iou_of_windows).view(count, each)
        offsets = logits.new_tensor(TIGHTER_AND_LOOSER)[:, None, None]
        logits = torch.where(has_box[:, None, None, None], logits[:, :1] + offsets, logits)
        iou = torch.where(has_box[:, None], iou[:, :1] * iou.new_tensor(BOX_IOU_SHARES), iou)
        best, every = iou.argmax(1), torch.arange(count)
        logits, iou, windows = (
            torch.cat([of_each[every, best][:, None], of_each], dim=1) for of_each in (logits, iou, windows)
        )
        size_hw = (4 * image_embeddings.shape[2], 4 * image_embeddings.shape[3])
        whole = pasted(
            logits.flatten(0, 1), windows.flatten(0, 1), size_hw=size_hw, stride=MASK_STRIDE, outside=OUTSIDE
        )
        return whole.view(count, 1 + each, *size_hw), iou


class DetectorGraph(nn.Module):
    """Boxes and confidences of all anchors, before anything is left out."""

    def __init__(self, detector: ObjectDetector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Find boxes in RGB pixels.

        Args:
            images: (1, 3, H, W) in 0..1; H and W are multiples of the stride.

        Returns:
            Boxes (1, A, 4), x0 y0 x1 y1 in input pixels, and scores (1, 1, A), of the best class: as ONNX's own
            NonMaxSuppression takes them.
        """
        predictions = self.detector(images)
        centre, half = predictions[:, :2], predictions[:, 2:4] / 2
        boxes = torch.cat([centre - half, centre + half], dim=1).transpose(1, 2)
        return boxes, predictions[:, 4:].amax(1, keepdim=True)
