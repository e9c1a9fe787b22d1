"""Seeded weights that stand in for trained ones: each tensor depends on nothing but its own key.

The recorded values in this folder were made with exactly these numbers, so that encoder and decoder can be
compared without any checkpoint. The gains below make masks with structure, which plain noise would not.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

Entry = TypeVar("Entry")

FOLDER = Path(__file__).parent
# The same module has the same numbers in every container.
CONTAINER = re.compile(r"^(image_encoder|prompt_encoder|mask_decoder|PromtEncoder|MaskDecoder)\.")
SCALES = {
    "attention_biases": 0.5,
    "pos_embed": 0.2,
    "rel_pos_h": 0.1,
    "rel_pos_w": 0.1,
    "positional_encoding_gaussian_matrix": 1.0,
    "running_mean": 0.1,
}
TOKENS = ("point_embeddings.", "not_a_point_embed.", "no_mask_embed.", "iou_token.", "mask_tokens.")
CROSS_ATTENTION = re.compile(r"transformer\..*(cross_attn|final_attn).*\.[qk]_proj\.weight")
SELF_ATTENTION = re.compile(r"transformer\..*(token_to_image|self_attn)\.(v|out)_proj\.weight")
UPSCALING = re.compile(r"output_upscaling\.[03]\.weight")
LAST_MASK_WEIGHT = re.compile(r"output_hypernetworks_mlps\.\d\.layers\.2\.weight")
LAST_MASK_BIAS = re.compile(r"output_hypernetworks_mlps\.\d\.layers\.2\.bias")


def manifest_of(name: str) -> dict[str, dict[str, Any]]:
    """What a published checkpoint holds, in its order: for each key "shape", "dtype" and "buffer"."""
    manifest: dict[str, dict[str, Any]] = json.loads((FOLDER / "manifests" / f"{name}.json").read_text())
    return manifest


def synthetic_state(manifest: Mapping[str, Mapping[str, Any]]) -> dict[str, torch.Tensor]:
    """A synthetic state dict under the keys of a published checkpoint, or of part of one."""
    return {
        key: torch.zeros(entry["shape"], dtype=getattr(torch, entry["dtype"]))  # number of batches: unused
        if entry["buffer"]
        else torch.from_numpy(synthetic_tensor(key, entry["shape"], entry["dtype"]))
        for key, entry in manifest.items()
    }


def mobile_sam_state() -> dict[str, torch.Tensor]:
    """The synthetic state dict of a whole MobileSAM, under the keys of its published checkpoint."""
    return synthetic_state(manifest_of("mobile_sam"))


def part_of(state: Mapping[str, Entry], name: str) -> dict[str, Entry]:
    """The entries under `name.`, without that prefix."""
    return {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}


def synthetic_tensor(key: str, shape: list[int], dtype: str = "float32") -> npt.NDArray[np.floating]:
    """The value of one tensor."""
    name = CONTAINER.sub("", key)
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "running_var":
        return _generator(name).uniform(0.5, 1.5, shape).astype(dtype)
    out = _generator(name).standard_normal(shape)
    if leaf in SCALES:
        out *= SCALES[leaf]
    elif name.startswith(TOKENS):
        out *= 0.25
    elif len(shape) < 2:
        out = 0.1 * out + (leaf == "weight")
    else:
        out /= np.sqrt(np.prod(shape[1:]))
    return _with_structure(name, shape, out).astype(dtype)


def _with_structure(name: str, shape: list[int], out: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if CROSS_ATTENTION.fullmatch(name):  # queries and keys agree in most, so that attention is not flat
        shared = _generator(re.sub(r"\.[qk]_proj", ".qk_proj", name)).standard_normal(shape)
        return np.asarray(2.2 * (np.sqrt(0.7) * shared / np.sqrt(shape[1]) + np.sqrt(0.3) * out))
    if SELF_ATTENTION.fullmatch(name):
        return out * 3.0
    if UPSCALING.fullmatch(name):  # taps agree in most, or masks would be checkerboards
        flat = _generator(name + ".taps").standard_normal([*shape[:2], 1, 1])
        return np.asarray((flat + 0.1 * out * np.sqrt(np.prod(shape[1:]))) / np.sqrt(shape[0]))
    if LAST_MASK_WEIGHT.fullmatch(name):
        return np.asarray(6.0 * (out - out.mean(0)))
    if LAST_MASK_BIAS.fullmatch(name):
        return np.asarray(out - out.mean() - 0.3)
    if name == "neck.2.weight":
        return np.asarray(out - 0.9 * out.mean((2, 3), keepdims=True))
    return out


def _generator(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))
