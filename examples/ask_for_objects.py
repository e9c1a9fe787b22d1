"""Encode a photograph once, then ask for objects by boxes and points of one's own.

python examples/ask_for_objects.py
"""

from pathlib import Path

import mobilesamv2

photo = Path(__file__).parent / "images" / "coffee.png"

model = mobilesamv2.load("nano")
embedding = model.encode(photo)

by_box = model.predict(embedding, boxes=[[100, 60, 480, 380], [180, 20, 400, 260]])
for box, area, score in zip(by_box.boxes_xyxy, by_box.areas, by_box.scores, strict=True):
    print(f"asked by a box: {area} pixels within {box.astype(int).tolist()}, predicted IoU {score:.2f}")

# A point can mean a thing, a part of it or a part of that: with multimask the model answers all three.
by_point = model.predict(embedding, points=[[300, 120]], multimask=True)
for area, score in zip(by_point.areas, by_point.scores, strict=True):
    print(f"asked by a point: {area} pixels, predicted IoU {score:.2f}")
