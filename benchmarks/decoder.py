"""The mask decoder beside Ultralytics', for the same prompts at once.

    python -m benchmarks.decoder [--prompts 64] [--rounds 5] [--threads 2] [--profile]

Also prints how many multiply-adds it does and how far it is from the machine's own rate; with --profile only what ours
spends its time on, on one core.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from .harness import multiply_adds_per_second, paired, parser_of, report, table
from .peers import our_mobile_sam, random_boxes, relative_difference, their_mobile_sam


def multiply_adds(action: Callable[[], object]) -> int:
    """Of all matrix products and convolutions in a call."""

    def of_linear(x: Sequence[int], weight: Sequence[int], *_: Any, out_shape: Any = None, **__: Any) -> int:
        return 2 * int(out_shape[-1] * weight[1]) * math.prod(x[:-1])

    mapping = {}
    if hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        mapping[torch.ops.mkldnn._linear_pointwise] = of_linear
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # what other threads do is not counted
    with FlopCounterMode(display=False, custom_mapping=mapping) as counter, torch.no_grad():
        action()
    torch.set_num_threads(threads)
    return int(counter.get_total_flops()) // 2


def print_profile(action: Callable[[], object], *, prompts: int) -> None:
    """The operators that take most time of a call on one core, by their own time."""
    torch.set_num_threads(1)
    action()
    with profile(activities=[ProfilerActivity.CPU]) as found:
        action()
    events = sorted(found.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    rows = [
        {
            "operator": event.key,
            "ms a prompt": event.self_cpu_time_total / 1e3 / prompts,
            "share": f"{event.self_cpu_time_total / total:.0%}",
        }
        for event in events[:14]
    ]
    print(table(rows))


def main() -> None:
    parser = parser_of("Time the mask decoder beside Ultralytics'.", "decoder")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--profile", action="store_true", help="only what the time goes to")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    ours, theirs = our_mobile_sam(), their_mobile_sam()
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 256, 64, 64, generator=generator)
    boxes = random_boxes(options.prompts, size_wh=(1024, 1024))
    points, labels = boxes[:, None, :2], torch.ones(options.prompts, 1, dtype=torch.long)
    rate = multiply_adds_per_second()
    rows: list[dict[str, object]] = []
    with torch.inference_mode():
        code = ours.prompt_encoder.position_grid(64, 64)
        for name, prompts, multimask in (
            ("boxes, one mask", {"boxes_xyxy": boxes}, False),
            ("points, three masks", {"points": points, "labels": labels}, True),
        ):
            sparse, dense = ours.prompt_encoder(embedding_hw=(64, 64), **prompts)
            theirs_dense = dense.expand(len(sparse), -1, -1, -1)

            def our_call(sparse: Any = sparse, dense: Any = dense, multimask: bool = multimask) -> Any:
                return ours.mask_decoder(image=image, image_code=code, sparse=sparse, dense=dense, multimask=multimask)

            def their_call(sparse: Any = sparse, dense: Any = theirs_dense, multimask: bool = multimask) -> Any:
                return theirs.mask_decoder(
                    image_embeddings=image,
                    image_pe=code,
                    sparse_prompt_embeddings=sparse,
                    dense_prompt_embeddings=dense,
                    multimask_output=multimask,
                )

            if options.profile:
                print(f"\n{options.prompts} {name}\n")
                print_profile(our_call, prompts=options.prompts)
                continue
            (logits, iou), (their_logits, their_iou) = our_call(), their_call()
            masks = (logits > 0).flatten(2), (their_logits > 0).flatten(2)
            either = (masks[0] | masks[1]).sum(2)
            shared = ((masks[0] & masks[1]).sum(2) / either).nan_to_num(1.0).mean()  # both empty: the same
            found = paired(our_call, their_call, rounds=options.rounds)
            work = multiply_adds(our_call) / options.prompts
            rows.append(
                {
                    "prompts": f"{options.prompts} {name}",
                    "ours, ms a prompt": 1e3 * found.first_seconds / options.prompts,
                    "ultralytics, ms a prompt": 1e3 * found.second_seconds / options.prompts,
                    "times faster": found.ratio,
                    "logits differ by (of their largest)": relative_difference(logits, their_logits),
                    "predicted IoU by": float((iou - their_iou).abs().max()),
                    "mean IoU of the masks": float(shared),
                    "million multiply-adds a prompt": work / 1e6,
                    "theirs": multiply_adds(their_call) / options.prompts / 1e6,
                    "ms at the machine's rate": 1e3 * work / rate,
                }
            )
    if rows:
        report("decoder", rows, into=options.into, multiply_adds_per_second=rate)


if __name__ == "__main__":
    main()
