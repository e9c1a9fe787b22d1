"""A promptable model on one device: encodes a picture once, and decodes prompts in chunks that fit in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from .errors import NotEnoughMemoryError, PromptError
from .geometry import ResizeLongestSide
from .images import ImageInput, load_image
from .inference import inference, is_short_of_memory
from .models.chunks import suitable_chunk
from .models.preprocess import to_input
from .models.promptable import PromptableNetwork
from .postprocess import all_masks
from .prompts.given import masks_from, prompts_from
from .stopwatch import Stopwatch
from .types import Masks, Prompts


@dataclass(frozen=True, eq=False)
class Embedding:
    """One encoded picture.

    Args:
        features: (1, C, h, w) on the model's device.
        resize: how the picture lies in the model's input.
        timings: seconds spent in "preprocess" and "encode".
        model: name of the model that made it; no other can decode it.
        weights: fingerprint of that model's weights, which the decoding one must have too; "" if it is not known.
    """

    features: Tensor
    resize: ResizeLongestSide
    timings: dict[str, float]
    model: str
    weights: str = ""


class PromptableModel:
    """A segmentation model that answers prompts, on one device.

    Args:
        sam: the model, in evaluation mode, on the device and in the number format to run in.
        name: what people call it.
        chunk_size: prompts decoded at once; None: as many as suit the device and its memory.
    """

    def __init__(self, sam: PromptableNetwork[Any], *, name: str, chunk_size: int | None = None) -> None:
        if chunk_size is not None and chunk_size < 1:
            raise ValueError(f"chunk_size must be at least 1; got {chunk_size}.")
        self.sam = sam
        self.name = name
        self.chunk_size = chunk_size

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return self.sam.device

    @property
    def device_description(self) -> str:
        """The device in words: "CPU, 2 threads", "CPU, 2 threads, bfloat16" or "NVIDIA H200, bfloat16"."""
        if self.device.type == "cuda":
            return f"{torch.cuda.get_device_name(self.device)}, {str(self.sam.dtype).removeprefix('torch.')}"
        if self.device.type == "cpu":
            threads = torch.get_num_threads()
            runtime = getattr(self.sam, "runtime", None)  # of networks that PyTorch does not run
            also = runtime or ("bfloat16" if self.sam.dtype == torch.bfloat16 else None)
            return f"CPU, {threads} thread{'' if threads == 1 else 's'}{f', {also}' if also else ''}"
        return self.device.type.upper()

    @cached_property
    def _weights(self) -> str:
        """A fingerprint of the weights, the same on every device and in float32 and bfloat16; "" if there is none."""
        digest = hashlib.sha256()
        for value in self.sam.state_dict().values() if isinstance(self.sam, nn.Module) else ():
            if value.is_meta:
                return ""
            some = value.detach().flatten()[:8].to(device="cpu", dtype=torch.bfloat16)
            digest.update(some.view(torch.int16).numpy().tobytes())
        return digest.hexdigest()[:16] if isinstance(self.sam, nn.Module) else ""

    def encode(self, image: ImageInput) -> Embedding:
        """Encode a picture, once for any number of prompts.

        Args:
            image: a picture in any form that `images.read_image` takes: a path, bytes, a PIL image, an array, a tensor.

        Raises:
            InvalidImageError: if it cannot be read as a picture.
            NotEnoughMemoryError: if the device has no room for it.
        """
        watch = Stopwatch(self.device)
        with watch.stage("preprocess"), inference(self.device):
            picture = load_image(image)
            size_hw = (picture.shape[0], picture.shape[1])
            resize = ResizeLongestSide(size_hw=size_hw, input_side=self.sam.input_side)
            pixels_resize = replace(resize, input_side=self.sam.picture_side)  # in some models a smaller one
            pixels = to_input(picture, pixels_resize, device=self.device, dtype=self.sam.dtype)
        try:
            with watch.stage("encode"), inference(self.device):
                features = self.sam.encode(pixels).contiguous()  # bit for bit the same when stored
        except (RuntimeError, MemoryError) as error:
            if is_short_of_memory(error):
                raise self._no_memory("encoding a picture") from error
            raise
        return Embedding(
            features=features, resize=resize, timings=watch.seconds, model=self.name, weights=self._weights
        )

    def decode_logits(
        self,
        embedding: Embedding,
        *,
        boxes: npt.ArrayLike | None = None,
        points: npt.ArrayLike | None = None,
        labels: npt.ArrayLike | None = None,
        mask_inputs: npt.ArrayLike | Tensor | None = None,
        multimask: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Decode prompts on an encoded picture, in the order given.

        Args:
            embedding: from `encode`.
            boxes: (N, 4) or (4,), x0 y0 x1 y1 in pixels of the original picture.
            points: (N, P, 2), or (N, 2) for one point per prompt, x before y in pixels of the original picture.
            labels: (N, P), 1 foreground, 0 background; left out, every point is foreground.
            mask_inputs: (N, h, w), logits of an earlier answer to refine, or masks of the picture at its full size.
            multimask: three masks per prompt instead of one.

        Returns:
            Low-resolution logits float32 (N, M, h, w) over the model's square input, a mask where above 0, and
            predicted IoUs float32 (N, M), on the model's device. M is 3 with `multimask`, else 1.

        Raises:
            PromptError: if the prompts do not fit each other, lie outside the picture, or the embedding is another
                model's. Boxes are clipped to the picture.
        """
        self._check(embedding)
        prompts = prompts_from(
            boxes=boxes,
            points=points,
            labels=labels,
            multimask=multimask,
            size_hw=embedding.resize.size_hw,
        )
        chunks = [answer for _, *answer in self._answers(embedding, prompts, mask_inputs)]
        if not chunks:
            side = 4 * embedding.features.shape[-1]
            count = 3 if multimask else 1
            return torch.zeros(0, count, side, side, device=self.device), torch.zeros(0, count, device=self.device)
        logits, iou = zip(*chunks, strict=True)
        return torch.cat(logits), torch.cat(iou)

    def predict(
        self,
        embedding: Embedding,
        *,
        boxes: npt.ArrayLike | None = None,
        points: npt.ArrayLike | None = None,
        labels: npt.ArrayLike | None = None,
        mask_inputs: npt.ArrayLike | Tensor | None = None,
        multimask: bool = False,
    ) -> Masks:
        """Masks for prompts on an encoded picture, in the order given; takes what `decode_logits` takes.

        With `multimask` the three masks of a prompt follow each other; `prompt_index` tells whose they are. Their
        scores are the predicted IoUs.
        """
        self._check(embedding)
        prompts = prompts_from(
            boxes=boxes,
            points=points,
            labels=labels,
            multimask=multimask,
            size_hw=embedding.resize.size_hw,
        )
        parts = [Masks.empty(embedding.resize.size_hw)]
        for first, logits, iou in self._answers(embedding, prompts, mask_inputs):
            parts.append(all_masks(logits, iou, embedding.resize, prompts=prompts, first=first))
        return Masks.concatenate(parts)

    def _check(self, embedding: Embedding, *, size_hw: tuple[int, int] | None = None) -> None:
        """Refuse what is no embedding, one of another model, or of a picture of another height and width."""
        if not isinstance(embedding, Embedding):
            raise PromptError(f"The embedding must be what `encode` returns; got {type(embedding).__name__}.")
        if embedding.model != self.name:
            raise PromptError(
                f"The embedding was made by {embedding.model}; {self.name} can only decode its own. Encode the "
                "picture again."
            )
        if embedding.weights and self._weights and embedding.weights != self._weights:
            raise PromptError(
                f"The embedding was made by {self.name} with other weights than these, which cannot decode it. Encode "
                "the picture again."
            )
        made_of = embedding.resize.size_hw
        if size_hw is not None and made_of != size_hw:
            raise PromptError(f"The embedding is of a picture of {made_of} (height, width); this one has {size_hw}.")

    def _answers(
        self, embedding: Embedding, prompts: Prompts, mask_inputs: npt.ArrayLike | Tensor | None
    ) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Decode prompts chunk by chunk: the first prompt of each chunk, its logits and its predicted IoUs."""
        masks: Tensor | None = None
        if mask_inputs is not None:
            side = 4 * embedding.features.shape[-1]
            masks = masks_from(mask_inputs, count=len(prompts), side=side, resize=embedding.resize)
        if len(prompts) == 0:
            return
        shared = self._share(embedding)
        for part in self._chunks(embedding, range(len(prompts)), shared if masks is None else None):
            of_part = None if masks is None else masks[part]
            yield part.start, *self._decode(embedding, prompts[part], of_part, shared)

    def _share(self, embedding: Embedding) -> object:
        """What all prompts on a picture share in the network."""
        with inference(self.device):
            return self.sam.share(embedding.features.to(self.sam.dtype))

    def _decode(
        self,
        embedding: Embedding,
        prompts: Prompts,
        masks: Tensor | None,
        shared: object,
    ) -> tuple[Tensor, Tensor]:
        """Logits (N, M, h, w) and predicted IoUs (N, M) of one chunk; where memory does not suffice, of its halves.

        Raises:
            NotEnoughMemoryError: if it does not suffice for one prompt.
        """
        try:
            return self._decode_at_once(embedding, prompts, masks, shared)
        except (RuntimeError, MemoryError) as error:
            if not is_short_of_memory(error):
                raise
            if len(prompts) == 1:
                raise self._no_memory("one prompt") from error
        # Outside of the handler, which would keep what was made so far alive.
        middle = len(prompts) // 2
        parts = [
            self._decode(embedding, prompts[half], None if masks is None else masks[half], shared)
            for half in (slice(0, middle), slice(middle, len(prompts)))
        ]
        logits, iou = zip(*parts, strict=True)
        return torch.cat(logits), torch.cat(iou)

    def _no_memory(self, what: str) -> NotEnoughMemoryError:
        return NotEnoughMemoryError(
            f"There is not enough memory for {what} on {self.device_description}. Close other programs, or take a "
            "smaller model or another device."
        )

    def _decode_at_once(
        self,
        embedding: Embedding,
        prompts: Prompts,
        masks: Tensor | None,
        shared: object,
    ) -> tuple[Tensor, Tensor]:
        """What `_decode` gives, without looking at the memory."""
        if prompts.is_mixed:
            raise PromptError("The decoder takes prompts of one kind at a time, with a box or without; got both.")
        resize, device = embedding.resize, self.device

        def moved(array: npt.NDArray[Any] | None, dtype: npt.DTypeLike = np.float32) -> Tensor | None:
            # float32 before it moves: some devices (Apple's MPS) take no float64.
            return None if array is None else torch.from_numpy(np.ascontiguousarray(array, dtype)).to(device)

        with inference(self.device):
            return self.sam.decode(
                embedding.features.to(self.sam.dtype),
                points=moved(None if prompts.points is None else resize.points_to_input(prompts.points)),
                labels=moved(prompts.labels, np.int64),
                boxes_xyxy=moved(None if prompts.boxes_xyxy is None else resize.boxes_to_input(prompts.boxes_xyxy)),
                masks=None if masks is None else masks.to(device),
                shared=shared,
                multimask=prompts.multimask,
            )

    def _chunks(self, embedding: Embedding, prompts: range, shared: object) -> Iterator[slice]:
        """The prompts in pieces that suit the device; no prompts are one piece of none."""
        hw = (embedding.features.shape[2], embedding.features.shape[3])
        size = self.chunk_size or suitable_chunk(self.sam, hw, shared=shared)
        starts = range(prompts.start, max(prompts.stop, prompts.start + 1), size)
        return (slice(start, min(start + size, prompts.stop)) for start in starts)
