"""One command for a machine with a CUDA card: decoder, encoder, the whole way, and what a click on the page takes.

    python -m benchmarks.gpu [--boxes 320] [--rounds 20] [--into FILE]

With MobileSAM's architecture and synthetic weights, in the number format that `load` chooses on that card. Decoder and
encoder stand beside Ultralytics' in the same format, and 320 boxes beside the 97 ms that MobileSAMv2's paper
(arXiv 2312.09579) gives for its decoder, on a card of its own. A click is one on a photograph of 12 megapixels on the
page: the first encodes it, the next finds the embedding that the session keeps.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from mobilesamv2.build import choose_dtype
from mobilesamv2.prompts import ObjectAwareSampler
from mobilesamv2.segmenter import Segmenter
from mobilesamv2.web import prompting, runs
from mobilesamv2.web.jobs import Job
from mobilesamv2.web.models import Models
from mobilesamv2.web.prompt_lists import Limits, read_prompts
from mobilesamv2.web.steps import last

from .harness import paired, parser_of, report, seconds_of
from .peers import our_mobile_sam, random_boxes, their_mobile_sam
from .pipeline import SIZE_WH, GivenBoxes, smooth_picture

PAPERS_MS = 97.0
"""Of the mask decoder for 320 boxes, as MobileSAMv2's paper gives it."""
NO_CUDA = "There is no CUDA device here, so nothing is measured. Run it where torch.cuda.is_available() is true."

Row = dict[str, object]


def networks(device: torch.device, dtype: torch.dtype, *, boxes: int, rounds: int) -> list[Row]:
    """Decoder and encoder beside Ultralytics', all in one number format."""
    ours, theirs = our_mobile_sam().to(device).cast(dtype), their_mobile_sam().to(device, dtype)
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 256, 64, 64, generator=generator).to(device, dtype)
    pixels = torch.randn(1, 3, 1024, 1024, generator=generator).to(device, dtype)
    asked = random_boxes(boxes, size_wh=(1024, 1024)).to(device)
    with torch.inference_mode():
        sparse, dense = ours.prompt_encoder(embedding_hw=(64, 64), boxes_xyxy=asked)
        theirs_asked = {
            "image_embeddings": image,
            "image_pe": ours.prompt_encoder.position_grid(64, 64).to(dtype),
            "sparse_prompt_embeddings": sparse.to(dtype),
            "dense_prompt_embeddings": dense.expand(boxes, -1, -1, -1).to(dtype),
            "multimask_output": False,
        }
        shared = ours.share(image)
        decoders = paired(
            lambda: ours.decode(image, boxes_xyxy=asked, shared=shared, multimask=False),
            lambda: theirs.mask_decoder(**theirs_asked),
            rounds=rounds,
            warm_up=3,
        )
        encoders = paired(lambda: ours.encode(pixels), lambda: theirs.image_encoder(pixels), rounds=rounds, warm_up=3)
    return [
        _row(f"decoder, {boxes} boxes", decoders.first_seconds, decoders.second_seconds, paper=boxes == 320),
        _row("encoder, 1024 x 1024", encoders.first_seconds, encoders.second_seconds),
    ]


def whole(segmenter: Segmenter, *, rounds: int) -> list[Row]:
    """Segmenting everything, and clicks on the page; boxes are given."""
    picture = smooth_picture()
    assert segmenter.detector is not None
    sampler = ObjectAwareSampler(detector=segmenter.detector)
    everything = _median(lambda: segmenter.segment_everything(picture, sampler=sampler), rounds)
    models = Models(lambda name: segmenter, names=("nano",), first="nano")
    run = partial(runs.run, models)
    objects = read_prompts([[2000, 1500]], None, None, limits=Limits(objects=1, points=1))
    with tempfile.TemporaryDirectory() as folder:
        photo = str(Path(folder) / "photo.jpg")
        Image.fromarray(picture).resize((4000, 3000)).save(photo)

        def click(job: Job) -> object:
            return last(prompting.predict(job, prompting.picture_of(job, photo, objects), objects, "nano", run=run))

        first = _median(lambda: click(Job.alone()), rounds)
        again = Job.alone()
        click(again)
        second = _median(lambda: click(again), rounds)
    return [
        _row(f"everything, {SIZE_WH[0]} x {SIZE_WH[1]}, boxes given", everything),
        _row("first click on 12 megapixels", first),
        _row("next click on it", second),
    ]


def _median(action: Callable[[], object], rounds: int) -> float:
    action()
    return statistics.median(seconds_of(action) for _ in range(rounds))


def _row(name: str, ours: float, theirs: float | None = None, *, paper: bool = False) -> Row:
    return {
        "what": name,
        "ours, ms": 1e3 * ours,
        "ultralytics, ms": "" if theirs is None else 1e3 * theirs,
        "times faster": "" if theirs is None else theirs / ours,
        "paper, ms": PAPERS_MS if paper else "",
    }


def measured(device: torch.device, options: argparse.Namespace) -> list[Row]:
    """All rows, on any device."""
    dtype = choose_dtype(device)
    boxes = random_boxes(options.boxes, size_wh=SIZE_WH)
    sam: Any = our_mobile_sam().to(device).cast(dtype)
    segmenter = Segmenter(sam, name="nano", detector=GivenBoxes(boxes))
    rows = networks(device, dtype, boxes=options.boxes, rounds=options.rounds)
    return rows + whole(segmenter, rounds=options.rounds)


def main(arguments: list[str] | None = None) -> int:
    parser = parser_of("Time everything on a CUDA card.", "gpu", rounds=20)
    parser.add_argument("--boxes", type=int, default=320)
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print(NO_CUDA)
        return 0
    device = torch.device("cuda")
    report("gpu", measured(device, options), into=options.into, dtype=str(choose_dtype(device)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
