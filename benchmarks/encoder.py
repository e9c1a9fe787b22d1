"""MobileSAM's image encoder beside Ultralytics', on one picture of 1024 x 1024.

    python -m benchmarks.encoder [--rounds 7] [--threads 2]

Also prints how many multiply-adds it does and how far it is from the machine's own rate.
"""

from __future__ import annotations

import torch

from .decoder import multiply_adds
from .harness import multiply_adds_per_second, paired, parser_of, report
from .peers import our_mobile_sam, relative_difference, their_mobile_sam


def main() -> None:
    options = parser_of("Time TinyViT beside Ultralytics'.", "encoder", rounds=7).parse_args()
    torch.set_num_threads(options.threads)
    ours, theirs = our_mobile_sam().image_encoder, their_mobile_sam().image_encoder
    pixels = torch.randn(1, 3, 1024, 1024, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        difference = relative_difference(ours(pixels), theirs(pixels))
        found = paired(lambda: ours(pixels), lambda: theirs(pixels), rounds=options.rounds)
    work, rate = multiply_adds(lambda: theirs(pixels)), multiply_adds_per_second()
    row = {
        "picture": "1024 x 1024",
        "ours, ms": 1e3 * found.first_seconds,
        "ultralytics, ms": 1e3 * found.second_seconds,
        "times faster": found.ratio,
        "embeddings differ by (of their largest)": difference,
        "thousand million multiply-adds": work / 1e9,
        "ms at the machine's rate": 1e3 * work / rate,
    }
    report(
        "encoder",
        [row],
        into=options.into,
        multiply_adds_per_second=rate,
        seconds={"ours": found.first, "ultralytics": found.second},
    )


if __name__ == "__main__":
    main()
