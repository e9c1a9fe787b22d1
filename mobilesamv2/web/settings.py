"""Every limit and default of the page in one place. Knows nothing of components or models."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import MobileSamError

PAPER_URL = "https://arxiv.org/abs/2312.09579"
LICENCE_URL = "https://www.gnu.org/licenses/agpl-3.0.html"
EMBEDDED_MODEL = "nano"
"""Comes with the package and needs no network: what the page falls back to."""
HOSTED_MODEL = "mobilesamv2-tinyvit"
"""What a hosted Space starts with; its files are fetched when the Space is built."""
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
        upload_bytes: largest file that a visitor may send.
        queue_size: visitors who may wait; further ones are asked to come back later.
        keep_seconds: how long uploads and results stay on the disk, and what is kept of a visitor in memory.
        most_sessions: visitors of whom something is kept; the least recent ones make room.
        most_session_bytes: memory of what is kept of all visitors together, about.
        most_objects: objects that may be pointed at on one photo.
        most_points: points for one object.
        most_photos: photos that are taken at once.
        thumbnail_side: longest side in pixels of their overlays on the page.
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
    upload_bytes: int = 40 * 1024**2
    queue_size: int = 24
    keep_seconds: int = 3600
    most_sessions: int = 64
    most_session_bytes: int = 2 * 1024**3
    most_objects: int = 40
    most_points: int = 40
    most_photos: int = 24
    thumbnail_side: int = 640
    gpu_seconds: tuple[float, float, float] = (8.0, 0.02, 60.0)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Settings for this machine.

        `MOBILESAMV2_MODEL` names the first model, `MOBILESAMV2_SOURCE_URL` where the source is,
        `MOBILESAMV2_EXAMPLES` a folder of photographs. On a Space the source is the Space's own repository, and the
        first model is the full one.

        Raises:
            MobileSamError: if `GRADIO_SERVER_PORT` is no port; Gradio would fail on it when it is imported.
        """
        port = environment.get("GRADIO_SERVER_PORT") or "7860"
        if not (port.isdecimal() and 0 < int(port) < 65536):
            raise MobileSamError(f"GRADIO_SERVER_PORT must be a port from 1 to 65535; got {port!r}.")
        space = environment.get("SPACE_ID", "")
        source = f"https://huggingface.co/spaces/{space}/tree/main" if space else None
        beside_the_package = Path(__file__).resolve().parents[2] / "examples" / "images"
        return cls(
            model=environment.get("MOBILESAMV2_MODEL") or (HOSTED_MODEL if space else EMBEDDED_MODEL),
            examples=photos_in(Path(environment.get("MOBILESAMV2_EXAMPLES") or beside_the_package)),
            source_url=environment.get("MOBILESAMV2_SOURCE_URL") or source,
            load_all_models=environment.get("SPACES_ZERO_GPU", "").lower() in {"1", "true", "t"},
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


def photos_in(folder: Path) -> tuple[Path, ...]:
    """The photographs of a folder by name; none if there is no such folder."""
    if not folder.is_dir():
        return ()
    return tuple(sorted(path for path in folder.iterdir() if path.suffix.lower() in PHOTO_SUFFIXES))
