"""A whole Segment Anything model: image encoder, prompt encoder and mask decoder, and how each is sized."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from .encoders.efficientvit import EfficientVit, EfficientVitConfig
from .encoders.tiny_vit import TinyVit, TinyVitConfig
from .encoders.vit import Vit, VitConfig
from .mask_decoder.decoder import MaskDecoder, MaskDecoderConfig
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


@dataclass(frozen=True, eq=False)
class SharedBySam:
    """What all prompts on one picture share.

    Args:
        image_code: (1, width, h, w), position code of the embedding.
        projected: the picture in the layers of the mask decoder, for prompts without a mask; None where that does not
            pay (`MaskDecoder.can_share`).
    """

    image_code: Tensor
    projected: SharedImage | None


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

    def share(self, embedding: Tensor) -> SharedBySam:
        """What all prompts on an embedding (1, width, h, w) share, once per picture."""
        size_hw = (embedding.shape[-2], embedding.shape[-1])
        code = self.prompt_encoder.position_grid(*size_hw).to(self.dtype)
        projected = None
        if self.mask_decoder.can_share(embedding):
            projected = self.mask_decoder.share(image=embedding + self.prompt_encoder.no_mask(size_hw), image_code=code)
        return SharedBySam(image_code=code, projected=projected)

    def decode(
        self,
        embedding: Tensor,
        *,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes_xyxy: Tensor | None = None,
        masks: Tensor | None = None,
        shared: SharedBySam | None = None,
        multimask: bool,
    ) -> tuple[Tensor, Tensor]:
        """Answer N prompts on one embedding (1, width, h, w); see `PromptableNetwork.decode`."""
        if shared is None:
            shared = self.share(embedding)
        sparse, dense = self.prompt_encoder(
            embedding_hw=(embedding.shape[-2], embedding.shape[-1]),
            points=points,
            labels=labels,
            boxes_xyxy=boxes_xyxy,
            masks=masks,
        )
        sparse = sparse.to(self.dtype)
        if shared.projected is not None and masks is None:
            logits, iou = self.mask_decoder.decode_shared(shared.projected, sparse=sparse, multimask=multimask)
        else:
            logits, iou = self.mask_decoder(
                image=embedding,
                image_code=shared.image_code,
                sparse=sparse,
                dense=dense.to(self.dtype),
                multimask=multimask,
            )
        return logits.float(), iou.float()
