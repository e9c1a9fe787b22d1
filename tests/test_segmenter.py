from __future__ import annotations

import pickle
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from torch import Tensor

from mobilesamv2.errors import InvalidImageError, PromptError, UnknownModelError
from mobilesamv2.filters import MaskFilters
from mobilesamv2.images import load_image
from mobilesamv2.models.detector.detector import Detections
from mobilesamv2.models.preprocess import to_input
from mobilesamv2.models.sam import Sam
from mobilesamv2.progress import Progress
from mobilesamv2.promptable import Embedding
from mobilesamv2.prompts import GridSampler
from mobilesamv2.request import Request
from mobilesamv2.results import STAGES
from mobilesamv2.segmenter import Segmenter
from mobilesamv2.stored import StoredEmbedding
from mobilesamv2.types import Masks, Picture, Prompts
from tests.tiny import Boxes, picture, spied, tiny_segmenter


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return tiny_segmenter()


@pytest.fixture(scope="module")
def embedding(segmenter: Segmenter) -> Embedding:
    return segmenter.encode(picture())


def test_object_aware_asks_once_per_box_and_sorts_by_the_detectors_score(segmenter: Segmenter) -> None:
    result = segmenter.segment_everything(picture())
    assert len(result.prompts) == 3
    assert result.masks_decoded == 3
    assert 0 < len(result.masks) <= 3
    assert (np.diff(result.masks.scores) <= 0).all()
    assert result.masks.scores.tolist() == result.masks.detector_scores.tolist()
    assert result.sampler == "object-aware"


def test_grid_search_asks_three_masks_per_point_and_sorts_by_predicted_iou(segmenter: Segmenter) -> None:
    result = segmenter.segment_everything(picture(), sampler="grid", points_per_side=4)
    assert len(result.prompts) == 16
    assert result.masks_decoded == 48
    assert (np.diff(result.masks.predicted_iou) <= 0).all()
    assert np.isnan(result.masks.detector_scores).all()


def test_every_stage_has_its_seconds(segmenter: Segmenter) -> None:
    result = segmenter.segment_everything(picture(), sampler="grid", points_per_side=2)
    assert tuple(result.timings) == STAGES
    assert result.seconds == pytest.approx(sum(result.timings.values()))
    assert result.timings["encode"] > 0
    assert result.timings["decode"] > 0


@pytest.mark.parametrize("chunk_size", [1, 2, 5])
def test_chunking_prompts_does_not_change_masks(chunk_size: int) -> None:
    samplers: list[dict[str, Any]] = [{"sampler": "grid", "points_per_side": 3}, {}]
    for sampler in samplers:
        whole = tiny_segmenter(chunk_size=64).segment_everything(picture(), **sampler)
        chunked = tiny_segmenter(chunk_size=chunk_size).segment_everything(picture(), **sampler)
        assert len(whole.masks) == len(chunked.masks)
        assert (whole.masks.dense() == chunked.masks.dense()).mean() > 0.9999
        np.testing.assert_allclose(whole.masks.scores, chunked.masks.scores, atol=1e-5)
        assert whole.masks.prompt_index.tolist() == chunked.masks.prompt_index.tolist()


def test_max_prompts_caps_boxes_and_grids(segmenter: Segmenter) -> None:
    assert len(segmenter.segment_everything(picture(), max_prompts=2).prompts) == 2
    assert len(segmenter.segment_everything(picture(), sampler="grid", max_prompts=10).prompts) == 9
    few = segmenter.segment_everything(picture(), sampler="grid", max_prompts=10, points_per_side=2)
    assert len(few.prompts) == 4


def test_masks_that_give_way_to_a_better_one_with_nearly_the_same_box_are_counted() -> None:
    options: dict[str, Any] = {"sampler": "grid", "points_per_side": 4}
    everything = tiny_segmenter(grid_filters=MaskFilters()).segment_everything(picture(), **options)
    fewer = tiny_segmenter(grid_filters=MaskFilters(box_nms=0.5)).segment_everything(picture(), **options)
    assert everything.duplicates_removed == 0
    assert fewer.duplicates_removed == len(everything.masks) - len(fewer.masks) > 0


def test_no_objects_are_an_empty_result() -> None:
    result = tiny_segmenter(boxes=()).segment_everything(picture())
    assert len(result.prompts) == len(result.masks) == result.masks_decoded == 0
    assert result.masks.label_map().shape == (40, 60)
    assert result.masks.to_coco() == []


