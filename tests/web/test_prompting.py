"""What *Point and box* and `/predict_mask` ask of a model, on a tiny model without a page."""

from __future__ import annotations

import base64
import io
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from mobilesamv2.errors import InvalidImageError, PromptError
from mobilesamv2.images import ReadImage
from mobilesamv2.progress import Progress, run_to_end
from mobilesamv2.types import Prompts
from mobilesamv2.web import exporting as export_text
from mobilesamv2.web import prompting
from mobilesamv2.web.exporting import ExportItem
from mobilesamv2.web.jobs import Job, Question
from mobilesamv2.web.models import Models
from mobilesamv2.web.prompt_lists import Limits, read_prompts
from mobilesamv2.web.prompting import Objects, Prediction
from mobilesamv2.web.runs import run
from mobilesamv2.web.sessions import Session
from mobilesamv2.web.text import prompting as text
from tests.tiny import picture, tiny_segmenter

MODELS = Models(lambda name: tiny_segmenter(), names=("tiny", "nano"), first="tiny")
LIMITS = Limits(objects=5, points=5)
OPTIONS: dict[str, Any] = {"run": partial(run, MODELS), "limits": LIMITS}
POINT = {"number": 1, "points": [[20, 15]], "labels": [1]}
BOX = {"number": 2, "boxes": [10, 10, 50, 38]}


@pytest.fixture
def photo(tmp_path: Path) -> str:
    path = tmp_path / "my photo.png"
    Image.fromarray(picture()).save(path)
    return str(path)


def ask(job: Job, photo: str | None, question: dict[str, Any]) -> list[Any]:
    return list(prompting.answer(job, photo, question, "tiny", side=30, **OPTIONS))


def answer(photo: str | None, question: dict[str, Any], job: Job | None = None) -> dict[str, Any]:
    *_, found = ask(job or Job.alone(), photo, question)
    assert isinstance(found, dict)
    return found


def image_of(url: str) -> Image.Image:
    kind, packed = url.split(";base64,")
    assert kind in ("data:image/png", "data:image/jpeg")
    return Image.open(io.BytesIO(base64.b64decode(packed)))


def test_one_click_gives_three_masks_with_their_numbers_and_says_which_is_surest(photo: str) -> None:
    model = tiny_segmenter()
    expected = model.predict(model.encode(picture()), points=[[[20, 15]]], labels=[[1]], multimask=True)
    found = answer(photo, POINT)
    assert found["best"] == int(np.argmax(expected.predicted_iou))
    assert [mask["area"] for mask in found["masks"]] == expected.areas.tolist()
    for index, mask in enumerate(found["masks"]):
        share = expected.areas[index] / (40 * 60)
        told = {"share": share, "predicted_iou": float(expected.predicted_iou[index])}
        assert mask["label"] == text.candidate(index, **told)
        assert mask["cells"] == text.cells(expected.areas[index], **told)


def test_layers_have_the_size_of_the_page_and_the_colour_of_their_object(photo: str) -> None:
    for question in (BOX, BOX | {"number": 2 + len(prompting.COLOURS)}):
        (mask,) = answer(photo, question)["masks"]
        layer = np.asarray(image_of(mask["layer"]))
        assert layer.shape == (20, 30, 4)
        assert (layer[layer[..., 3] > 0][:, :3] == prompting.COLOURS[1]).all()


def test_more_points_and_boxes_give_one_mask(photo: str) -> None:
    for question in (BOX, POINT | BOX, {"points": [[20, 15], [5, 5]], "labels": [1, 0]}):
        assert len(answer(photo, question)["masks"]) == 1


def test_the_photo_is_encoded_once_for_all_questions(photo: str) -> None:
    job = Job.alone()
    told = [
        [item.stage for item in ask(job, photo, question) if isinstance(item, Progress)]
        for question in (POINT, BOX, POINT)
    ]
    assert told == [["read", "encode", "decode"], ["read", "decode"], ["read", "decode"]]
    assert "encoded once, before" in answer(photo, POINT, job)["note"]
    assert "encoded once, just now" in answer(photo, POINT)["note"]


def test_nothing_but_the_picture_and_its_encoding_is_kept(photo: str) -> None:
    job = Job.alone()
    answer(photo, POINT, job)
    held = job.session.nbytes
    for question in (POINT, BOX, {"points": [[1, 1]], "labels": [0]}):
        assert answer(photo, question, job)
    embedding = job.session.embedding("tiny")
    assert embedding is not None
    assert job.session.nbytes == held == picture().nbytes + embedding.nbytes


def test_points_beside_an_object_alone_ask_nothing_and_say_why(photo: str) -> None:
    job = Job.alone()
    found = answer(photo, {"points": [[20, 15]], "labels": [0]}, job)
    assert found == {"masks": [], "note": text.only_beside()}
    assert job.session.embedding("tiny") is None


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"points": [[60, 5]], "labels": [1]},
        {"points": [[5, -3]], "labels": [0]},
        {"points": [["1", 2]], "labels": [1]},
        {"points": [[[1, 2]], [[3, 4]]]},
        {"points": [[1, 2]] * 6},
        {"boxes": [1, 1, 1.5, 9]},
        {"boxes": [3, 3, 3, 30]},
        {"boxes": [70, 5, 90, 30]},
        {"boxes": [1, 2, 3]},
        {"boxes": [1, 2, 3, None]},
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(photo: str, question: dict[str, Any]) -> None:
    with pytest.raises(PromptError, match=r"\.$"):
        answer(photo, question)


def test_no_photo_is_said() -> None:
    with pytest.raises(InvalidImageError, match="no photo yet"):
        answer(None, POINT)


