"""A whole Segment Anything model: image encoder, prompt encoder and mask decoder, and how each is sized."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .encoders.efficientvit import EfficientVit, EfficientVitConfig, efficientvit_config
from .encoders.tiny_vit import TinyVit, TinyVitConfig
from .encoders.vit import Vit, VitConfig, vit_config
from .kernels.parallel import side_by_side
from .mask_decoder.decoder import PROMPTS_AT_ONCE, MaskDecoder, MaskDecoderConfig
from .mask_decoder.shared_image import SharedImage
from .prompt_encoder.encoder import PromptEncoder, PromptEncoderConfig


@dataclass(frozen=True)
class SamConfig:
    """The three parts of a model and the sides of its square inputs in pixels. The defaults are MobileSAM's.

    Raises:
        ValueError: if the encoder's embedding has not the size that the prompt encoder is made for.
    """

    encoder: TinyVitConfig | EfficientVitConfig | VitConfig = field(default_factory=TinyVitConfig)
    prompt_encoder: PromptEncoderConfig = field(default_factory=PromptEncoderConfig)
    mask_decoder: MaskDecoderConfig = field(default_factory=MaskDecoderConfig)

    def __post_init__(self) -> None:
        if not isinstance(self.encoder, EfficientVitConfig | VitConfig):
            return  # the other encoders take any size
        made, expected = self.encoder.embedding_side, self.prompt_encoder.embedding_side
        if made != expected:
            raise ValueError(
                f"The encoder makes embeddings of side {made}, the prompt encoder expects {expected}; "
                "they must be equal."
            )

    @property
    def picture_side(self) -> int:
        """Side in pixels of the square that the encoder takes; the prompts' square may have another one."""
        if isinstance(self.encoder, EfficientVitConfig):
            return self.encoder.picture_side
        return self.prompt_encoder.input_side


def mobile_sam_config() -> SamConfig:
    """MobileSAM: TinyViT-5M with SAM's prompt encoder and decoder, input 1024 (arXiv 2306.14289)."""
    return SamConfig()


def mobile_sam_v2_config(encoder: Literal["tinyvit", "efficientvit-l2", "vit-h"]) -> SamConfig:
    """MobileSAMv2: one of three encoders, each seeing 1024 pixels, with one prompt-guided decoder (arXiv 2312.09579).

    The decoder is SAM's, retrained. EfficientViT-L2 gets the 1024 pixels of the others and squeezes them itself.
    """
    if encoder == "tinyvit":
        return SamConfig()
    if encoder == "vit-h":
        return SamConfig(encoder=vit_config("h"))
    return SamConfig(encoder=efficientvit_config("l2", squeezed_from=1024))


def efficientvit_sam_config(size: Literal["l0", "l1", "l2"]) -> SamConfig:
    """EfficientViT-SAM, whose encoder gets pictures scaled to 512 while its prompts stay in SAM's 1024 pixels.

    So its published predictor has it (arXiv 2402.05008): only the pixels lie in the smaller square.
    """
    return SamConfig(encoder=efficientvit_config(size))


def sam_config(size: Literal["b", "l", "h"]) -> SamConfig:
    """Segment Anything with ViT-B, ViT-L or ViT-H, input 1024 (arXiv 2304.02643)."""
    return SamConfig(encoder=vit_config(size))


