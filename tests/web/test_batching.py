"""Several photos at once, on a tiny model without a page."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from mobilesamv2.errors import PromptError, UnknownModelError
from mobilesamv2.request import Request
from mobilesamv2.web import batching, runs
from mobilesamv2.web import batching as text
from mobilesamv2.web.batching import PhotoDone
from mobilesamv2.web.jobs import Job
from mobilesamv2.web.models import Models
from mobilesamv2.web.sessions import JobNumbers, Session
from tests.tiny import picture, tiny_segmenter

MODELS = Models(lambda name: tiny_segmenter(), names=("tiny", "nano"), first="tiny")


def save(path: Path, seed: int = 0) -> str:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(picture(seed=seed)).save(path)
    return str(path)


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    return [save(tmp_path / "a" / "cat.png"), str(broken), save(tmp_path / "b" / "cat.png", seed=1)]


def batch(
    photos: list[str],
    archive: Path,
    *,
    job: Job | None = None,
    formats: tuple[str, ...] = ("coco", "masks"),
    model: str = "tiny",
    models: Models = MODELS,
) -> Generator[Any, None, None]:
    run = partial(runs.run, models)
    return batching.batch(job or Job.alone(), photos, Request(), model, formats, archive, run=run, thumbnail_side=30)


def test_each_photo_has_a_folder_of_its_own_and_a_bad_one_does_not_stop_the_others(
    photos: list[str], tmp_path: Path
) -> None:
    archive = tmp_path / "all.zip"
    *items, summary = batch(photos, archive)
    done = [item for item in items if isinstance(item, PhotoDone)]
    assert [item.record["folder"] for item in done] == ["cat", "cat-2"]
    assert done[0].overlay.shape == (20, 30, 3)
    (failed,) = summary["failures"]
    assert failed["photo"] == "broken.jpg"
    assert "broken.jpg is not a picture" in failed["error"]
    assert summary in items, "what failed is told at once"
    with zipfile.ZipFile(archive) as packed:
        assert packed.testzip() is None
        names = packed.namelist()
        assert json.loads(packed.read("summary.json")) == summary
        with Image.open(io.BytesIO(packed.read("cat-2/masks/0001.png"))) as mask:
            assert mask.size == (60, 40)
    assert {"cat/coco.json", "cat/legend.csv", "cat-2/coco.json", "coco.json"} <= set(names)


def test_one_data_set_holds_the_masks_of_all_photos(photos: list[str], tmp_path: Path) -> None:
    *_, summary = batch(photos, tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as packed:
        packed.extract("coco.json", tmp_path)
    coco = COCO(str(tmp_path / "coco.json"))
    assert len(coco.imgs) == 2
    assert len(coco.anns) == sum(record["masks"] for record in summary["photos"])


def test_each_step_tells_its_photo(photos: list[str], tmp_path: Path) -> None:
    steps = [item for item in batch(photos, tmp_path / "all.zip") if isinstance(item, batching.PhotoStep)]
    assert {(step.place, step.photos) for step in steps} == {(0, 3), (1, 3), (2, 3)}
    assert [step.stage for step in steps if step.place == 0][:2] == ["read", "encode"]
    assert "Photo 2 of 3: broken.jpg" in text.where("broken.jpg", place=1, photos=3)


@pytest.mark.parametrize("formats", [("coco", "masks"), ("masks",)])
@pytest.mark.parametrize("way", ["cancelled", "closed"])
def test_what_is_stopped_leaves_the_photos_that_were_done_with_their_data_set_and_what_failed(
    photos: list[str], tmp_path: Path, formats: tuple[str, ...], way: str
) -> None:
    numbers = JobNumbers()
    job = Job(Session(), 1, numbers)
    running = batch(photos, tmp_path / "all.zip", job=job, formats=formats)
    while not isinstance(next(running), dict):  # the second photo failed
        pass
    if way == "closed":
        running.close()
    else:
        numbers.cancel(1)
        *_, told = running
    with zipfile.ZipFile(tmp_path / "all.zip") as packed:
        assert packed.testzip() is None
        names = {name.split("/")[0] for name in packed.namelist()}
        assert names == {"cat", "summary.json", *(["coco.json"] if "coco" in formats else [])}
        summary = json.loads(packed.read("summary.json"))
        if "coco" in formats:
            (image,) = json.loads(packed.read("coco.json"))["images"]
            assert image["file_name"] == summary["photos"][0]["photo"]
    assert [record["folder"] for record in summary["photos"]] == ["cat"]
    assert [failure["photo"] for failure in summary["failures"]] == ["broken.jpg"]
    if way == "cancelled":
        assert told == summary
        assert "holds the 1 photo that was done" in text.stopped(told)
        assert "broken.jpg" in text.stopped(told)


def test_photos_of_one_name_are_told_apart_by_their_folders(photos: list[str], tmp_path: Path) -> None:
    other = save(tmp_path / "dog.png", seed=2)
    *items, summary = batch([*photos, other], tmp_path / "all.zip")
    told = ["cat/cat.png", "cat-2/cat.png", "dog.png"]
    with zipfile.ZipFile(tmp_path / "all.zip") as packed:
        images = json.loads(packed.read("coco.json"))["images"]
        (alone,) = json.loads(packed.read("cat-2/coco.json"))["images"]
    assert [image["file_name"] for image in images] == told
    assert alone["file_name"] == "cat.png"
    assert [record["photo"] for record in summary["photos"]] == told
    captions = [text.caption(item.record) for item in items if isinstance(item, PhotoDone)]
    assert [caption.partition(":")[0] for caption in captions] == told


def test_photos_that_are_all_bad_are_a_summary_too_without_numbers(photos: list[str], tmp_path: Path) -> None:
    *_, summary = batch(photos[1:2], tmp_path / "all.zip")
    assert summary["photos"] == []
    assert text.numbers(summary) == text.failures(summary["failures"])
    assert "broken.jpg" in text.numbers(summary)


def test_a_photo_without_objects_is_done_too(tmp_path: Path) -> None:
    models = Models(lambda name: tiny_segmenter(boxes=()), names=("tiny", "nano"), first="tiny")
    photo = save(tmp_path / "sky.png")
    *_, summary = batch([photo], tmp_path / "all.zip", formats=("masks",), models=models)
    assert summary["photos"][0]["masks"] == 0
    with zipfile.ZipFile(tmp_path / "all.zip") as packed:
        assert packed.namelist() == ["sky/legend.csv", "sky/legend.json", "summary.json"]


def test_a_model_that_does_not_exist_stops_all(photos: list[str], tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError):
        list(batch(photos, tmp_path / "all.zip", model="no-such-model"))


@pytest.mark.parametrize(("number", "said"), [(0, "no photos yet"), (4, "4 photos; at most 3")])
def test_no_photos_and_too_many_are_refused(number: int, said: str) -> None:
    with pytest.raises(PromptError, match=said):
        batching.check_number(["photo.png"] * number, most=3)
    batching.check_number(["photo.png"], most=3)


def test_names_cannot_bring_markup_or_leave_their_folder(tmp_path: Path) -> None:
    photo = save(tmp_path / "<b>..&.png")
    *_, summary = batch([photo], tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as packed:
        assert {name.split("/")[0] for name in packed.namelist()} == {"_b_..&", "coco.json", "summary.json"}
    assert "<b>" not in text.numbers(summary)
    assert np.asarray(summary["photos"][0]["masks"]) > 0
