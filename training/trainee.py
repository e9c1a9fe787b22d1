"""The parts of `nano` as training calls them: for prompts that each have a picture of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobilesamv2.models.mask_decoder.decoder import MaskDecoder
from mobilesamv2.models.nano.encoder import NanoEncoder
from mobilesamv2.models.nano.mask_head import POINT_WINDOWS, pasted
from mobilesamv2.models.preprocess import PIXEL_MEAN, PIXEL_STD
from mobilesamv2.models.prompt_encoder.encoder import FirstGuess, PromptEncoder
from mobilesamv2.models.sam import Sam, nano_config

from .crops import Batch

MEAN = torch.tensor(PIXEL_MEAN).view(1, 3, 1, 1)
DEVIATION = torch.tensor(PIXEL_STD).view(1, 3, 1, 1)
DECODED_CELLS = 24 * 32 * 32
"""Prompts decoded in a step, times the cells of the embedding."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """What the decoder says to D prompts of a batch.

    Args:
        index: (D,), which prompts, boxes before points.
        logits: (D, 4, S / 2, S / 2), of every mask token.
        iou: (D, 4), predicted.
    """

    index: Tensor
    logits: Tensor
    iou: Tensor


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says to a batch of N prompts.

    Args:
        cells: (N, h, w), first guesses by likeness.
        windows: (N, 4), one window of each prompt; boxes before points.
        window_logits: (N, K, K), first guesses in them.
        window_owner: (N,), whose they are.
        decoded: what the decoder said to some of them, if it was asked.
    """

    cells: Tensor
    windows: Tensor
    window_logits: Tensor
    window_owner: Tensor
    decoded: Decoded | None = None


