"""Results of a run: masks of each chunk as they come, all that was kept at the end, and a record of the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from .filters import KEEP_ALL, SHOW_ALL, MaskFilters, apply_filters, without_duplicates
from .geometry import Tiles
from .nesting import Nesting
from .request import Request
from .types import Masks, Prompts

STAGES = ("preprocess", "encode", "discover", "decode", "filter", "postprocess")
"""The stages a run is timed by, in order. Each second of a run belongs to one of them."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RunInfo:
    """What a run is and took.

    Args:
        sampler: name of the sampler.
        model: name of the model.
        device: where it ran, for people: "CPU, 2 threads", "NVIDIA H200, bfloat16".
        timings: seconds per stage of `STAGES`, measured with the device synchronised.
        masks_decoded: how many masks the decoder gave before filters.
        request: what was asked; None where a sampler object was.
        own_filters: the sampler's own filters, whether they were used or not.
        scaled_to_own_range: whether the picture was (`ReadImage`).
        tiles: the windows it was segmented in, beside the whole; None: only the whole.
    """

    sampler: str
    model: str
    device: str
    timings: dict[str, float]
    masks_decoded: int
    request: Request | None = None
    own_filters: MaskFilters = KEEP_ALL
    scaled_to_own_range: bool = False
    tiles: Tiles | None = None

    @property
    def seconds(self) -> float:
        """Seconds of all stages together."""
        return sum(self.timings.values())


@dataclass(frozen=True, eq=False)
class PartialMasks:
    """The masks of one chunk of prompts, as soon as they are there. Plain values: it can be pickled.

    Args:
        masks: those that pass the filters but for `box_nms`; `prompt_index` counts all prompts of the picture,
            skipped ones included.
        prompts: of this chunk.
        first: which of all prompts of the picture the chunk begins with.
        done, total: prompts decoded, and prompts of the rounds begun, skipped ones left out.
        run: what the run is and took so far.
    """

    masks: Masks
    prompts: Prompts
    first: int
    done: int
    total: int
    run: RunInfo


@dataclass(frozen=True, eq=False, kw_only=True)
class SegmentationResult(RunInfo):
    """What one run of segment-everything gave.

    Args:
        masks: the masks that were kept, best first.
        prompts: every prompt that was asked, in the order asked; `masks.prompt_index` points into it.
        duplicates_removed: how many masks passed every other filter and were dropped because a better one has
            nearly the same box; 0 where the sampler has no such filter.
        is_complete: whether the sampler had no more to ask; False where the run was stopped before.
    """

    masks: Masks
    prompts: Prompts
    duplicates_removed: int = 0
    is_complete: bool = True

    @classmethod
    def of_partial(
        cls, parts: Sequence[PartialMasks], *, filters: MaskFilters | None = None, is_complete: bool = False
    ) -> SegmentationResult:
        """The result of a run as far as it came.

        Args:
            parts: all that the run gave, at least one, in order.
            filters: as `Segmenter.steps` was given them; None: the sampler's own, and then what the request leaves out.
            is_complete: whether there was no more to come.

        Raises:
            ValueError: if there are no parts.
        """
        if not parts:
            raise ValueError("A run that gave nothing yet has no result; got no parts.")
        run = parts[-1].run
        passed = Masks.concatenate([part.masks for part in parts])
        passed = replace(passed, prompt_index=passed.prompt_index - parts[0].first)
        kept = without_duplicates(passed, filters or run.own_filters)
        masks = passed.select(kept).sorted_by_score()
        view = run.request.view if filters is None and run.request is not None else SHOW_ALL
        return cls(
            **vars(run),
            masks=apply_filters(masks, view=view)[0],
            prompts=Prompts.concatenate([part.prompts for part in parts]),
            duplicates_removed=len(passed) - len(kept),
            is_complete=is_complete,
        )

    @cached_property
    def nesting(self) -> Nesting:
        """Which masks are parts of which: a tree of wholes, parts, and parts of parts."""
        return Nesting.of(self.masks)

    def to_record(self) -> dict[str, Any]:
        """What the run was, ready for `json.dumps`; the masks apart. The README has a table of the keys."""
        height, width = self.masks.size_hw
        return {
            "model": self.model,
            "device": self.device,
            "sampler": self.sampler,
            "request": None if self.request is None else self.request.to_record(),
            "image": {"width": width, "height": height, "scaled_to_own_range": self.scaled_to_own_range},
            "tiles": None if self.tiles is None else self._tiles_record(self.tiles),
            "prompts": len(self.prompts),
            "masks_decoded": self.masks_decoded,
            "masks": len(self.masks),
            "duplicates_removed": self.duplicates_removed,
            "coverage": round(self.masks.coverage, 6),
            "seconds": {stage: round(seconds, 6) for stage, seconds in self.timings.items()},
            "total_seconds": round(self.seconds, 6),
            "is_complete": self.is_complete,
        }

    def _tiles_record(self, tiles: Tiles) -> dict[str, Any]:
        windows = len(tiles.windows(self.masks.size_hw))
        return {"side": tiles.side, "overlap": tiles.overlap, "windows": windows}