class Sam(nn.Module):
    """An image encoder, a prompt encoder and a mask decoder that fit each other.

    State-dict keys are those of the published checkpoints: `image_encoder.`, `prompt_encoder.`, `mask_decoder.`.

    Args:
        image_encoder: pixels to an embedding.
        prompt_encoder: points, boxes and masks to tokens.
        mask_decoder: both to masks.
        picture_side: side in pixels of the square that the image encoder takes; None: that of the prompts.
    """

    def __init__(
        self,
        *,
        image_encoder: nn.Module,
        prompt_encoder: PromptEncoder,
        mask_decoder: MaskDecoder,
        picture_side: int | None = None,
    ) -> None:
        super().__init__()
        if prompt_encoder.config.width != mask_decoder.config.width:
            raise ValueError(
                f"The prompt encoder is {prompt_encoder.config.width} wide, the mask decoder "
                f"{mask_decoder.config.width}; they must be equal."
            )
        self.image_encoder = image_encoder
        self.prompt_encoder = prompt_encoder
        self.mask_decoder = mask_decoder
        self.picture_side = picture_side or prompt_encoder.config.input_side

    @classmethod
    def from_config(cls, config: SamConfig) -> Sam:
        """Make the modules of `config` with random weights."""
        encoder: nn.Module
        if isinstance(config.encoder, EfficientVitConfig):
            encoder = EfficientVit(config.encoder)
        elif isinstance(config.encoder, VitConfig):
            encoder = Vit(config.encoder)
        else:
            encoder = TinyVit(config.encoder)
        return cls(
            image_encoder=encoder,
            prompt_encoder=PromptEncoder(config.prompt_encoder),
            mask_decoder=MaskDecoder(config.mask_decoder),
            picture_side=config.picture_side,
        )

    @property
    def input_side(self) -> int:
        """Side in pixels of the square that prompts and masks lie in; pixels come in one of `picture_side`."""
        return self.prompt_encoder.config.input_side

    @property
    def device(self) -> torch.device:
        """Where the decoder's weights are."""
        return self.mask_decoder.iou_token.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Number format of encoder and decoder."""
        return self.mask_decoder.iou_token.weight.dtype

    def cast(self, dtype: torch.dtype) -> Sam:
        """Give encoder and decoder another number format, in place.

        The prompt encoder stays in float32: it is tiny, and half precision cannot tell neighbouring pixels apart.
        """
        self.image_encoder.to(dtype)
        self.mask_decoder.to(dtype)
        return self

    def encode(self, pixels: Tensor) -> Tensor:
        """Encode a normalised, padded picture (1, 3, S, S), S the picture side, as an embedding (1, width, h, w)."""
        return torch.as_tensor(self.image_encoder(pixels.to(self.dtype)))

    def compare(self, embedding: Tensor) -> Tensor | None:
        """What `decode` needs of an embedding beside itself, computed once per picture; None for published models."""
        return self.prompt_encoder.compare(self.split(embedding)[0])

    def share(self, embedding: Tensor, *, masked: bool = False) -> SharedImage | None:
        """What prompts, all with a mask or all without, share of an embedding in the decoder: once for many `decode`s.

        None where sharing does not pay (`MaskDecoder.can_share`).
        """
        image = self.split(embedding)[0]
        if not self.mask_decoder.can_share(image):
            return None
        constant, vectors = self.prompt_encoder.dense_basis(masked=masked)
        return self.mask_decoder.share(
            image=image + constant[:, None, None],
            image_code=self.prompt_encoder.position_grid(image.shape[-2], image.shape[-1]),
            dense=vectors,
        )

    def split(self, embedding: Tensor) -> tuple[Tensor, Tensor | None]:
        """What the decoder sees of an embedding, (B, width, h, w), and any fine features (B, D, 2h, 2w)."""
        width = self.mask_decoder.config.width
        detail = embedding[:, width:]
        return embedding[:, :width], F.pixel_shuffle(detail, 2) if detail.shape[1] else None

    def decode(
        self,
        embedding: Tensor,
        *,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes_xyxy: Tensor | None = None,
        masks: Tensor | None = None,
        kernel: Tensor | None = None,
        shared: SharedImage | None = None,
        multimask: bool,
    ) -> tuple[Tensor, Tensor]:
        """Answer N prompts, in input pixels, on one embedding (1, width, h, w).

        `kernel` is its `compare`. `shared` is its `share` for such prompts, made here where it is left out.

        Returns:
            float32 logits (N, M, 4h, 4w) and float32 predicted IoUs (N, M), M = 3 with `multimask`, else 1.
        """
        if shared is None:
            shared = self.share(embedding, masked=masks is not None)
        prompts = {"points": points, "labels": labels, "boxes_xyxy": boxes_xyxy, "masks": masks}
        given = {name: value for name, value in prompts.items() if value is not None}
        parts = self.split(embedding)

        def decode(some: slice) -> tuple[Tensor, Tensor]:
            of_some = {name: value[some] for name, value in given.items()}
            return self._decode_some(*parts, of_some, kernel=kernel, shared=shared, multimask=multimask)

        count = max(map(len, given.values()), default=0)
        if shared is None or kernel is None or count == 0:
            return decode(slice(None))
        # Guesses are made in many small steps too.
        starts = range(0, count, PROMPTS_AT_ONCE)
        answers = side_by_side([partial(decode, slice(start, start + PROMPTS_AT_ONCE)) for start in starts])
        logits, iou = zip(*answers, strict=True)
        return torch.cat(logits), torch.cat(iou)

    def _decode_some(
        self,
        image: Tensor,
        detail: Tensor | None,
        prompts: dict[str, Tensor],
        *,
        kernel: Tensor | None,
        shared: SharedImage | None,
        multimask: bool,
    ) -> tuple[Tensor, Tensor]:
        """As `decode`, with what `split` made of the embedding, and the prompts by the names of its arguments."""
        embedding_hw = (image.shape[-2], image.shape[-1])
        guess = None
        if kernel is not None and prompts and "masks" not in prompts:
            guess = self.prompt_encoder.first_guess(kernel, detail, embedding_hw=embedding_hw, **prompts)
        sparse, dense = self.prompt_encoder.encode(embedding_hw=embedding_hw, guess=guess, **prompts)
        guessed = None if guess is None else guess.masks
        # Points alone have three guesses, and no fourth for the single mask: the best of the three is taken.
        pick_best = not multimask and guessed is not None and guessed.shape[1] > 1
        if shared is not None:
            logits, iou = self.mask_decoder.decode_shared(
                shared, sparse=sparse, dense=dense.shares, multimask=multimask or pick_best
            )
        else:
            logits, iou = self.mask_decoder(
                image=image,
                image_code=self.prompt_encoder.position_grid(*embedding_hw).to(self.dtype),
                sparse=sparse.to(self.dtype),
                dense=dense.written_out(embedding_hw).to(self.dtype),
                multimask=multimask or pick_best,
            )
        logits, iou = logits.float(), iou.float()
        if guessed is not None:
            logits = logits + guessed if logits.requires_grad else logits.add_(guessed)
        if pick_best:
            best = iou.argmax(1)
            every = torch.arange(len(iou), device=iou.device)
            logits, iou = logits[every, best][:, None], iou[every, best][:, None]
        return logits, iou
