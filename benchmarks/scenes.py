"""Writes drawn scenes as a data set, the same for the same seed: python -m benchmarks.scenes FOLDER --kind crowd

Every object of a drawn scene is labelled to the pixel, so the data are for tests and for tables that anybody can make
again. The embedded models were trained on scenes of the kind "mixed" among photographs, drawn from other seeds; none of
the kind "crowd" was used.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask
from tqdm import tqdm

from training.scenes import Scene, draw_crowd, draw_scene

KINDS = {"mixed": draw_scene, "crowd": draw_crowd}
SIZE_HW = (384, 512)
SEED = 2312


def write_scenes(
    folder: Path, *, kind: str, pictures: int, seed: int = SEED, size_hw: tuple[int, int] = SIZE_HW
) -> None:
    """Write `annotations.json` and `images/` as `mobilesamv2 evaluate --data` reads them.

    Args:
        folder: is made if it is not there; scenes in it are written anew.
        kind: one of `KINDS`.
        pictures: how many; the first are the same however many there are.
        seed: with the number of a picture it determines everything that is drawn.
        size_hw: of each picture in pixels.
    """
    (folder / "images").mkdir(parents=True, exist_ok=True)
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for number in tqdm(range(pictures), unit="scene", disable=None):
        scene = KINDS[kind](np.random.default_rng([seed, number]), size_hw=size_hw)
        name = f"{kind}-{number:03}.png"
        Image.fromarray(scene.picture).save(folder / "images" / name)
        images.append({"id": number, "file_name": name, "height": size_hw[0], "width": size_hw[1]})
        annotations += _annotations(scene, image=number, first=len(annotations))
    content = {
        "info": {"description": f"drawn scenes: {kind}, seed {seed}"},
        "categories": [{"id": 1, "name": "object"}],
        "images": images,
        "annotations": annotations,
    }
    (folder / "annotations.json").write_text(json.dumps(content) + "\n", encoding="utf-8")


def _annotations(scene: Scene, *, image: int, first: int) -> list[dict[str, object]]:
    found = []
    for number, (mask, box) in enumerate(zip(scene.masks, scene.boxes_xyxy.tolist(), strict=True), start=first):
        rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
        x0, y0, x1, y1 = box
        found.append(
            {
                "id": number,
                "image_id": image,
                "category_id": 1,
                "iscrowd": 0,
                "area": int(mask.sum()),
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "segmentation": {"size": list(mask.shape), "counts": rle["counts"].decode("ascii")},
            }
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Write drawn scenes as a data set.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kind", choices=KINDS, default="mixed", help="(%(default)s)")
    parser.add_argument("--pictures", type=int, default=10, metavar="N", help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="(%(default)s)")
    parser.add_argument("--size", type=int, nargs=2, default=SIZE_HW, metavar=("HEIGHT", "WIDTH"))
    options = parser.parse_args()
    write_scenes(
        options.folder,
        kind=options.kind,
        pictures=options.pictures,
        seed=options.seed,
        size_hw=tuple(options.size),
    )


if __name__ == "__main__":
    main()
