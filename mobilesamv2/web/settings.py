"""Every limit and default of the page in one place. Knows nothing of components or models."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import MobileSamError
from ..images import MAX_PIXELS

PAPER_URL = "https://arxiv.org/abs/2312.09579"
LICENCE_URL = "https://www.gnu.org/licenses/agpl-3.0.html"
EMBEDDED_MODEL = "nano"
"""Comes with the package and needs no network: what the page falls back to."""
HOSTED_MODEL = "mobilesamv2-tinyvit"
"""What a hosted Space starts with; its files are fetched when the Space is built."""
FRAMES = ("https://huggingface.co", "https://*.huggingface.co")
"""Who shows the page of a Space in a frame."""
_YES = frozenset(("1", "true", "t"))
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png", ".webp")


@dataclass(frozen=True)
class Settings:
    """How one page is set up; `from_environment` is what `app.py` and `mobilesamv2 serve` use.

    Args:
        model: the model that is loaded at the start and chosen on the page.
        examples: photographs offered below the upload; none is fine.
        first_example: show the first example's masks to visitors before they do anything.
        source_url: where visitors find the source of what runs here; None: the page itself hands it out.
        load_all_models: load every model at the start. ZeroGPU needs it: what is loaded later is lost there.
        prompts: the smallest, largest and first value of the prompt slider, and its step.
        grid_sides: the smallest, largest and first value of the grid's points per side, and its step.
        efforts: what the dial sets: sampler, prompts and confidence of the detector.
        most_clean: pixels of the largest islands and holes that *Clean* takes away.
        stage_side: longest side in pixels of the picture area's photo and masks.
        display_side: longest side in pixels of the overlays on the page.
        most_pixels, upload_bytes: of a photo and of its file.
        most_photos: of one batch.
        queue_size: requests that wait.
        most_seconds: of one run of a model, without waiting for its turn.
        most_results: kept of one photo of a visitor.
        most_sessions, most_session_bytes: visitors of whom something is kept, and the memory of all together, about.
        keep_seconds: uploads and results stay so long on the disk, and a visitor's work in memory.
        fetch_addresses: fetch a photo from an address that a program names; otherwise no request leaves the machine.
        most_objects: objects that may be pointed at on one photo.
        most_points: points for one object.
        thumbnail_side: longest side in pixels of their overlays on the page.
        frames: origins that may show the page in a frame.
        gpu_seconds: a fixed share, seconds per prompt and an upper bound, asked of ZeroGPU for one run.
    """

    model: str = EMBEDDED_MODEL
    examples: tuple[Path, ...] = ()
    first_example: bool = True
    source_url: str | None = None
    load_all_models: bool = False
    prompts: Range = field(default_factory=lambda: Range(16, 1024, 320, 16))
    grid_sides: Range = field(default_factory=lambda: Range(8, 32, 32, 8))
    efforts: dict[str, tuple[str, int, float]] = field(
        default_factory=lambda: {
            "Fast": ("object-aware", 64, 0.5),
            "Balanced": ("object-aware", 320, 0.4),  # the paper's
            "Thorough": ("object-aware", 1024, 0.1),
        }
    )
    most_clean: int = 1000
    stage_side: int = 1280
    display_side: int = 1600
    most_pixels: int = MAX_PIXELS
    upload_bytes: int = 40 * 1024**2
    most_photos: int = 24
    fetch_addresses: bool = False
    queue_size: int = 24
    most_seconds: int = 600
    most_results: int = 12
    most_sessions: int = 64
    most_session_bytes: int = 2 * 1024**3
    keep_seconds: int = 3600
    most_objects: int = 40
    most_points: int = 40
    thumbnail_side: int = 640
    frames: tuple[str, ...] = ()
    gpu_seconds: tuple[float, float, float] = (8.0, 0.02, 60.0)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Settings for this machine.

        `MOBILESAMV2_MODEL` names the first model, `MOBILESAMV2_SOURCE_URL` where the source is,
        `MOBILESAMV2_EXAMPLES` a folder of photographs; `MOBILESAMV2_FETCH_ADDRESSES=1` lets programs name a photo by
        its address; `LIMITS` names the variables of the limits. On a Space the source is the Space's own repository,
        and the first model is the full one.

        Raises:
            MobileSamError: if a limit is no number in its range, or `GRADIO_SERVER_PORT` no port; Gradio would fail
                on that when it is imported.
        """
        port = environment.get("GRADIO_SERVER_PORT") or "7860"
        if not (port.isdecimal() and 0 < int(port) < 65536):
            raise MobileSamError(f"GRADIO_SERVER_PORT must be a port from 1 to 65535; got {port!r}.")
        space = environment.get("SPACE_ID", "")
        source = f"https://huggingface.co/spaces/{space}/tree/main" if space else None
        beside_the_package = Path(__file__).resolve().parents[2] / "examples" / "images"
        settings = cls(
            frames=FRAMES if space else (),
            model=environment.get("MOBILESAMV2_MODEL") or (HOSTED_MODEL if space else EMBEDDED_MODEL),
            examples=photos_in(Path(environment.get("MOBILESAMV2_EXAMPLES") or beside_the_package)),
            source_url=environment.get("MOBILESAMV2_SOURCE_URL") or source,
            load_all_models=environment.get("SPACES_ZERO_GPU", "").lower() in _YES,
            fetch_addresses=environment.get("MOBILESAMV2_FETCH_ADDRESSES", "").lower() in _YES,
        )
        given: dict[str, Any] = {
            limit.field: limit.read(environment[limit.variable]) for limit in LIMITS if environment.get(limit.variable)
        }
        if MOST_PROMPTS.field in given:
            settings = settings.with_at_most(given.pop(MOST_PROMPTS.field))
        return replace(settings, **given)

    def with_at_most(self, prompts: int) -> Settings:
        """The same with at most so many prompts: sliders and the dial offer no more."""
        offered = self.prompts.up_to(prompts)
        return replace(
            self,
            prompts=offered,
            grid_sides=self.grid_sides.up_to(math.isqrt(prompts)),
            efforts={
                name: (sampler, offered.at_most(most), confidence)
                for name, (sampler, most, confidence) in self.efforts.items()
            },
        )

    def seconds_on_gpu(self, prompts: int) -> float:
        """What to ask of ZeroGPU for that many prompts; an estimate that is too long is refused there."""
        fixed, each, longest = self.gpu_seconds
        return min(longest, fixed + each * prompts)


