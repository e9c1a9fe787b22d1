"""What visitors call their photos."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from gradio.data_classes import FileData, ImageData, ListFiles

from mobilesamv2.errors import InvalidImageError, PromptError
from mobilesamv2.web.layout.parts import files_input, photo_input
from mobilesamv2.web.sessions import Session
from mobilesamv2.web.uploads import Upload, name_of, read_upload, renamed

ODD = ("a:b.jpg", "a?b.jpg", "#1 <best> $5 *.jpg")


def test_a_path_knows_its_name_and_is_still_a_path() -> None:
    photo = Upload("/cache/1f/ab.jpg", "a:b.jpg")
    assert photo == "/cache/1f/ab.jpg"
    assert name_of(photo) == "a:b.jpg"
    again = pickle.loads(pickle.dumps(photo))
    assert (again, name_of(again)) == (photo, "a:b.jpg")


@pytest.mark.parametrize(
    ("path", "called", "expected"),
    [
        ("/cache/1f/ab.jpg", None, "ab.jpg"),
        ("/cache/1f/ab.jpg", "", "ab.jpg"),
        ("/cache/1f/passwd", "../../etc/passwd", "passwd"),
        ("/cache/1f/x.jpg", "x" * 5000, "x" * 255),
    ],
)
def test_a_name_has_no_folders_and_an_end(path: str, called: str | None, expected: str) -> None:
    assert name_of(Upload(path, called)) == expected


def test_no_photo_has_no_name_and_a_plain_path_its_own() -> None:
    assert name_of(None) == ""
    assert name_of("examples/cat.png") == "cat.png"


def test_inputs_of_photos_keep_the_visitors_name() -> None:
    assert name_of(photo_input().preprocess(ImageData(path="/c/ab.jpg", orig_name="a:b.jpg"))) == "a:b.jpg"
    files = ListFiles([FileData(path="/c/ab.jpg", orig_name=name) for name in ODD])
    assert [name_of(photo) for photo in files_input("photos").preprocess(files)] == list(ODD)
    assert files_input("photos").preprocess(None) == []


def test_a_photo_that_cannot_be_read_is_called_what_the_visitor_calls_it(tmp_path: Path) -> None:
    (tmp_path / "ab.jpg").write_bytes(b"no picture")
    photo = Upload(str(tmp_path / "ab.jpg"), "a:b.jpg")
    for read in (read_upload, Session().picture):
        with pytest.raises(InvalidImageError, match=r"^a:b\.jpg is not a picture"):
            read(photo)


def test_programs_name_the_photos_whose_names_their_client_changes() -> None:
    photos = [Upload("/c/ab.jpg", "ab.jpg"), Upload("/c/c.jpg", "c?.jpg")]
    assert [name_of(photo) for photo in renamed(photos, ["a:b.jpg", ""])] == ["a:b.jpg", "c?.jpg"]
    assert renamed(photos, ["x/../y.jpg", ""]) == photos
    assert renamed(photos, None) == photos
    assert renamed(photos, []) == photos
    for wrong in (["a:b.jpg"], [1, 2], "ab", {"0": "a", "1": "b"}):
        with pytest.raises(PromptError, match="one for each photo"):
            renamed(photos, wrong)