def test_a_copy_that_every_browser_shows_is_made_of_the_photo_that_is_seen(photo: str) -> None:
    job = Job.alone()
    assert answer(None, {"look": True}, job) == {"copy": None}
    copy = answer(photo, {"look": True}, job)["copy"]
    assert copy["size"] == [60, 40]
    assert image_of(copy["url"]).size == (30, 20)
    job.session.example = photo
    assert answer(None, {"look": True}, job) == {"copy": copy}  # the example, before a photo is chosen
    assert job.session.embedding("tiny") is None


def test_a_question_about_a_photo_that_is_gone_reads_nothing_and_gets_no_answer(photo: str, tmp_path: Path) -> None:
    session = Session()
    other = tmp_path / "other.png"
    Image.fromarray(picture(seed=3)).save(other)
    answer(str(other), POINT, Question(session, 2, session.runs))
    session.runs.drop(2)
    assert ask(Question(session, 1, session.runs), photo, POINT) == []
    assert session.photo == str(other)


def test_an_answer_stops_when_another_photo_comes_and_keeps_its_encoding_to_itself(photo: str) -> None:
    session = Session()
    running = prompting.answer(Question(session, 1, session.runs), photo, POINT, "tiny", side=30, **OPTIONS)
    while getattr(next(running), "stage", "") != "encode":
        pass
    session.runs.drop(2)
    assert list(running) == []


def test_what_goes_to_a_lent_gpu_and_back_can_be_pickled() -> None:
    objects = pickle.loads(pickle.dumps(read_prompts([[20, 15]], None, None, multimask=True, limits=LIMITS)))
    items = list(run(MODELS, ReadImage(picture()), None, Objects(objects), "tiny"))
    back = pickle.loads(pickle.dumps(items))
    assert isinstance(back[-1], Prediction)
    assert [len(masks) for masks in back[-1].masks] == [3]
    assert Objects(objects).prompts_at_most == 1


def predict(photo: str, objects: list[Prompts]) -> Prediction:
    job = Job.alone()
    given = prompting.picture_of(job, photo, objects)
    prediction = run_to_end(prompting.predict(job, given, objects, "tiny", run=OPTIONS["run"]))
    assert isinstance(prediction, Prediction)
    return prediction


def asked(*given: object, multimask: bool = False) -> list[Prompts]:
    return read_prompts(*given, multimask=multimask, limits=LIMITS)


def test_the_record_holds_what_the_library_gives_in_the_order_asked(photo: str) -> None:
    boxes = [[10, 10, 50, 38], [2, 3, 40, 30]]
    record = predict(photo, asked(None, None, boxes)).to_record()
    model = tiny_segmenter()
    expected = model.predict(model.encode(picture()), boxes=boxes)
    assert [mask["prompt_index"] for mask in record["annotations"]] == [0, 1]
    for index, mask in enumerate(record["annotations"]):
        assert (coco_mask.decode(mask["segmentation"]) == expected.dense_one(index)).all()
        assert mask["predicted_iou"] == pytest.approx(float(expected.predicted_iou[index]))
    assert record["image"] == {"width": 60, "height": 40, "scaled_to_own_range": False}
    assert (record["prompts"], record["masks"]) == (2, 2)
    assert record["total_seconds"] == pytest.approx(sum(record["seconds"].values()), abs=1e-3)


def test_three_masks_for_each_object_on_request(photo: str) -> None:
    prediction = predict(photo, asked([[[5, 5]], [[20, 20]]], None, None, multimask=True))
    record = prediction.to_record()
    assert [mask["prompt_index"] for mask in record["annotations"]] == [0, 0, 0, 1, 1, 1]
    assert len(prediction.chosen(prediction.best)) == 2


def test_objects_of_different_kinds_are_answered_as_if_asked_alone(photo: str) -> None:
    objects = asked([[[5, 5], [9, 9]], [[20, 20]], [[30, 12], [31, 15]]], None, None)
    objects += asked(None, None, [10, 10, 50, 38])
    together = predict(photo, objects).masks
    for one, found in zip(objects, together, strict=True):
        (alone,) = predict(photo, [one]).masks
        assert found.predicted_iou == pytest.approx(alone.predicted_iou, abs=1e-4)
        assert abs(found.areas[0] - alone.areas[0]) <= 2


def take(session: Session, photo: str | None, told: object) -> ExportItem:
    return run_to_end(prompting.objects_pointed_at(session, photo, told, "tiny", **OPTIONS))


def test_the_chosen_masks_of_the_objects_are_taken_in_their_colours(photo: str) -> None:
    model = tiny_segmenter()
    embedding = model.encode(picture())
    three = model.predict(embedding, points=[[[20, 15]]], labels=[[1]], multimask=True)
    box = model.predict(embedding, boxes=[10, 10, 50, 38])
    for chosen in (0, 1, 2):
        taken = take(Session(), photo, [BOX, POINT | {"chosen": chosen}])
        assert taken.masks.rles == (box.rles[0], three.rles[chosen])
    assert (taken.colours == prompting.COLOURS[[1, 0]]).all()
    assert taken.file_name == "my photo.png"
    surest = three.rles[int(np.argmax(three.predicted_iou))]
    for wrong in (None, 3, -1, "1"):
        assert take(Session(), photo, [POINT | {"chosen": wrong}]).masks.rles == (surest,)


@pytest.mark.parametrize("told", [None, [], [1], "x"])
def test_nothing_pointed_at_is_said(photo: str, told: object) -> None:
    with pytest.raises(PromptError, match=export_text.NOTHING_POINTED_AT):
        take(Session(), photo, told)
