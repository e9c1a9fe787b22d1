"""Run both samplers on every photograph of a folder and print how they differ.

python examples/compare_samplers.py [FOLDER]
"""

import sys
from pathlib import Path

import mobilesamv2

folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "images")

model = mobilesamv2.load("nano")
for photo in sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".png", ".webp")):
    comparison = mobilesamv2.compare(
        model, photo, mobilesamv2.Request("grid", points_per_side=16), mobilesamv2.Request(max_prompts=100)
    )
    grid, aware = comparison.first, comparison.second
    print(
        f"{photo.name:20} grid: {len(grid.masks):4} masks of {len(grid.prompts)} points;  "
        f"object-aware: {len(aware.masks):4} of {len(aware.prompts):3} boxes, {comparison.speedup:.1f} x as fast"
    )
