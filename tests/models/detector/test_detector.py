from __future__ import annotations

import os
import subprocess
import sys
import threading
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from mobilesamv2.build import build_detector
from mobilesamv2.models.detector.detector import (
    Detections,
    DetectorConfig,
    Letterbox,
    ObjectDetector,
    boxes_from_predictions,
    build_detector_module,
    fuse_batch_norm,
    snap_to_border,
)
from mobilesamv2.models.detector.ultralytics_import import ultralytics_module

PARITY = Path(__file__).parents[2] / "parity"
WEIGHTS = Path(__file__).parents[3] / "weights"
EXAMPLES = Path(__file__).parents[3] / "examples" / "images"
SIZES = ("375x500", "1000x667", "3000x200")


@pytest.fixture(scope="module")
def recorded() -> dict[str, npt.NDArray[Any]]:
    with np.load(PARITY / "detector_postprocess.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """A network with random weights whose batch norms do something and whose confidences spread."""
    torch.manual_seed(0)
    module = build_detector_module(DetectorConfig()).eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, std=0.1)  # type: ignore[arg-type]
            nn.init.uniform_(part.running_var, 0.2, 0.6)  # type: ignore[arg-type]
    for branch in module.model[-1].cv3:  # type: ignore[index,union-attr]
        nn.init.normal_(branch[-1].weight, std=0.5)
        nn.init.zeros_(branch[-1].bias)
    return module


@pytest.fixture(scope="module")
def detector(network: nn.Module) -> ObjectDetector:
    return ObjectDetector(network, input_side=128)


def some_picture(height: int, width: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(height + width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def size_of(tag: str) -> tuple[int, int]:
    height, width = tag.split("x")
    return int(height), int(width)


@pytest.mark.parametrize("tag", SIZES)
@pytest.mark.parametrize(("confidence", "iou", "suffix"), [(0.4, 0.9, ""), (0.25, 0.7, "_conf0.25_iou0.7")])
def test_boxes_agree_with_the_reference(
    recorded: dict[str, npt.NDArray[Any]], tag: str, confidence: float, iou: float, suffix: str
) -> None:
    found = boxes_from_predictions(
        torch.from_numpy(recorded[f"{tag}/pred"][0]),
        Letterbox(size_hw=size_of(tag), input_side=1024),
        confidence=confidence,
        iou=iou,
        max_boxes=300,
    )
    np.testing.assert_array_equal(found.scores, recorded[f"{tag}/conf{suffix}"])
    np.testing.assert_allclose(found.boxes_xyxy, recorded[f"{tag}/boxes{suffix}"], rtol=0, atol=1e-3)


@pytest.mark.parametrize("tag", SIZES)
def test_letterbox_agrees_with_the_reference_to_the_bit(recorded: dict[str, npt.NDArray[Any]], tag: str) -> None:
    with Image.open(PARITY / "images" / f"smooth_{tag}.png") as image:
        picture = np.asarray(image.convert("RGB"))
    boxed = Letterbox(size_hw=size_of(tag), input_side=1024).apply(picture)
    assert list(boxed.shape) == recorded[f"{tag}/letterbox_shape"].tolist()
    np.testing.assert_array_equal(boxed[::8, ::8], recorded[f"{tag}/letterbox_s8"])
    assert zlib.crc32(boxed.tobytes()) == recorded[f"{tag}/letterbox_crc32"]


@pytest.mark.parametrize("tag", SIZES)
def test_edges_are_snapped_in_the_input_frame(recorded: dict[str, npt.NDArray[Any]], tag: str) -> None:
    letterbox = Letterbox(size_hw=size_of(tag), input_side=1024)
    snapped = snap_to_border(recorded[f"{tag}/nms_letterbox_boxes"], shape_hw=letterbox.shape_hw)
    np.testing.assert_allclose(letterbox.boxes_to_original(snapped), recorded[f"{tag}/boxes"], rtol=0, atol=1e-3)


def test_an_edge_twenty_pixels_from_the_border_stays() -> None:
    boxes = np.array([[20, 20, 80, 40], [19.9, 19.9, 80.1, 40.1]], dtype=np.float32)
    snapped = snap_to_border(boxes, shape_hw=(60, 100))
    assert snapped.tolist() == [[20, 20, 80, 40], [0, 0, 100, 60]]


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (3000, 1), (3000, 200), (97, 128), (640, 480), (7, 5)])
def test_a_box_around_the_picture_comes_back_as_the_picture(size: tuple[int, int]) -> None:
    letterbox = Letterbox(size_hw=size, input_side=640)
    (left, top), (height, width) = letterbox.left_top, letterbox.resized_hw
    assert letterbox.shape_hw[0] % 32 == letterbox.shape_hw[1] % 32 == 0
    box = np.array([[left, top, left + width, top + height]], dtype=np.float32)
    back = letterbox.boxes_to_original(box)[0]
    np.testing.assert_allclose(back, [0, 0, size[1], size[0]], atol=0.5 / letterbox.gain + 1e-3)


def one_prediction(*, cx: float, cy: float, width: float, height: float, confidence: float) -> Tensor:
    return torch.tensor([[cx], [cy], [width], [height], [confidence]])


@pytest.mark.parametrize("anchors", [0, 1, 5, 6])
def test_any_number_of_predictions_is_understood(anchors: int) -> None:
    prediction = one_prediction(cx=60, cy=60, width=40, height=40, confidence=0.9).expand(5, anchors)
    found = boxes_from_predictions(prediction, Letterbox(size_hw=(128, 128), input_side=128))
    assert found.boxes_xyxy.tolist() == [[40, 40, 80, 80]][:anchors]


def test_no_confident_prediction_gives_no_boxes() -> None:
    prediction = one_prediction(cx=60, cy=60, width=40, height=40, confidence=0.4)
    found = boxes_from_predictions(prediction, Letterbox(size_hw=(128, 128), input_side=128), confidence=0.4)
    assert len(found) == 0
    assert found.boxes_xyxy.shape == (0, 4)


def test_boxes_without_an_area_are_dropped() -> None:
    rows = [
        one_prediction(cx=64, cy=64, width=0, height=40, confidence=0.9),
        one_prediction(cx=64, cy=300, width=40, height=40, confidence=0.8),  # below the picture
        one_prediction(cx=float("nan"), cy=64, width=40, height=40, confidence=0.7),
        one_prediction(cx=64, cy=64, width=40, height=40, confidence=0.6),
    ]
    found = boxes_from_predictions(torch.cat(rows, dim=1), Letterbox(size_hw=(128, 128), input_side=128))
    assert found.scores.tolist() == pytest.approx([0.6])


def test_the_best_of_several_classes_counts() -> None:
    prediction = torch.tensor([[64.0], [64.0], [40.0], [40.0], [0.1], [0.8]])
    letterbox = Letterbox(size_hw=(128, 128), input_side=128)
    assert boxes_from_predictions(prediction, letterbox, classes=2).scores.tolist() == pytest.approx([0.8])
    assert len(boxes_from_predictions(prediction, letterbox, classes=1)) == 0


def test_boxes_with_the_same_score_keep_the_order_of_their_anchors() -> None:
    rows = [one_prediction(cx=10.0 + place, cy=64, width=8, height=8, confidence=0.9) for place in range(0, 100, 10)]
    letterbox = Letterbox(size_hw=(512, 512), input_side=512)
    found = boxes_from_predictions(torch.cat(rows, dim=1), letterbox, max_boxes=4)
    assert found.boxes_xyxy[:, 2].tolist() == [14, 24, 34, 44]


def test_detections_check_their_shapes() -> None:
    with pytest.raises(ValueError, match=r"Boxes must have the shape \(N, 4\)"):
        Detections(boxes_xyxy=np.zeros((2, 4), dtype=np.float32), scores=np.zeros(3, dtype=np.float32))


def test_our_decoding_equals_that_of_the_head(network: nn.Module) -> None:
    picture = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        network.eval()
        expected = network(picture)[0]
        found = ObjectDetector(network)(picture)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(90, 128), (128, 90), (300, 20), (1, 1), (1, 70), (70, 1)])
def test_boxes_lie_inside_pictures_of_any_shape(detector: ObjectDetector, size: tuple[int, int]) -> None:
    found = detector.detect(some_picture(*size), confidence=0.1, max_boxes=50)
    assert 0 < len(found) <= 50
    assert found.boxes_xyxy.dtype == found.scores.dtype == np.float32
    assert (found.boxes_xyxy[:, :2] >= 0).all()
    assert (found.boxes_xyxy[:, 2:] <= (size[1], size[0])).all()
    assert (found.boxes_xyxy[:, 2:] > found.boxes_xyxy[:, :2]).all()
    assert (np.diff(found.scores) <= 0).all()
    assert (found.scores > 0.1).all()


def test_a_detectors_own_suppression_holds_unless_another_is_asked_for(network: nn.Module) -> None:
    strict, picture = ObjectDetector(network, input_side=128, nms_iou=0.3), some_picture(90, 128)
    loose = ObjectDetector(network, input_side=128)
    own, published = (found.detect(picture, confidence=0.1, max_boxes=300) for found in (strict, loose))
    assert 0 < len(own) < len(published)
    assert len(strict.detect(picture, confidence=0.1, iou=0.9, max_boxes=300)) == len(published)


def test_at_most_max_boxes_are_given_the_best_ones(detector: ObjectDetector) -> None:
    picture = some_picture(90, 128)
    every = detector.detect(picture, confidence=0.1, max_boxes=300)
    best = detector.detect(picture, confidence=0.1, max_boxes=7)
    assert len(every) > len(best) == 7
    np.testing.assert_array_equal(best.boxes_xyxy, every.boxes_xyxy[:7])


def test_colours_reach_the_network_as_rgb_between_0_and_1() -> None:
    seen: list[Tensor] = []

    class Spy(ObjectDetector):
        def forward(self, pictures: Tensor) -> Tensor:
            seen.append(pictures)
            return torch.zeros(1, 5, 21)

    picture = np.zeros((32, 32, 3), dtype=np.uint8)
    picture[...] = (255, 51, 0)
    spy = Spy(build_detector_module(DetectorConfig()), input_side=32)
    assert len(spy.detect(picture)) == 0
    assert seen[0].shape == (1, 3, 32, 32)
    torch.testing.assert_close(seen[0][0, :, 16, 16], torch.tensor([1.0, 0.2, 0.0]))


def test_pictures_in_turn_do_not_change_each_others_boxes(detector: ObjectDetector) -> None:
    wide, tall = some_picture(64, 128), some_picture(128, 64)
    before = detector.detect(wide, confidence=0.3).boxes_xyxy
    detector.detect(tall)
    np.testing.assert_array_equal(detector.detect(wide, confidence=0.3).boxes_xyxy, before)


@pytest.mark.parametrize(("dtype", "pixels"), [(torch.float16, 1.0), (torch.bfloat16, 8.0)])
def test_half_precision_moves_boxes_only_a_little(network: nn.Module, dtype: torch.dtype, pixels: float) -> None:
    picture = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    copy = build_detector_module(DetectorConfig())
    copy.load_state_dict(network.state_dict())
    with torch.inference_mode():
        expected = ObjectDetector(network)(picture)
        found = ObjectDetector(copy.to(dtype))(picture.to(dtype))
    assert found.dtype == torch.float32
    assert (found - expected)[:, :4].abs().max() < pixels


def test_fusing_batch_norms_changes_nothing_but_rounding(network: nn.Module) -> None:
    picture = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    fused = build_detector_module(DetectorConfig())
    fused.load_state_dict(network.state_dict())
    fuse_batch_norm(fused.eval())
    assert not any(isinstance(part, nn.BatchNorm2d) for part in fused.modules())
    with torch.inference_mode():
        expected, found = ObjectDetector(network)(picture), ObjectDetector(fused)(picture)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-2)


def test_importing_is_light_and_building_leaves_no_traces(tmp_path: Path) -> None:
    program = """
import os, sys, warnings
import cv2, numpy, torch
import mobilesamv2.models.detector.detector as detector
assert "ultralytics" not in sys.modules
from PIL import Image
import pathlib, tempfile, threading
from mobilesamv2.weights.detector_files import read_detector
from mobilesamv2.weights.detector_pickle import is_pickled_ultralytics
torch.set_printoptions(precision=7, sci_mode=True)
before = dict(os.environ), cv2.getNumThreads(), numpy.get_printoptions(), torch.get_num_threads()
printed, filters = repr(torch.tensor(1 / 3)), list(warnings.filters)
functions = Image.open, torch.load, torch.save, cv2.imread, cv2.imwrite, cv2.imshow
network = detector.build_detector_module(detector.DetectorConfig())
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, "yolov8n.pt")
    torch.save({"model": network}, path)
    assert is_pickled_ultralytics(path)
    read_detector(path, read_state_dict=None)