def test_a_mask_without_pixels_is_not_kept() -> None:
    segmenter = tiny_segmenter()
    assert isinstance(segmenter.sam, Sam)
    decoder: Any = segmenter.sam.mask_decoder
    with torch.no_grad():  # no feature, no logit above 0
        for mlp in decoder.output_hypernetworks_mlps:
            mlp.layers[-1].weight.zero_()
            mlp.layers[-1].bias.zero_()
    result = segmenter.segment_everything(picture())
    assert len(result.prompts) == 3
    assert len(result.masks) == 0
    # predict answers every prompt, also with nothing
    assert len(segmenter.predict(segmenter.encode(picture()), boxes=[[1, 1, 9, 9]])) == 1


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (64, 64), (33, 97)])
def test_pictures_of_any_shape_give_masks_of_their_size(segmenter: Segmenter, size: tuple[int, int]) -> None:
    result = segmenter.segment_everything(picture(*size), sampler="grid", points_per_side=2)
    assert result.masks.size_hw == size
    assert result.masks.dense().shape == (len(result.masks), *size)


def test_filters_take_away_masks_below_their_thresholds(segmenter: Segmenter) -> None:
    everything = segmenter.segment_everything(picture(), sampler=GridSampler(points_per_side=4, filters=MaskFilters()))
    middle = float(np.median(everything.masks.predicted_iou))
    firm = float(np.nanmedian(everything.masks.stability))
    filtered = segmenter.segment_everything(
        picture(),
        sampler=GridSampler(points_per_side=4, filters=MaskFilters(predicted_iou=middle, stability=firm)),
    )
    expected = (everything.masks.predicted_iou > middle) & (everything.masks.stability >= firm)
    assert 0 < len(filtered.masks) == expected.sum()


def test_prompt_index_names_the_prompt_of_each_mask(segmenter: Segmenter, embedding: Embedding) -> None:
    result = segmenter.segment_everything(picture(), sampler=GridSampler(points_per_side=3, filters=MaskFilters()))
    assert result.prompts.points is not None
    for row in (0, len(result.masks) - 1):
        point = result.prompts.points[result.masks.prompt_index[row]]
        answers = segmenter.predict(embedding, points=point[None], multimask=True)
        assert any((dense == result.masks.dense_one(row)).all() for dense in answers)


class TwoRounds:
    """Asks for one box, looks at its mask, asks for two more."""

    name = "two-rounds"
    filters = MaskFilters()

    def __init__(self) -> None:
        self.seen: list[int] = []

    def rounds(self, picture: Picture) -> Generator[Prompts, Masks, None]:
        answer = yield Prompts(boxes_xyxy=np.array([[2, 3, 40, 30]], np.float32))
        self.seen.append(len(answer))
        answer = yield Prompts(boxes_xyxy=np.array([[0, 0, 9, 9], [5, 5, 50, 30]], np.float32))
        self.seen.append(len(answer))


def test_a_sampler_of_several_rounds_sees_its_masks_and_keeps_count_of_prompts(segmenter: Segmenter) -> None:
    sampler = TwoRounds()
    result = segmenter.segment_everything(picture(), sampler=sampler)
    assert sampler.seen[0] == 1
    assert len(result.prompts) == 3
    assert set(result.masks.prompt_index.tolist()) <= {0, 1, 2}
    assert len(set(result.masks.prompt_index.tolist())) == len(result.masks)


def test_closing_the_steps_stops_the_work(segmenter: Segmenter) -> None:
    steps = segmenter.steps(picture(), Request("grid", points_per_side=8))
    stages = []
    for progress in steps:
        stages.append(progress)
        if isinstance(progress, Progress) and progress.stage == "decode" and progress.done:
            break
    steps.close()
    stages = [step for step in stages if isinstance(step, Progress)]
    assert stages[-1].done < stages[-1].total == 64
    assert not torch.is_inference_mode_enabled()
    with pytest.raises(StopIteration):
        next(steps)


