"""Segments everything in a picture: encode it, let a sampler ask, decode chunk by chunk, filter.

Values flow and nothing is remembered: one `Segmenter` serves any number of people.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .errors import PromptError
from .filters import MaskFilters, passes_thresholds
from .images import ImageInput, read_image
from .inference import inference
from .models.promptable import PromptableNetwork
from .postprocess import kept_masks
from .progress import Progress, run_to_end
from .promptable import Embedding, PromptableModel
from .prompts import Sampler, make_sampler
from .prompts.grid import SAM_FILTERS
from .prompts.object_aware import Detector
from .request import Request
from .results import PartialMasks, RunInfo, SegmentationResult
from .stopwatch import Stopwatch
from .types import Masks, Picture, Prompts

__all__ = ["Embedding", "Segmenter"]


@dataclass(frozen=True, eq=False)
class _Work:
    """One run of a sampler; see `Segmenter.steps`."""

    picture: Picture
    embedding: Embedding
    sampler: Sampler
    filters: MaskFilters
    skip: int
    stop: Callable[[], bool]
    info: RunInfo
    watch: Stopwatch


_NO_PROMPTS = Prompts(boxes_xyxy=np.zeros((0, 4), dtype=np.float32))


class Segmenter(PromptableModel):
    """A segmentation model and a detector that finds objects for it, on one device.

    Args:
        sam: the model, in evaluation mode, on the device and in the number format to run in.
        name: what people call it.
        detector: finds objects for samplers that ask about them; None: only grids are possible.
        grid_filters: the filters of masks of points that suit this model.
        chunk_size: prompts decoded at once; None: as many as suit the device and its memory.
    """

    def __init__(
        self,
        sam: PromptableNetwork[Any],
        *,
        name: str,
        detector: Detector | None = None,
        grid_filters: MaskFilters = SAM_FILTERS,
        chunk_size: int | None = None,
    ) -> None:
        super().__init__(sam, name=name, chunk_size=chunk_size)
        self.detector = detector
        self.grid_filters = grid_filters

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
    def has_detector(self) -> bool:
        """Whether object-aware sampling is possible."""
        return self.detector is not None

    def segment_everything(
        self,
        image: ImageInput,
        *,
        sampler: str | Sampler = "object-aware",
        max_prompts: int | None = None,
        points_per_side: int | None = None,
        confidence: float | None = None,
        multimask: bool | None = None,
        request: Request | None = None,
        embedding: Embedding | None = None,
    ) -> SegmentationResult:
        """Find masks of everything in a picture.

        Args:
            image: a picture in any form that `images.read_image` takes: a path, bytes, a PIL image, an array, a tensor.
            sampler: one of `prompts.SAMPLERS` by its name, or a `Sampler` of your own.
            max_prompts, points_per_side, confidence, multimask: as `Request` takes them; a sampler of your own has its
                own.
            request: all of this, and filters, in one value instead.
            embedding: of the same picture, to save encoding it again.

        Returns:
            Masks sorted by score, best first, with the prompts asked and the seconds spent. No object found is no
            masks, not an error.

        Raises:
            InvalidImageError: if the image cannot be read.
            UnknownModelError: if there is no sampler of that name.
            PromptError: if an option does not belong to the sampler or is out of range.
        """
        options = {
            "max_prompts": max_prompts,
            "points_per_side": points_per_side,
            "confidence": confidence,
            "multimask": multimask,
        }
        given = [name for name, value in options.items() if value is not None]
        chosen: Request | Sampler
        if request is not None:
            if given or sampler != "object-aware":
                raise PromptError("A request names sampler and options; give it alone.")
            chosen = request
        elif isinstance(sampler, str):
            chosen = Request(sampler, max_prompts, points_per_side, confidence, multimask)
        else:
            if given:
                raise PromptError(f"A sampler object brings its own options; leave {', '.join(given)} out.")
            chosen = sampler
        return run_to_end(self.steps(image, chosen, embedding=embedding))

    def steps(
        self,
        image: ImageInput,
        request: Request | Sampler | None = None,
        *,
        embedding: Embedding | None = None,
        filters: MaskFilters | None = None,
        skip: int = 0,
        stop: Callable[[], bool] | None = None,
    ) -> Generator[Progress | PartialMasks, None, SegmentationResult]:
        """Find masks of everything in a picture, pausing after every stage and chunk.

        Args:
            image: a picture in any form that `images.read_image` takes: a path, bytes, a PIL image, an array, a tensor.
            request: what is asked, or a sampler of one's own; None: `Request()`.
            embedding: of the same picture, to save encoding it again.
            filters: instead of the sampler's own and of what the request leaves out: `MaskFilters()` keeps every mask
                that has a pixel.
            skip: so many prompts of the first round were asked before and are left out.
            stop: looked at before each stage and chunk; when it says True the run ends with what it has.

        Yields:
            How far the run is, and after each chunk the masks it gave; a round of no prompts gives a chunk of none.

        Returns:
            As `segment_everything`, without the skipped prompts. Closing the generator stops the work.

        Raises:
            InvalidImageError, PromptError: as `segment_everything`; also if the embedding is of another picture or
                model, or `skip` is negative.
        """
        if skip < 0:
            raise PromptError(f"skip must not be negative; got {skip}.")
        asked = Request() if request is None else request
        sampler = self.sampler_for(asked) if isinstance(asked, Request) else asked
        watch = Stopwatch(self.device)
        with watch.stage("preprocess"):
            read = read_image(image)
        picture, size_hw = read.picture, (read.picture.shape[0], read.picture.shape[1])
        info = RunInfo(
            sampler=sampler.name,
            model=self.name,
            device=self.device_description,
            timings=watch.seconds,
            masks_decoded=0,
            request=asked if isinstance(asked, Request) else None,
            own_filters=sampler.filters,
            scaled_to_own_range=read.scaled_to_own_range,
        )
        if embedding is not None:
            self._check(embedding, size_hw=size_hw)
        stop = stop or _never
        parts: list[PartialMasks] = []
        complete = False
        if embedding is None and not stop():
            yield Progress("encode", 0, 1)
            embedding = self.encode(picture)
        if embedding is not None and not stop():
            watch.add(embedding.timings)  # also where it was made before: it is part of what this result cost
            used = sampler.filters if filters is None else filters.instead_of(sampler.filters)
            work = _Work(picture, embedding, sampler, used, skip=skip, stop=stop, info=info, watch=watch)
            complete = yield from self._rounds(work, parts)
        yield Progress("filter", 0, 1)
        with watch.stage("filter"):
            nothing = PartialMasks(Masks.empty(size_hw), _NO_PROMPTS, first=0, done=0, total=0, run=info)
            result = SegmentationResult.of_partial(parts or [nothing], filters=filters, is_complete=complete)
        return replace(result, timings=watch.seconds)

    def sampler_for(self, request: Request) -> Sampler:
        """The sampler that `request` names, with this model's detector and filters.

        Raises:
            PromptError: if it needs a detector and there is none.
        """
        return make_sampler(request, detector=self.detector, grid_filters=self.grid_filters, model_name=self.name)

    def _rounds(self, work: _Work, parts: list[PartialMasks]) -> Generator[Progress | PartialMasks, None, bool]:
        """Ask what the sampler asks, adding the masks of each chunk to `parts`; whether it came to the end."""
        embedding, watch = work.embedding, work.watch
        yield Progress("discover", 0, 1)
        rounds = work.sampler.rounds(work.picture)
        with watch.stage("decode"):
            shared = self._share(embedding)
        skip = work.skip
        before = 0  # prompts of the rounds before, skipped ones too
        done = decoded = 0
        answer: Masks | None = None
        while True:
            with watch.stage("discover"), inference(self.device):
                try:
                    prompts = next(rounds) if answer is None else rounds.send(answer)
                except StopIteration:
                    return True
            skip = min(skip, len(prompts)) if answer is None else 0
            total = done + len(prompts) - skip
            yield Progress("decode", done, total)
            answers = [Masks.empty(embedding.resize.size_hw)]
            for part in self._chunks(embedding, range(skip, len(prompts)), shared):
                if work.stop():
                    return False
                masks = answers[0]
                if part.start < part.stop:
                    with watch.stage("decode"):
                        logits, iou = self._decode(embedding, prompts[part], None, shared)
                    decoded += iou.numel()
                    masks = kept_masks(
                        logits,
                        iou,
                        embedding.resize,
                        prompts=prompts,
                        first=part.start,
                        filters=work.filters,
                        watch=watch,
                    )
                # The sampler is sent what its own filters leave, so that others change nothing of what it asks.
                answers.append(
                    masks
                    if work.filters == work.sampler.filters
                    else masks.select(passes_thresholds(masks, work.sampler.filters))
                )
                done += part.stop - part.start
                partial = PartialMasks(
                    masks=replace(masks, prompt_index=masks.prompt_index + before),
                    prompts=prompts[part],
                    first=before + part.start,
                    done=done,
                    total=total,
                    run=replace(work.info, timings=dict(watch.seconds), masks_decoded=decoded),
                )
                parts.append(partial)
                yield Progress("decode", done, total)
                yield partial
            answer = Masks.concatenate(answers)
            before += len(prompts)


def _never() -> bool:
    return False