assert threading.active_count() == 1
assert "torchvision" not in sys.modules
after = {key: value for key, value in os.environ.items() if not key.startswith("YOLO_")}
assert (after, cv2.getNumThreads(), numpy.get_printoptions(), torch.get_num_threads()) == before
assert (repr(torch.tensor(1 / 3)), warnings.filters) == (printed, filters)
assert functions == (Image.open, torch.load, torch.save, cv2.imread, cv2.imwrite, cv2.imshow)
assert os.environ["YOLO_AUTOINSTALL"] == "false" and os.environ["YOLO_OFFLINE"] == "true"
print(os.environ["YOLO_CONFIG_DIR"])
"""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("YOLO_", "OMP_"))}
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])}
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert not Path(ran.stdout.strip()).exists()
    assert list(tmp_path.iterdir()) == []


def test_a_second_thread_takes_no_replaced_function_for_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    original, replaced, second_began = torch.load, threading.Event(), threading.Event()

    def slow_import(name: str) -> ModuleType:
        if name == "ultralytics.one":
            torch.load = lambda *_, **__: None
            replaced.set()
            second_began.wait(0.3)  # in vain, for the second waits
        if name == "ultralytics.two":
            second_began.set()
            first.join(5)
        return sys.modules["ultralytics.utils"]

    ultralytics_module("ultralytics.utils")
    monkeypatch.setattr("importlib.import_module", slow_import)
    first, second = (
        threading.Thread(target=ultralytics_module, args=[f"ultralytics.{name}"]) for name in ("one", "two")
    )
    try:
        first.start()
        replaced.wait(5)
        second.start()
        for thread in (first, second):
            thread.join(5)
        assert torch.load is original
    finally:
        torch.load = original


def test_the_embedded_weights_fit_and_give_a_useful_number_of_boxes() -> None:
    file = WEIGHTS / "nano-objects.safetensors"
    assert file.stat().st_size < 9.5e6
    embedded = build_detector("nano-objects")  # with the suppression that suits it
    with Image.open(EXAMPLES / "pavilion.jpg") as image:
        found = embedded.detect(np.asarray(image.convert("RGB")))
    assert 20 <= len(found) <= 320
    sides = found.boxes_xyxy[:, 2:] - found.boxes_xyxy[:, :2]
    assert sides.prod(axis=1).min() < 0.02 * 427 * 640  # not only the large, easy ones
