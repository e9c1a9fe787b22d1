"""Which photographs the command line takes, and under which names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mobilesamv2.cli.photos import find_photos

from .conftest import saved


def _names(paths: list[Path], **options: Any) -> list[str]:
    return [photo.name for photo in find_photos(paths, **options)[0]]


def test_a_folder_stands_for_its_photographs_in_order(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "c.webp"):
        saved(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no photograph")
    saved(tmp_path / ".hidden.png")
    saved(tmp_path / "deeper" / "d.png")
    assert _names([tmp_path]) == ["a", "b", "c"]


def test_folders_within_folders_are_searched_on_request(tmp_path: Path) -> None:
    saved(tmp_path / "a.png")
    saved(tmp_path / "deeper" / "d.png")
    assert _names([tmp_path], recursive=True) == ["a", "d"]


def test_earlier_results_are_no_photographs(tmp_path: Path) -> None:
    saved(tmp_path / "a.png")
    saved(tmp_path / "out" / "a" / "overlay.png")
    assert _names([tmp_path], recursive=True, output=tmp_path / "out") == ["a"]


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("output", [".", ".."])
def test_results_may_go_beside_or_above_the_photographs(tmp_path: Path, output: str, recursive: bool) -> None:
    photos = tmp_path / "photos"
    saved(photos / "a.png")
    saved(photos / "a" / "overlay.png")
    (photos / "a" / "masks.json").write_text("{}")
    assert _names([photos], recursive=recursive, output=photos / output) == ["a"]


def test_a_name_that_is_too_long_fails_alone(tmp_path: Path) -> None:
    good, long = saved(tmp_path / "a.png"), tmp_path / ("a" * 300)
    photos, failures = find_photos([long, good])
    assert [photo.path for photo in photos] == [good]
    assert failures == [(long, f"{long}: File name too long.")]


def test_photographs_of_one_name_get_a_folder_each(tmp_path: Path) -> None:
    paths = [
        saved(tmp_path / "x" / "photo.png"),
        saved(tmp_path / "y" / "photo.png"),
        saved(tmp_path / "y" / "PHOTO.jpg"),
        saved(tmp_path / "y" / "photo-2.png"),
    ]
    names = _names(paths)
    assert names == ["photo", "photo-2", "PHOTO-3", "photo-2-2"]
    assert len({name.casefold() for name in names}) == 4


def test_a_photograph_that_is_named_twice_is_done_once(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png")
    assert _names([path, tmp_path, path]) == ["a"]


@pytest.mark.parametrize("name", ["summary.json.png", "..png", ". .png"])
def test_no_photograph_takes_the_place_of_other_output(tmp_path: Path, name: str) -> None:
    (folder,) = _names([saved(tmp_path / name)])
    assert folder not in ("summary.json", "", ".", "..")


def test_names_that_not_every_system_takes_keep_the_files_name_and_stay_apart(tmp_path: Path) -> None:
    names = ["a:b.png", "a?b.png", "ab.png"]
    for name in names:
        saved(tmp_path / name)
    photos, _ = find_photos([tmp_path])
    assert [photo.file_name for photo in photos] == names
    assert [photo.name for photo in photos] == ["a_b", "a_b-2", "ab"]


def test_photographs_are_called_by_their_place_in_the_folder_that_is_searched(tmp_path: Path) -> None:
    for name in ("a.png", "x/a.png", "y/a.png"):
        saved(tmp_path / name)
    photos, _ = find_photos([tmp_path], recursive=True)
    assert [photo.file_name for photo in photos] == ["a.png", "x/a.png", "y/a.png"]


def test_two_photographs_are_never_called_the_same(tmp_path: Path) -> None:
    first, second = saved(tmp_path / "x" / "a.png"), saved(tmp_path / "y" / "a.png")
    for arguments in ([first, second], [tmp_path / "x", tmp_path / "y"]):
        photos, _ = find_photos(arguments)
        assert [photo.file_name for photo in photos] == [first.as_posix(), second.as_posix()]
    assert [photo.file_name for photo in find_photos([first])[0]] == ["a.png"]


@pytest.mark.parametrize("path", ["a/masks/0001.png", "a/panoptic/a.png", "panoptic/x/a.png"])
def test_pictures_of_earlier_results_are_no_photographs(tmp_path: Path, path: str) -> None:
    saved(tmp_path / "a.png")
    saved(tmp_path / path)
    (tmp_path / "panoptic.json").write_text("{}")
    (tmp_path / "a").mkdir(exist_ok=True)
    (tmp_path / "a" / "masks.json").write_text("{}")
    assert _names([tmp_path], recursive=True, output=tmp_path) == ["a"]


def test_no_photograph_takes_the_place_of_a_data_set(tmp_path: Path) -> None:
    assert _names([saved(tmp_path / "yolo.png"), saved(tmp_path / "cvat.xml.png")]) == [
        "yolo-2",
        "cvat.xml-2",
    ]
