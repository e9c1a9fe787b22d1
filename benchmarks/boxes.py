"""A box decoded by `nano`, beside one decoded by our own decoder of MobileSAM's architecture.

    python -m benchmarks.boxes [--prompts 64] [--rounds 5] [--threads 2]

Both decode the same boxes at once, on an embedding of their own; MobileSAM has synthetic weights.
"""

from __future__ import annotations

from functools import partial

import torch

from mobilesamv2.build import build_sam
from mobilesamv2.models.nano.model import NanoModel

from .harness import number_formats, paired, parser_of, report
from .peers import our_mobile_sam, random_boxes


def main() -> None:
    parser = parser_of("Time a box of nano beside one of MobileSAM.", "boxes")
    parser.add_argument("--prompts", type=int, default=64)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    mobile_sam = our_mobile_sam()
    boxes = random_boxes(options.prompts, size_wh=(1024, 1024))
    rows: list[dict[str, object]] = []
    with torch.inference_mode():
        embedding = torch.randn(1, 256, 64, 64, generator=torch.Generator().manual_seed(0))
        shared = mobile_sam.share(embedding)
        large = partial(mobile_sam.decode, embedding, boxes_xyxy=boxes, shared=shared, multimask=False)
        for dtype in number_formats("nano"):
            nano = build_sam("nano", device="cpu", dtype=dtype)
            assert isinstance(nano, NanoModel)
            features = nano.encode(torch.randn(1, 3, 704, 704, generator=torch.Generator().manual_seed(1)))
            seen = nano.share(features)
            small = partial(nano.decode, features, boxes_xyxy=boxes * (704 / 1024), shared=seen, multimask=False)
            times = paired(small, large, rounds=options.rounds)
            rows.append(
                {
                    "nano in": str(dtype).removeprefix("torch."),
                    "boxes": options.prompts,
                    "nano, ms a box": 1e3 * times.first_seconds / options.prompts,
                    "MobileSAM in float32, ms a box": 1e3 * times.second_seconds / options.prompts,
                    "times faster": times.ratio,
                }
            )
    report("boxes", rows, into=options.into)


if __name__ == "__main__":
    main()