class Trainee(nn.Module):
    """The parts of a model, called for prompts that each have a picture of their own.

    Args:
        decoded_cells: prompts decoded in a step, times the cells of the embedding; 0: none.
    """

    def __init__(self, *, decoded_cells: int = DECODED_CELLS) -> None:
        super().__init__()
        self.decoded_cells = decoded_cells
        config = nano_config()
        self.image_encoder = NanoEncoder(config.encoder)
        self.prompt_encoder = PromptEncoder(config.prompt_encoder)
        self.mask_decoder = MaskDecoder(config.mask_decoder)

    @property
    def sam(self) -> Sam:
        """The same parts as a model to use."""
        return Sam(
            image_encoder=self.image_encoder,
            prompt_encoder=self.prompt_encoder,
            mask_decoder=self.mask_decoder,
        )

    def forward(self, batch: Batch) -> Answers:
        """Guess all masks of a batch, and decode some of its prompts.

        The decoder takes most of the time, the encoder has most to learn: so all crops are encoded, every prompt
        gets a first guess, and only some prompts, drawn at random, are decoded.
        """
        pixels = (batch.pixels.float() - MEAN.to(batch.pixels.device)) / DEVIATION.to(batch.pixels.device)
        image, detail = self.sam.split(self.image_encoder(pixels * batch.inside))
        assert detail is not None  # nano has it
        height, width = image.shape[-2:]
        encoder = self.prompt_encoder
        kernel = encoder.compare(image)
        assert kernel is not None
        guesses = image.new_zeros(len(batch.is_box), height, width, dtype=torch.float32)
        windows_seen, window_logits, window_owner = [], [], []
        chosen, sparse, dense, residuals = [], [], [], []
        for is_box, share in ((True, 0.6), (False, 0.4)):
            kind = torch.nonzero(batch.is_box == is_box)[:, 0]
            of_kind = batch.prompts(kind)
            prompts = _prompts(of_kind, is_box=is_box)
            drawn = encoder.draw((height, width), **prompts)
            cells = encoder.guess_cells(kernel, **drawn)
            guesses[kind] = cells.float()
            windows, kinds = encoder.place_windows((height, width), **prompts)
            if not is_box:  # learn from the window that suits the object's size
                column = _suiting_window(of_kind, side=8 * width)
                every = torch.arange(len(column))
                windows, kinds = windows[every, column][:, None], kinds[every, column][:, None]
            logits = encoder.guess_windows(
                detail,
                windows[:, 0],
                kinds[:, 0],
                cells=cells.detach(),
                points=prompts.get("points"),
                labels=prompts.get("labels"),
                boxes=is_box,
            )
            windows_seen.append(windows[:, 0])
            window_logits.append(logits.float())
            window_owner.append(kind)
            if not self.decoded_cells:
                continue
            known = torch.nonzero(of_kind.has_mask)[:, 0]
            pick = known[torch.randperm(len(known))][
                : max(1, round(share * self.decoded_cells / (height * width)))
            ]
            some = _prompts(batch.prompts(kind[pick]), is_box=is_box)
            size_hw, stride = (4 * height, 4 * width), encoder.config.stride / 4
            if is_box:
                masks = pasted(logits[pick], windows[pick, 0], size_hw=size_hw, stride=stride)[:, None]
            else:
                masks = self._point_guesses(detail, cells.detach(), pick, some, size_hw)
            guess = FirstGuess(
                cells=cells[pick], masks=masks, drawn={name: each[pick] for name, each in drawn.items()}
            )
            tokens, prompted = encoder(embedding_hw=(height, width), guess=guess, **some)
            chosen.append(kind[pick])
            sparse.append(tokens)
            dense.append(prompted)
            residuals.append(masks.expand(-1, 4, -1, -1) if is_box else F.pad(masks, (0, 0, 0, 0, 1, 0)))
        guessed = Answers(
            cells=guesses,
            windows=torch.cat(windows_seen),
            window_logits=torch.cat(window_logits),
            window_owner=torch.cat(window_owner),
        )
        if not chosen:
            return guessed
        index = torch.cat(chosen)
        logits, iou = self.mask_decoder.decode(
            image=image[index // (len(batch.is_box) // len(image))],
            image_code=encoder.position_grid(height, width),
            sparse=torch.cat(sparse),  # a box and a point with its padding are two tokens each
            dense=torch.cat(dense),
            asked=slice(None),
        )
        decoded = Decoded(index=index, logits=logits.float() + torch.cat(residuals), iou=iou.float())
        return replace(guessed, decoded=decoded)

    def _point_guesses(
        self,
        detail: Tensor,
        cells: Tensor,
        pick: Tensor,
        some: dict[str, Tensor],
        size_hw: tuple[int, int],
    ) -> Tensor:
        """Guesses (K, 3, h, w) in all windows of the point prompts `pick`, which lie on any of the pictures."""
        encoder = self.prompt_encoder
        height, width = size_hw[0] // 4, size_hw[1] // 4
        windows, kinds = encoder.place_windows((height, width), **some)
        each = len(cells) // len(detail)
        guess = encoder.guess_windows(
            detail[pick // each].repeat_interleave(3, 0),
            windows.flatten(0, 1),
            kinds.flatten(),
            cells=cells[pick].repeat_interleave(3, 0),
            points=some["points"].repeat_interleave(3, 0),
            labels=some["labels"].repeat_interleave(3, 0),
            boxes=False,
        )
        masks = pasted(guess, windows.flatten(0, 1), size_hw=size_hw, stride=encoder.config.stride / 4)
        return masks.view(len(pick), 3, *size_hw)


def _suiting_window(batch: Batch, *, side: int) -> Tensor:
    """Which window of a point (N,) shows its object best: the smallest that is a little larger than it."""
    sides = (batch.boxes_xyxy[:, 2:] - batch.boxes_xyxy[:, :2]).amax(1) / side
    return sum((sides > share * 0.85).long() for share in POINT_WINDOWS[:2])


def _prompts(batch: Batch, *, is_box: bool) -> dict[str, Tensor]:
    if is_box:
        return {"boxes_xyxy": batch.boxes_xyxy}
    return {"points": batch.points, "labels": torch.ones_like(batch.points[..., 0]).long()}
