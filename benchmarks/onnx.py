"""The embedded model on ONNX Runtime beside PyTorch, on one photograph and one thread.

    python -m benchmarks.onnx [--rounds 5] [--threads 1] [--model nano]

The same files as `mobilesamv2 export` writes; both get the same pixels, features and boxes. Ratios of one run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

import mobilesamv2
from mobilesamv2.images import load_image
from mobilesamv2.types import Picture

from .harness import paired, parser_of, report
from .peers import random_boxes

PHOTO = Path(__file__).resolve().parents[1] / "examples" / "images" / "coffee.png"


def main() -> None:
    parser = parser_of("Time ONNX Runtime beside PyTorch.", "onnx")
    parser.set_defaults(threads=1, into=None)  # `results/` is of two threads
    parser.add_argument("--model", default="nano", metavar="NAME")
    parser.add_argument("--boxes", type=int, default=64)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    ours = mobilesamv2.load(options.model, device="cpu")
    theirs = mobilesamv2.load(options.model, backend="onnx")
    picture = load_image(PHOTO)
    embedding = ours.encode(picture)
    boxes = random_boxes(options.boxes, size_wh=(picture.shape[1], picture.shape[0])).numpy()
    cases: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
        ("encode", lambda: ours.encode(picture), lambda: theirs.encode(picture)),
        ("find boxes", _finding(ours, picture), _finding(theirs, picture)),
        (
            f"decode {options.boxes} boxes",
            lambda: ours.decode_logits(embedding, boxes=boxes),
            lambda: theirs.decode_logits(embedding, boxes=boxes),
        ),
        (
            f"decode {options.boxes // 4} points, three masks",
            lambda: ours.decode_logits(embedding, points=boxes[::4, :2], multimask=True),
            lambda: theirs.decode_logits(embedding, points=boxes[::4, :2], multimask=True),
        ),
        (
            "the whole photograph",
            lambda: ours.segment_everything(picture),
            lambda: theirs.segment_everything(picture),
        ),
    ]
    rows = []
    for name, first, second in cases:
        found = paired(first, second, rounds=options.rounds)
        rows.append(
            {
                "what": name,
                "PyTorch, s": found.first_seconds,
                "ONNX Runtime, s": found.second_seconds,
                "times slower on ONNX Runtime": found.ratio,
            }
        )
    report("onnx", rows, into=options.into, model=options.model)


def _finding(model: mobilesamv2.Segmenter, picture: Picture) -> Callable[[], object]:
    detector = model.detector
    assert detector is not None
    return lambda: detector.detect(picture, confidence=0.4, iou=None, max_boxes=320)


if __name__ == "__main__":
    main()
