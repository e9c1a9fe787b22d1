"""Segment everything in a photograph, and save the masks as JSON and as a picture.

python examples/segment_everything.py [PHOTO]
"""

import json
import sys
from pathlib import Path

from PIL import Image

import mobilesamv2
from mobilesamv2.images import load_image
from mobilesamv2.render import overlay

photo = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "images" / "coffee.png")

model = mobilesamv2.load("nano")
result = model.segment_everything(photo, sampler="object-aware", max_prompts=100)

print(f"{len(result.masks)} masks of {len(result.prompts)} prompts in {result.seconds:.2f} s on {result.device}")
Path("masks.json").write_text(json.dumps(result.masks.to_coco()))
Image.fromarray(overlay(load_image(photo), result.masks)).save("overlay.png")
