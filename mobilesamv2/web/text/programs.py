"""Sentences for programs: what an endpoint is, and what is wrong with a value."""

from __future__ import annotations

from html import escape

from ...export import FORMATS

PHOTO = (
    "photo must be a file: handle_file(path) in Python, "
    '{"path": ..., "meta": {"_type": "gradio.FileData"}} of an upload in JSON.'
)
PHOTOS = "photos must be a list of files, each as photo takes one: [handle_file(path), ...] in Python."
NAMES = "names must be a list of texts, one for each photo, in the order of the photos."
ENDPOINTS = {
    "segment": (
        "Segment everything in a photo. Returns the overlay as a PNG, at most as large as the page shows it, and a "
        "summary: prompts asked, masks decoded and kept, seconds of each stage, model and device."
    ),
    "compare": (
        "Run two samplers on one encoding of a photo: by default grid search and object-aware sampling. Write a side "
        "as grid, grid:16 (16 x 16 points), hierarchical:16, object-aware:64 (64 boxes at most), box-centres:64 or "
        "coverage:64; :single after it asks for one mask of each point. Where no number is named, max_prompts and "
        "points_per_side hold. Returns the overlay of the left and of the right one as PNGs, in which masks of one "
        "object share a colour, with the prompts drawn if asked, and a summary: of each its prompts, masks decoded and "
        "kept, duplicates removed, masks that only it found, coverage and seconds of each stage; the speed-up and a "
        "verdict in one sentence."
    ),
    "budget": (
        "Measure what more prompts bring on a photo: masks kept, share of the photo covered and decoder seconds for "
        "16, 32, 64 ... prompts of each sampler that is named, from one encoding. Returns every point, "
        "how many boxes the detector proposed, and one sentence."
    ),
    "predict_mask": (
        "Masks for points and boxes on a photo. Returns the overlay as a PNG, with the surest mask of each object, "
        "and a record: size of the photo, model, device, seconds, and for each object its masks as COCO run lengths "
        "with box, area and predicted IoU, in the order asked."
    ),
    "export": (
        "Segment everything in a photo and return the masks as files in one ZIP: a COCO data set with run lengths, a "
        "label map with a legend, a black and white PNG of each mask, cut-outs with transparency, the overlay; and "
        "the record of the run."
    ),
    "batch": (
        "Segment everything in several photos and return one ZIP with a folder for each, one COCO data set and a "
        "summary; and that summary. A photo that cannot be read is named in it and does not stop the others."
    ),
}
"""What each endpoint is for."""
INPUTS = {
    "photo": "the photo, any size up to 120 megapixels.",
    "photos": "the photos, a list of files.",
    "name": "what the photo is called in the files, for clients that change the name of what they send.",
    "names": "what the photos are called in the files, a list in their order, for the same clients.",
    "formats": f"names out of {', '.join(FORMATS)}, as a list or with commas between them.",
    "sampler": (
        "object-aware asks about boxes around objects, box-centres about their middles, grid about points at regular "
        "distances, hierarchical about those that no mask of a coarse grid covers, coverage about boxes and then "
        "points that no mask covers."
    ),
    "samplers": "names of samplers to measure, as a list or with commas between them; or all.",
    "max_prompts": "at most so many prompts, or the largest square grid that fits, if nothing else names a number.",
    "points_per_side": "of a grid, where a side names no number of its own.",
    "confidence": "how sure the detector must be of an object, 0 to 1, 0.4 if left out; a grid has no detector.",
    "predicted_iou": "leaves out masks whose predicted IoU is lower, 0 to 1.",
    "stability": "leaves out masks whose stability score is lower, 0 to 1.",
    "min_area": "leaves out masks that cover less than so many percent of the photo.",
    "mask_nms": "of masks that overlap with a higher IoU than this only the best stays; 1 keeps all.",
    "hide_nested": "true leaves out masks that lie within a larger one.",
    "flatten": "true cuts overlaps: each pixel goes to the smallest mask over it.",
    "clean": "takes away islands of a mask and fills holes in it of fewer pixels than this; 0 leaves them.",
    "largest": "the largest number of prompts to measure.",
    "left": "the first sampler: grid, grid:16, grid:16:single, object-aware:64, coverage:64 and so on.",
    "right": "the second sampler, written like the first.",
    "draw_prompts": "true draws the boxes and points that were asked onto the overlays.",
    "points": "[[x, y], ...] in pixels of the photo for one object, or a list of such lists for several objects.",
    "labels": "1 for a point on the object, 0 for one beside it, in lists like those of points; all 1 if left out.",
    "boxes": "[x0, y0, x1, y1] in pixels of the photo for one object, or a list of boxes for several.",
    "multimask": "true gives three masks for each object, for a single point that may mean a thing or a part.",
    "model": "name of the model.",
    "detector": "name of what proposes the boxes; own is the one that the model is usually used with.",
}
"""What each input of the endpoints means."""
MCP_MISSING = 'MCP is not served: it needs `pip install "mobilesamv2[mcp]"` (or -e ".[mcp]"). All else works.'


def no_file(name: str, got: str, *, addresses: bool) -> str:
    other = ", or an address that answers with one" if addresses else ""
    return f"{name} must be a file that was uploaded{other}; got {_got(got)}."


def too_few(needed: int, got: int) -> str:
    return f"This takes {needed} values; got {got}."


def wrong(name: str, expected: str, got: object) -> str:
    return f"{name} must be {expected}; got {_got(got)}."


def _got(value: object) -> str:
    return escape(f"{value!r:.60}", quote=False)
