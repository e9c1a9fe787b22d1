"""What a visitor can take away, without a page."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from mobilesamv2.errors import PromptError
from mobilesamv2.export import FORMATS, chosen_formats, files_of
from mobilesamv2.progress import Progress
from mobilesamv2.request import Request
from mobilesamv2.types import Masks, Prompts
from mobilesamv2.web import exporting
from mobilesamv2.web import exporting as text
from mobilesamv2.web.everything import VIEW
from mobilesamv2.web.exporting import ExportItem
from mobilesamv2.web.mask_views import Shown, ViewRequest
from mobilesamv2.web.sessions import Session
from tests.export.examples import boxes_as_masks
from tests.tiny import picture

MASKS = boxes_as_masks([(1, 2, 11, 5), (0, 0, 60, 40)], (40, 60))
NO_PROMPTS = Prompts(boxes_xyxy=np.zeros((0, 4), dtype=np.float32))
COLOURS = np.array([[1, 2, 3], [200, 100, 0]], dtype=np.uint8)


def takeable(masks: Masks = MASKS, colours: npt.NDArray[np.uint8] = COLOURS) -> ExportItem:
    return ExportItem(picture=picture(), masks=masks, file_name="my cat.jpg", colours=colours, info={})


def packed_into(folder: Path, item: ExportItem, formats: tuple[str, ...]) -> tuple[list[Progress], Path]:
    """The steps of packing, and the file."""
    items = list(exporting.pack(item, formats, folder))
    steps = [item for item in items if isinstance(item, Progress)]
    (path,) = (item for item in items if isinstance(item, Path))
    return steps, path


@pytest.fixture
def session(tmp_path: Path) -> Session:
    path = tmp_path / "my cat.png"
    Image.fromarray(picture()).save(path)
    session = Session()
    session.picture(str(path))
    return session


WANTED = ViewRequest(Request(), "nano")


def keep(session: Session, shown: Shown) -> None:
    """Let masks be shown."""
    assert session.at_hand is not None
    session.keep(VIEW, shown, picture=session.at_hand, nbytes=shown.nbytes)


@pytest.mark.parametrize("named", [("masks",), ("coco", "cutouts"), tuple(FORMATS), ("label-map",)])
def test_all_files_lie_in_a_zip_in_a_folder_of_the_photos_name(tmp_path: Path, named: tuple[str, ...]) -> None:
    steps, path = packed_into(tmp_path, takeable(), named)
    assert path == tmp_path / "my cat-masks.zip"
    with zipfile.ZipFile(path) as packed:
        names = packed.namelist()
        assert packed.testzip() is None
    expected = [f"my cat/{name}" for name, _ in files_of(picture(), MASKS, formats=named, file_name="my cat.jpg")]
    assert names == expected
    assert [(step.done, step.total) for step in steps] == [(i, len(names)) for i in range(len(names))]


def test_one_file_alone_needs_no_zip(tmp_path: Path) -> None:
    _, path = packed_into(tmp_path, takeable(), ("overlay",))
    assert path.name == "my cat-overlay.png"
    _, path = packed_into(tmp_path, takeable(), ("coco",))
    assert json.loads(path.read_text())["images"][0]["file_name"] == "my cat.jpg"


def test_the_legend_has_the_colours_of_the_page(tmp_path: Path) -> None:
    _, path = packed_into(tmp_path, takeable(), ("label-map",))
    with zipfile.ZipFile(path) as packed:
        legend = json.loads(packed.read("my cat/legend.json"))
    assert [row["colour"] for row in legend] == ["#010203", "#c86400"]


def test_no_masks_can_be_taken_away_too(tmp_path: Path) -> None:
    nothing = takeable(masks=MASKS.select([]), colours=COLOURS[:0])
    _, path = packed_into(tmp_path, nothing, tuple(FORMATS))
    with zipfile.ZipFile(path) as packed:
        assert len(packed.namelist()) == exporting.count_files(0, tuple(FORMATS)) == 14


def test_packing_that_is_stopped_leaves_no_file(tmp_path: Path) -> None:
    packing = exporting.pack(takeable(), tuple(FORMATS), tmp_path)
    assert isinstance(next(packing), Progress)
    assert list(tmp_path.iterdir())
    packing.close()
    assert not list(tmp_path.iterdir())


def test_what_is_shown_is_taken_after_its_filters_and_in_its_colours(session: Session) -> None:
    with pytest.raises(PromptError, match=text.NOTHING_SEGMENTED):
        exporting.everything_shown(session, session.photo)
    found = Shown(masks=MASKS.select([1]), numbers=np.array([7]), prompts=NO_PROMPTS, whole=2, wanted=WANTED)
    keep(session, found)
    taken = exporting.everything_shown(session, session.photo)
    assert taken.masks.rles == (MASKS.rles[1],)
    assert taken.file_name == "my cat.png"
    assert taken.info == {"masks": 1, "masks_before_filters": 2}
    assert len(taken.colours) == 1


def test_nothing_is_there_to_take_from_a_visitor_without_a_photo() -> None:
    with pytest.raises(PromptError, match="no masks to take away yet"):
        exporting.everything_shown(Session(), None)


def test_masks_of_another_photo_than_the_chosen_one_are_not_taken(session: Session, tmp_path: Path) -> None:
    keep(session, Shown(MASKS, np.arange(2), NO_PROMPTS, 2, WANTED))
    assert len(exporting.everything_shown(session, session.photo).masks)
    for other in (None, str(tmp_path / "other.png")):
        with pytest.raises(PromptError, match="no masks to take away yet"):
            exporting.everything_shown(session, other)


@pytest.mark.parametrize("named", ["masks,cutouts", "cutouts masks", ["cutouts", "masks"]])
def test_formats_are_named_in_a_text_or_a_list(named: str | list[str]) -> None:
    assert chosen_formats(named) == ("masks", "cutouts")


@pytest.mark.parametrize("named", ["", "pdf", [], [1], {"masks": 1}, 5, None])
def test_formats_that_do_not_exist_are_refused_in_a_sentence(named: Any) -> None:
    with pytest.raises(PromptError, match=r"\.$"):
        chosen_formats(named)


def test_what_is_said_of_the_sizes_of_pictures_is_so() -> None:
    sizes = {}
    for name, content in files_of(picture(), MASKS, formats=tuple(FORMATS)):
        if name.endswith(".png"):
            with Image.open(io.BytesIO(content)) as image:
                assert image.format == "PNG"
                sizes[name] = image.size
    assert {name for name, size in sizes.items() if size != (60, 40)} == {"cutouts/0001.png"}
    assert "Cut-outs: cropped to the mask" in text.FORMATS_INFO
    assert "PNGs; all but cut-outs have the photo's size" in text.FORMATS_INFO
