"""ONNX Runtime beside PyTorch, on one photograph and one thread: the embedded model, and the decoder of SAM.

    python -m benchmarks.onnx [--rounds 5] [--threads 1] [--model nano] [--write]

The files are those of `mobilesamv2 export`, written at the first use. SAM's decoder is that of MobileSAM with random
weights, which cost the same and need no download. Both runtimes get the same pixels, features and boxes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

import mobilesamv2
from mobilesamv2.images import load_image
from mobilesamv2.onnx.running import OnnxNetwork
from mobilesamv2.onnx.writing import DESCRIPTION, OPSET, plain_path, write_segmenter
from mobilesamv2.segmenter import Segmenter
from mobilesamv2.types import Picture

from .harness import paired, parser_of, report, table
from .peers import our_mobile_sam, random_boxes
from .tables import put

ROOT = Path(__file__).resolve().parents[1]
PHOTO = ROOT / "examples" / "images" / "coffee.png"
DOCUMENT = ROOT / "docs" / "onnx.md"
Case = tuple[str, Callable[[], object], Callable[[], object]]


def mobile_sam_twice(folder: Path) -> tuple[Segmenter, Segmenter]:
    """MobileSAM with random weights, on PyTorch and on ONNX Runtime; `folder` takes the files."""
    sam = our_mobile_sam().requires_grad_(False)
    with plain_path():
        described = {"name": "mobilesam", "opset": OPSET, "segmenter": write_segmenter(sam, folder)}
    (folder / DESCRIPTION).write_text(json.dumps(described), encoding="utf-8")
    return Segmenter(sam, name="mobilesam"), Segmenter(OnnxNetwork(folder), name="mobilesam")


def decoding(ours: Segmenter, theirs: Segmenter, picture: Picture, *, boxes: int, of: str) -> list[Case]:
    """One mask for each of some boxes, and three for each of a quarter as many points, on the same features."""
    embedding = ours.encode(picture)
    asked = random_boxes(boxes, size_wh=(picture.shape[1], picture.shape[0])).numpy()
    points = asked[::4, :2]
    return [
        (
            f"{of}: decode {boxes} boxes",
            lambda: ours.decode_logits(embedding, boxes=asked),
            lambda: theirs.decode_logits(embedding, boxes=asked),
        ),
        (
            f"{of}: decode {len(points)} points, three masks",
            lambda: ours.decode_logits(embedding, points=points, multimask=True),
            lambda: theirs.decode_logits(embedding, points=points, multimask=True),
        ),
    ]


def main() -> None:
    parser = parser_of("Time ONNX Runtime beside PyTorch.", "onnx")
    parser.set_defaults(threads=1, into=None)  # `results/` is of two threads
    parser.add_argument("--model", default="nano", metavar="NAME")
    parser.add_argument("--boxes", type=int, default=64)
    parser.add_argument("--write", action="store_true", help="put the table into docs/onnx.md")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    ours = mobilesamv2.load(options.model, device="cpu", dtype=torch.float32)
    theirs = mobilesamv2.load(options.model, backend="onnx")
    picture = load_image(PHOTO)
    with tempfile.TemporaryDirectory() as folder:
        sams = mobile_sam_twice(Path(folder))
        cases: list[Case] = [
            ("encode", lambda: ours.encode(picture), lambda: theirs.encode(picture)),
            ("find boxes", _finding(ours, picture), _finding(theirs, picture)),
            *decoding(ours, theirs, picture, boxes=options.boxes, of=options.model),
            (
                "the whole photograph",
                lambda: ours.segment_everything(picture),
                lambda: theirs.segment_everything(picture),
            ),
            *decoding(*sams, picture, boxes=options.boxes, of="SAM's decoder"),
        ]
        rows = [_row(name, first, second, rounds=options.rounds) for name, first, second in cases]
    report("onnx", rows, into=options.into, model=options.model)
    if options.write:
        put(DOCUMENT, "onnx", table(rows))


def _row(name: str, first: Callable[[], object], second: Callable[[], object], *, rounds: int) -> dict[str, object]:
    found = paired(first, second, rounds=rounds)
    return {
        "what": name,
        "PyTorch, s": found.first_seconds,
        "ONNX Runtime, s": found.second_seconds,
        "ONNX Runtime takes so many times as long": found.ratio,
    }


def _finding(model: Segmenter, picture: Picture) -> Callable[[], object]:
    detector = model.detector
    assert detector is not None
    return lambda: detector.detect(picture, confidence=0.4, iou=None, max_boxes=320)


if __name__ == "__main__":
    main()