def test_inference_mode_never_leaks_between_steps(segmenter: Segmenter) -> None:
    assert not any(torch.is_inference_mode_enabled() for _ in segmenter.steps(picture()))


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"sampler": "magic"}, UnknownModelError, "object-aware, grid"),
        ({"points_per_side": 3}, PromptError, "belongs to grid search"),
        ({"max_prompts": 0}, PromptError, "at least 1"),
        ({"sampler": "grid", "points_per_side": 0}, PromptError, "points_per_side must be at least 1"),
        ({"sampler": GridSampler(), "max_prompts": 4}, PromptError, "brings its own options"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_a_sentence(
    segmenter: Segmenter, options: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        segmenter.segment_everything(picture(), **options)


def test_a_model_without_a_detector_says_so() -> None:
    segmenter = tiny_segmenter(detector=None)
    assert not segmenter.has_detector
    with pytest.raises(PromptError, match="without a detector"):
        segmenter.segment_everything(picture())


def test_a_picture_that_cannot_be_read_is_refused(segmenter: Segmenter, tmp_path: Path) -> None:
    with pytest.raises(InvalidImageError):
        segmenter.segment_everything(tmp_path / "nothing.jpg")


def test_boxes_outside_the_picture_still_give_an_answer() -> None:
    result = tiny_segmenter(detector=Boxes([[-50, -50, 500, 500]])).segment_everything(picture())
    assert len(result.prompts) == 1


def test_half_precision_gives_nearly_the_same_masks() -> None:
    full, half = tiny_segmenter(), tiny_segmenter()
    assert isinstance(half.sam, Sam)
    half.sam.cast(torch.bfloat16)
    boxes = [[2, 3, 40, 30], [10, 10, 50, 38]]
    exact, _ = full.decode_logits(full.encode(picture()), boxes=boxes)
    rough, _ = half.decode_logits(half.encode(picture()), boxes=boxes)
    assert rough.dtype == torch.float32
    assert (exact - rough).abs().mean() < 0.1 * exact.abs().mean() + 0.05


@pytest.mark.parametrize("kind", ["box", "point", "mask"])
def test_nothing_of_float64_reaches_the_device(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    # Some devices, as Apple's MPS, have no float64.
    moved: list[torch.dtype] = []
    to = torch.Tensor.to

    def refusing(tensor: Tensor, *given: Any, **options: Any) -> Tensor:
        if tensor.dtype == torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        moved.append(tensor.dtype)
        return to(tensor, *given, **options)

    embedding = segmenter.encode(picture())
    monkeypatch.setattr(torch.Tensor, "to", refusing)
    prompts: dict[str, dict[str, Any]] = {
        "box": {"boxes": np.array([[2, 3, 40, 30]], np.float64)},
        "point": {"points": [[9.5, 9.5]], "labels": [1]},
        "mask": {"boxes": [2, 3, 40, 30], "mask_inputs": torch.zeros(1, 32, 32, dtype=torch.float32)},
    }
    assert len(segmenter.predict(embedding, **prompts[kind])) == 1
    assert moved
    segmenter.segment_everything(picture())


def test_an_embedding_of_another_model_is_refused(segmenter: Segmenter, embedding: Embedding) -> None:
    other = tiny_segmenter()
    other.name = "other"
    for use in (
        lambda: other.predict(embedding, boxes=[2, 3, 40, 30]),
        lambda: other.decode_logits(embedding, boxes=[]),
        lambda: other.segment_everything(picture(), embedding=embedding),
    ):
        with pytest.raises(PromptError, match="made by tiny; other can only decode its own"):
            use()


def test_an_embedding_of_the_same_model_with_other_weights_is_refused(embedding: Embedding) -> None:
    other = tiny_segmenter()
    assert isinstance(other.sam, Sam)
    with torch.no_grad():
        next(other.sam.image_encoder.parameters()).mul_(1.5)
    stored = pickle.loads(pickle.dumps(StoredEmbedding.of(embedding))).on(other.device)
    for given in (embedding, stored):
        with pytest.raises(PromptError, match=r"by tiny with other weights than these.*Encode the picture again\.$"):
            other.predict(given, boxes=[2, 3, 40, 30])


def test_an_embedding_is_decoded_in_any_number_format_of_the_same_weights(
    segmenter: Segmenter, embedding: Embedding
) -> None:
    other = tiny_segmenter()
    assert isinstance(other.sam, Sam)
    other.sam.cast(torch.bfloat16)
    assert len(other.predict(embedding, boxes=[2, 3, 40, 30])) == 1
    assert len(segmenter.predict(other.encode(picture()), boxes=[2, 3, 40, 30])) == 1


def test_a_picture_is_read_once_and_never_copied_on_its_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(picture()).save(path)
    opened: list[Any] = []
    seen: list[Any] = []
    monkeypatch.setattr(Image, "open", spied(Image.open, opened))
    monkeypatch.setattr("mobilesamv2.promptable.to_input", spied(to_input, seen))

    class Watching(Boxes):
        def detect(self, picture: Picture, **options: Any) -> Detections:
            seen.append((picture,))
            return super().detect(picture, **options)

    photo = load_image(path)
    segmenter = tiny_segmenter(detector=Watching([[2, 3, 40, 30]]))
    segmenter.segment_everything(photo)
    assert len(opened) == 1
    assert len(seen) == 2
    assert all(array is photo for array, *_ in seen)
    photo.setflags(write=False)
    segmenter.segment_everything(photo)


@pytest.mark.parametrize("read_only", [np.asarray(Image.new("RGB", (60, 40), "teal"))])
def test_arrays_that_may_not_be_written_are_pictures_too(
    segmenter: Segmenter, read_only: npt.NDArray[np.uint8]
) -> None:
    assert not read_only.flags.writeable
    assert len(segmenter.segment_everything(read_only).prompts) == 3