@dataclass(frozen=True)
class Range:
    """What a slider offers: from `low` to `high` in steps, `start` at first."""

    low: int
    high: int
    start: int
    step: int

    def up_to(self, most: int) -> Range:
        """The same range, cut or stretched to end at `most`."""
        longer = Range(min(self.low, most), most, self.start, self.step)
        return replace(longer, start=longer.at_most(self.start))

    def at_most(self, value: int) -> int:
        """The highest value of the range, in its steps, that is not above `value`."""
        return self.low + (min(value, self.high) - self.low) // self.step * self.step


@dataclass(frozen=True)
class Limit:
    """A limit that the environment sets.

    Args:
        variable: of the environment.
        field: of `Settings`; of a `Range`, its highest value.
        low, high: numbers that may be set.
    """

    variable: str
    field: str
    low: int = 1
    high: int = 2**53

    def read(self, value: str) -> int:
        """The number of a variable.

        Raises:
            MobileSamError: if it is no whole number, or out of range.
        """
        text = value.strip()
        if not (text.isascii() and text.isdecimal() and len(text) < 17 and self.low <= int(text) <= self.high):
            raise MobileSamError(
                f"{self.variable} must be a whole number from {self.low} to {self.high}; got {value!r:.60}."
            )
        return int(text)


MOST_PROMPTS = Limit("MOBILESAMV2_MAX_PROMPTS", "prompts", low=128, high=16384)
"""Smaller ranges have no room for the sliders."""
LIMITS = (
    Limit("MOBILESAMV2_MAX_PIXELS", "most_pixels", high=MAX_PIXELS),
    Limit("MOBILESAMV2_MAX_BYTES", "upload_bytes"),
    MOST_PROMPTS,
    Limit("MOBILESAMV2_MAX_PHOTOS", "most_photos"),
    Limit("MOBILESAMV2_MAX_QUEUE", "queue_size"),
    Limit("MOBILESAMV2_MAX_SECONDS", "most_seconds"),
    Limit("MOBILESAMV2_MAX_RESULTS", "most_results", low=4),
    Limit("MOBILESAMV2_MAX_SESSIONS", "most_sessions"),
    Limit("MOBILESAMV2_MAX_SESSION_BYTES", "most_session_bytes"),
    Limit("MOBILESAMV2_KEEP_SECONDS", "keep_seconds"),
)
"""What the environment may set; the table in docs/deploy.md says what happens beyond each."""


def photos_in(folder: Path) -> tuple[Path, ...]:
    """The photographs of a folder by name; none if there is no such folder."""
    if not folder.is_dir():
        return ()
    return tuple(sorted(path for path in folder.iterdir() if path.suffix.lower() in PHOTO_SUFFIXES))
