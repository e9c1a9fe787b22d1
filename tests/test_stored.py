"""Embeddings that leave their process come back as they were."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from mobilesamv2.geometry import ResizeLongestSide
from mobilesamv2.segmenter import Embedding
from mobilesamv2.stored import StoredEmbedding

from .tiny import picture, tiny_segmenter


def test_a_stored_embedding_gives_the_same_masks() -> None:
    segmenter = tiny_segmenter()
    embedding = segmenter.encode(picture())
    stored = pickle.loads(pickle.dumps(StoredEmbedding.of(embedding)))
    box = [[2, 3, 40, 30]]
    before = segmenter.predict(embedding, boxes=box)
    after = segmenter.predict(stored.on(segmenter.device), boxes=box)
    assert before.rles == after.rles
    assert np.array_equal(before.predicted_iou, after.predicted_iou)
    assert stored.timings == embedding.timings


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_every_number_format_comes_back_value_for_value(dtype: torch.dtype) -> None:
    features = torch.linspace(-3, 3, 24).reshape(1, 6, 2, 2).to(dtype)
    resize = ResizeLongestSide(size_hw=(4, 6), input_side=8)
    given = Embedding(features=features, resize=resize, timings={"encode": 0.1}, model="tiny")
    stored = StoredEmbedding.of(given)
    back = stored.on(torch.device("cpu"))
    assert back.features.dtype == dtype
    assert torch.equal(back.features, features)
    assert (back.resize, back.model) == (resize, "tiny")
    assert stored.nbytes == 4 * 24


def test_a_stored_embedding_shares_no_memory_with_the_one_it_was_made_of() -> None:
    features = torch.zeros(1, 1, 2, 2)
    resize = ResizeLongestSide(size_hw=(4, 6), input_side=8)
    stored = StoredEmbedding.of(Embedding(features=features, resize=resize, timings={}, model="tiny"))
    features += 1
    assert stored.features.sum() == 0
    stored.on(torch.device("cpu")).features.add_(1)
    assert stored.features.sum() == 0
