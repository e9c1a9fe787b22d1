from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mobilesamv2.models.detector.config import LITE_CONFIG, LITE_FAMILY, DetectorConfig
from mobilesamv2.models.detector.detector import Detections, ObjectDetector, merge_looks
from mobilesamv2.models.detector.lite import Head, LiteDetector, Pyramid
from mobilesamv2.models.detector.network import build_detector_module, detector_layout, fuse_batch_norm


@pytest.fixture(scope="module")
def network() -> LiteDetector:
    """Random weights, norms that do something, confidences that spread."""
    torch.manual_seed(0)
    made = LiteDetector().eval()
    for part in made.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, std=0.1)  # type: ignore[arg-type]
            nn.init.uniform_(part.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    for branch in made.model[-1].cv3:  # type: ignore[union-attr]
        nn.init.normal_(branch[-1].weight, std=0.5)
        nn.init.zeros_(branch[-1].bias)
    return made


def pictures(count: int, height: int = 64, width: int = 96) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(count))


def test_a_head_predicts_for_every_cell_of_every_level() -> None:
    head = Head((8, 16), (4, 8), reg_max=5)
    raw = head([torch.zeros(2, 8, 6, 4), torch.zeros(2, 16, 3, 2)])
    assert raw["boxes"].shape == (2, 20, 6 * 4 + 3 * 2)
    assert raw["scores"].shape == (2, 1, 6 * 4 + 3 * 2)


def test_a_pyramid_keeps_sizes_and_mixes_all_levels() -> None:
    torch.manual_seed(0)
    pyramid = Pyramid((3, 5, 7), (8, 16, 8)).eval()
    maps = [torch.rand(1, channels, side, side) for channels, side in ((3, 9), (5, 5), (7, 3))]
    plain = pyramid(maps)
    assert [tuple(level.shape) for level in plain] == [(1, 8, 9, 9), (1, 16, 5, 5), (1, 8, 3, 3)]
    for index in range(3):
        changed = [level + (place == index) for place, level in enumerate(maps)]
        for before, after in zip(plain, pyramid(changed), strict=True):
            assert not torch.equal(before, after)


@torch.inference_mode()
def test_pictures_of_a_batch_are_answered_as_if_alone(network: LiteDetector) -> None:
    detector = ObjectDetector(network, input_side=96)
    together = detector(pictures(3))
    for index in range(3):
        torch.testing.assert_close(
            together[index : index + 1], detector(pictures(3)[index : index + 1]), rtol=1e-3, atol=1e-3
        )


@torch.inference_mode()
def test_folding_norms_changes_no_box(network: LiteDetector) -> None:
    folded = fuse_batch_norm(copy.deepcopy(network))
    assert not any(isinstance(part, nn.BatchNorm2d) for part in folded.modules())
    before, after = (ObjectDetector(one, input_side=96)(pictures(2)) for one in (network, folded))
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-2)


def test_a_grey_picture_without_confident_cells_has_no_boxes(network: LiteDetector) -> None:
    unsure = copy.deepcopy(network)
    for branch in unsure.model[-1].cv3:  # type: ignore[union-attr]
        nn.init.constant_(branch[-1].bias, -30.0)
    for second_side in (0, 128):
        detector = ObjectDetector(unsure, input_side=64, second_side=second_side)
        found = detector.detect(np.full((40, 60, 3), 114, dtype=np.uint8))
        assert found.boxes_xyxy.shape == (0, 4)


def test_its_layout_is_that_of_the_network_without_making_it(network: LiteDetector) -> None:
    config = LITE_CONFIG
    assert config.family == LITE_FAMILY
    assert detector_layout(config) == {name: value.shape for name, value in network.state_dict().items()}
    assert isinstance(build_detector_module(config), LiteDetector)


def test_the_configuration_survives_metadata() -> None:
    config = LITE_CONFIG
    assert DetectorConfig.from_metadata(config.to_metadata()) == config
    wrong = config.to_metadata() | {"detector.second_side": "-5"}
    with pytest.raises(ValueError, match="second side is '-5'"):
        DetectorConfig.from_metadata(wrong)


def some(*rows: tuple[float, float, float, float, float]) -> Detections:
    table = np.array(rows, dtype=np.float32).reshape(-1, 5)
    return Detections(boxes_xyxy=table[:, :4], scores=table[:, 4])


def test_two_looks_give_large_boxes_of_the_first_and_small_ones_of_the_second() -> None:
    small, middle, large = (0, 0, 5, 5), (50, 0, 68, 10), (0, 0, 60, 60)
    first = some((*large, 0.9), (*middle, 0.5), (*small, 0.4))
    second = some((*small, 0.8), (*middle, 0.7), (*large, 0.6))
    merged = merge_looks(first, second, size_hw=(80, 100), iou=0.7, max_boxes=9)
    assert merged.scores.tolist() == pytest.approx([0.9, 0.8, 0.7])
    assert merged.boxes_xyxy.tolist() == [list(large), list(small), list(middle)]
    assert len(merge_looks(first, second, size_hw=(80, 100), iou=0.7, max_boxes=2)) == 2


def test_nearly_equal_boxes_of_both_looks_are_averaged_where_that_is_wanted() -> None:
    looks = [
        Detections(np.array([[10, 10, 30, 30]], dtype=np.float32), np.array([0.8], dtype=np.float32)),
        Detections(np.array([[11, 10, 31, 30]], dtype=np.float32), np.array([0.7], dtype=np.float32)),
    ]
    plain, voted = (
        merge_looks(*looks, size_hw=(80, 100), iou=0.7, max_boxes=9, vote_iou=vote_iou) for vote_iou in (None, 0.8)
    )
    assert plain.boxes_xyxy.tolist() == [[10, 10, 30, 30]]
    assert 10.4 < voted.boxes_xyxy[0, 0] < 10.5
    assert voted.scores.tolist() == plain.scores.tolist() == pytest.approx([0.8])


def test_two_looks_that_find_nothing_give_nothing() -> None:
    assert len(merge_looks(Detections(), Detections(), size_hw=(8, 8), iou=0.7, max_boxes=9)) == 0


def test_fewer_boxes_of_two_looks_are_the_best_of_more(network: LiteDetector) -> None:
    detector = ObjectDetector(network, input_side=96, second_side=128, nms_iou=0.7)
    picture = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    many, few = (detector.detect(picture, confidence=0.1, max_boxes=most) for most in (1000, 7))
    assert len(many) > len(few) == 7
    np.testing.assert_array_equal(few.boxes_xyxy, many.boxes_xyxy[:7])
