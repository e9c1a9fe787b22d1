"""Runs a model on pictures: encode once, let a sampler ask, decode in chunks that fit in memory.

Values flow and nothing is remembered: one `Segmenter` serves any number of visitors.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .errors import PromptError
from .geometry import ResizeLongestSide
from .images import ImageInput, load_image
from .models.chunks import suitable_chunk
from .models.mask_decoder.shared_image import SharedImage
from .models.nano.mask_head import SharedFeatures
from .models.nano.model import NanoModel
from .models.preprocess import to_input
from .models.sam import Sam
from .postprocess import all_masks, kept_masks, without_duplicates
from .progress import Progress, run_to_end
from .prompts import MaskFilters, Sampler
from .prompts.chosen import chosen_sampler
from .prompts.given import prompts_from
from .prompts.grid import SAM_FILTERS
from .prompts.object_aware import Detector
from .stopwatch import Stopwatch
from .types import Masks, Prompts, SegmentationResult


@dataclass(frozen=True, eq=False)
class Embedding:
    """One encoded picture.

    Args:
        features: (1, C, h, w) on the model's device.
        frame: where the picture lies in the model's input.
        timings: seconds spent in "preprocess" and "encode".
    """

    features: Tensor
    frame: ResizeLongestSide
    timings: dict[str, float]


class Segmenter:
    """A segmentation model and a detector that finds objects for it, on one device.

    Args:
        sam: the model, in evaluation mode, on the device and in the number format to run in.
        name: what people call it.
        detector: finds objects for object-aware sampling; None: only grid search is possible.
        grid_filters: the filters of grid search that suit this model.
        chunk_size: prompts decoded at once; None: as many as suit the device and its memory.
    """

    def __init__(
        self,
        sam: Sam | NanoModel,
        *,
        name: str,
        detector: Detector | None = None,
        grid_filters: MaskFilters = SAM_FILTERS,
        chunk_size: int | None = None,
    ) -> None:
        if chunk_size is not None and chunk_size < 1:
            raise ValueError(f"chunk_size must be at least 1; got {chunk_size}.")
        self.sam = sam
        self.name = name
        self.detector = detector
        self.grid_filters = grid_filters
        self.chunk_size = chunk_size

    def with_detector(self, detector: Detector) -> Segmenter:
        """The same model, sharing its memory, with another detector."""
        return Segmenter(
            self.sam,
            name=self.name,
            detector=detector,
            grid_filters=self.grid_filters,
            chunk_size=self.chunk_size,
        )

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return self.sam.device

    @property
    def has_detector(self) -> bool:
        """Whether object-aware sampling is possible."""
        return self.detector is not None

    @property
    def device_description(self) -> str:
        """The device in words: "CPU, 2 threads" or "NVIDIA H200, bfloat16"."""
        if self.device.type == "cuda":
            return f"{torch.cuda.get_device_name(self.device)}, {str(self.sam.dtype).removeprefix('torch.')}"
        if self.device.type == "cpu":
            threads = torch.get_num_threads()
            return f"CPU, {threads} thread{'' if threads == 1 else 's'}"
        return self.device.type.upper()

    def encode(self, image: ImageInput) -> Embedding:
        """Encode a picture, once for any number of prompts.

        Args:
            image: a path, a PIL image, or uint8 RGB (H, W, 3).

        Raises:
            InvalidImageError: if it cannot be read as a picture.
        """
        watch = Stopwatch(self.device)
        with watch.stage("preprocess"), torch.inference_mode():
            picture = load_image(image)
            frame = ResizeLongestSide(
                size_hw=(picture.shape[0], picture.shape[1]), input_side=self.sam.input_side
            )
            pixels_frame = replace(frame, input_side=self.sam.picture_side)  # in some models a smaller one
            pixels = to_input(picture, pixels_frame, device=self.device, dtype=self.sam.dtype)
        with watch.stage("encode"), torch.inference_mode():
            features = self.sam.encode(pixels)
        return Embedding(features=features, frame=frame, timings=watch.seconds)

    def decode_logits(
        self,
        embedding: Embedding,
        *,
        boxes: npt.ArrayLike | None = None,
        points: npt.ArrayLike | None = None,
        labels: npt.ArrayLike | None = None,
        mask_inputs: Tensor | None = None,
        multimask: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Decode prompts on an encoded picture, in the order given.

        Args:
            embedding: from `encode`.
            boxes: (N, 4) or (4,), x0 y0 x1 y1 in pixels of the original picture.
            points: (N, P, 2), or (N, 2) for one point per prompt, x before y in pixels of the original picture.
            labels: (N, P) or (N,), 1 foreground, 0 background; left out, every point is foreground.
            mask_inputs: (N, h, w), logits of an earlier answer to refine.
            multimask: three masks per prompt instead of one.

        Returns:
            Low-resolution logits float32 (N, M, h, w) over the model's square input, a mask where above 0, and
            predicted IoUs float32 (N, M), on the model's device. M is 3 with `multimask`, else 1.

        Raises:
            PromptError: if the prompts do not fit each other.
        """
        prompts = prompts_from(boxes=boxes, points=points, labels=labels, multimask=multimask)
        chunks = [answer for _, *answer in self._answers(embedding, prompts, mask_inputs)]
        if not chunks:
            side = 4 * embedding.features.shape[-1]
            count = 3 if multimask else 1
            return torch.zeros(0, count, side, side, device=self.device), torch.zeros(
                0, count, device=self.device
            )
        logits, iou = zip(*chunks, strict=True)
        return torch.cat(logits), torch.cat(iou)

    def predict(
        self,
        embedding: Embedding,
        *,
        boxes: npt.ArrayLike | None = None,
        points: npt.ArrayLike | None = None,
        labels: npt.ArrayLike | None = None,
        mask_inputs: Tensor | None = None,
        multimask: bool = False,
    ) -> Masks:
        """Masks for prompts on an encoded picture, in the order given; takes what `decode_logits` takes.

        With `multimask` the three masks of a prompt follow each other; `prompt_index` tells whose they are. Their
        scores are the predicted IoUs.
        """
        prompts = prompts_from(boxes=boxes, points=points, labels=labels, multimask=multimask)
        parts = [Masks.empty(embedding.frame.size_hw)]
        for first, logits, iou in self._answers(embedding, prompts, mask_inputs):
            parts.append(all_masks(logits, iou, embedding.frame, prompts=prompts, first=first))
        return Masks.concatenate(parts)

    def segment_everything(
        self,
        image: ImageInput,
        *,
        sampler: str | Sampler = "object-aware",
        max_prompts: int | None = None,
        points_per_side: int | None = None,
        embedding: Embedding | None = None,
    ) -> SegmentationResult:
        """Find masks of everything in a picture.

        Args:
            image: a path, a PIL image, or uint8 RGB (H, W, 3).
            sampler: "object-aware", "grid", or a `Sampler` of your own.
            max_prompts: at most so many prompts. Object-aware: 320 where not given. Grid: the largest square grid
                that fits.
            points_per_side: of the grid, 32 where not given; grid search only.
            embedding: of the same picture, to save encoding it again.

        Returns:
            Masks sorted by score, best first, with the prompts asked and the seconds spent. No object found is no
            masks, not an error.

        Raises:
            InvalidImageError: if the image cannot be read.
            UnknownModelError: if there is no sampler of that name.
            PromptError: if an option does not belong to the sampler or is out of range.
        """
        steps = self.steps(
            image,
            sampler=sampler,
            max_prompts=max_prompts,
            points_per_side=points_per_side,
            embedding=embedding,
        )
        return run_to_end(steps)

    def steps(
        self,
        image: ImageInput,
        *,
        sampler: str | Sampler = "object-aware",
        max_prompts: int | None = None,
        points_per_side: int | None = None,
        embedding: Embedding | None = None,
    ) -> Generator[Progress, None, SegmentationResult]:
        """As `segment_everything`, pausing after every stage and chunk. Closing the generator stops the work."""
        chosen = chosen_sampler(
            sampler,
            max_prompts=max_prompts,
            points_per_side=points_per_side,
            grid_filters=self.grid_filters,
            detector=self.detector,
            model=self.name,
        )
        watch = Stopwatch(self.device)
        with watch.stage("preprocess"):
            picture = load_image(image)
        size_hw = (picture.shape[0], picture.shape[1])
        if embedding is None:
            yield Progress("encode", 0, 1)
            embedding = self.encode(picture)
        elif embedding.frame.size_hw != size_hw:
            raise PromptError(
                f"The embedding is of a picture of {embedding.frame.size_hw} (height, width); this one has {size_hw}."
            )
        watch.add(embedding.timings)  # also where it was made before: it is part of what this result cost
        yield Progress("discover", 0, 1)

        rounds = chosen.rounds(picture)
        asked: list[Prompts] = []
        kept: list[Masks] = [Masks.empty(size_hw)]
        decoded = 0
        answer: Masks | None = None
        with watch.stage("decode"):
            shared = self._share(embedding)
        while True:
            with watch.stage("discover"), torch.inference_mode():
                try:
                    prompts = next(rounds) if answer is None else rounds.send(answer)
                except StopIteration:
                    break
            offset = sum(map(len, asked))
            asked.append(prompts)
            answers = [Masks.empty(size_hw)]
            yield Progress("decode", offset, offset + len(prompts))
            for part in self._chunks(embedding, len(prompts), shared):
                with watch.stage("decode"):
                    logits, iou = self._decode(embedding, prompts[part], None, shared)
                decoded += iou.numel()
                answers.append(
                    kept_masks(
                        logits,
                        iou,
                        embedding.frame,
                        prompts=prompts,
                        first=part.start,
                        filters=chosen.filters,
                        watch=watch,
                    )
                )
                yield Progress("decode", offset + part.stop, offset + len(prompts))
            answer = Masks.concatenate(answers)
            kept.append(replace(answer, prompt_index=answer.prompt_index + offset))
        yield Progress("filter", 0, 1)
        with watch.stage("filter"):
            passed = Masks.concatenate(kept)
            masks = without_duplicates(passed, chosen.filters.box_nms).sorted_by_score()
        return SegmentationResult(
            masks=masks,
            prompts=Prompts.concatenate(asked),
            timings=watch.seconds,
            masks_decoded=decoded,
            sampler=chosen.name,
            model=self.name,
            device=self.device_description,
            duplicates_removed=len(passed) - len(masks),
        )

    def _answers(
        self, embedding: Embedding, prompts: Prompts, mask_inputs: Tensor | None
    ) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Decode prompts chunk by chunk: the first prompt of each chunk, its logits and its predicted IoUs."""
        if mask_inputs is not None and len(mask_inputs) != len(prompts):
            raise PromptError(f"mask_inputs must be one per prompt: {len(prompts)}; got {len(mask_inputs)}.")
        masked = mask_inputs is not None
        shared = self._share(embedding, masked=masked) if len(prompts) else None
        for part in self._chunks(embedding, len(prompts), shared):
            masks = None if mask_inputs is None else mask_inputs[part]
            yield part.start, *self._decode(embedding, prompts[part], masks, shared)

    @torch.inference_mode()
    def _share(self, embedding: Embedding, *, masked: bool = False) -> SharedImage | SharedFeatures | None:
        """What all prompts on a picture share in the decoder."""
        return self.sam.share(embedding.features, masked=masked)

    @torch.inference_mode()
    def _decode(
        self,
        embedding: Embedding,
        prompts: Prompts,
        mask_inputs: Tensor | None,
        shared: SharedImage | SharedFeatures | None,
    ) -> tuple[Tensor, Tensor]:
        """Logits (N, M, h, w) and predicted IoUs (N, M) of one chunk, with `Sam.share` of its embedding."""
        frame, device = embedding.frame, self.device

        def moved(array: npt.NDArray[Any] | None) -> Tensor | None:
            return None if array is None else torch.from_numpy(np.ascontiguousarray(array)).to(device)

        masks = None
        if mask_inputs is not None:
            masks = mask_inputs.to(device=device, dtype=torch.float32).reshape(
                len(prompts), 1, *mask_inputs.shape[-2:]
            )
        return self.sam.decode(
            embedding.features,
            points=moved(None if prompts.points is None else frame.points_to_input(prompts.points)),
            labels=moved(prompts.labels),
            boxes_xyxy=moved(
                None if prompts.boxes_xyxy is None else frame.boxes_to_input(prompts.boxes_xyxy)
            ),
            masks=masks,
            shared=shared,  # type: ignore[arg-type]
            multimask=prompts.multimask,
        )

    def _chunks(
        self, embedding: Embedding, count: int, shared: SharedImage | SharedFeatures | None
    ) -> Iterator[slice]:
        hw = (embedding.features.shape[2], embedding.features.shape[3])
        size = self.chunk_size or suitable_chunk(self.sam, hw, sharing=shared is not None)
        return (slice(start, min(start + size, count)) for start in range(0, count, size))
