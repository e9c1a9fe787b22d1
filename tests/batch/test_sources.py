"""Which pictures a source stands for, here and in other file systems."""

from __future__ import annotations

import os
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from mobilesamv2.batch.sources import SourceError, names_of, read_named
from mobilesamv2.errors import InvalidImageError

from .fakes import photograph


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures at two levels, and what is none."""
    for name in ("b.png", "a.JPG", "deep/er/c.png", ".hidden.png", ".trash/d.png"):
        photograph(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.md").write_text("no picture")
    return tmp_path / "in"


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    """fsspec's file system in memory, empty before and after."""
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    yield fs
    fs.store.clear()


def inside(folder: Path, *names: str) -> list[str]:
    return [str(folder / name) for name in names]


def test_a_folder_stands_for_the_pictures_at_all_depths_but_hidden_ones(folder: Path) -> None:
    assert list(names_of([str(folder)])) == inside(folder, "a.JPG", "b.png", "deep/er/c.png")


def test_results_in_a_searched_folder_are_no_pictures(folder: Path) -> None:
    photograph(folder / "out" / "label_maps" / "x.png")
    found = list(names_of([str(folder)], without=str(folder / "out")))
    assert found == inside(folder, "a.JPG", "b.png", "deep/er/c.png")


def test_names_are_full_paths_wherever_the_program_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert list(names_of(["b.png", f"file://{folder}/b.png"])) == inside(folder, "b.png", "b.png")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [("*.png", ["b.png"]), ("**/*.png", ["b.png", "deep/er/c.png"]), ("[ab].*", ["a.JPG", "b.png"])],
)
def test_a_pattern_stands_for_the_pictures_it_matches(folder: Path, pattern: str, names: list[str]) -> None:
    assert sorted(names_of([f"{folder}/{pattern}"])) == inside(folder, *names)


def test_a_text_file_names_pictures_whether_they_are_there_or_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "list.txt").write_text(f"b.png\n\nmissing.png\n{folder}/notes.md\ns3://bucket/a.jpg\n")
    found = list(names_of(["list.txt"]))
    assert found == [*inside(folder, "b.png", "missing.png", "notes.md"), "s3://bucket/a.jpg"]


def test_a_list_may_begin_with_a_byte_order_mark(folder: Path, memory: fsspec.AbstractFileSystem) -> None:
    written = f"{folder}/b.png\r\n".encode("utf-8-sig")
    (folder / "list.txt").write_bytes(written)
    memory.pipe_file("/list.txt", written)
    for source in (str(folder / "list.txt"), "memory://list.txt"):
        assert list(names_of([source])) == inside(folder, "b.png")


def test_a_pipe_is_named_and_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.extend(names_of([str(folder / "pipe.png")])), daemon=True)
    thread.start()
    thread.join(timeout=10)
    assert found == inside(folder, "pipe.png")


def test_a_name_that_is_no_utf8_is_a_name(folder: Path) -> None:
    name = os.fsdecode(b"gr\xfcn.png")
    photograph(folder / name)
    (folder / "list.txt").write_bytes(os.fsencode(folder) + b"/gr\xfcn.png\n")
    assert inside(folder, name)[0] in list(names_of([str(folder)]))
    assert list(names_of([str(folder / "list.txt")])) == inside(folder, name)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("memory://in", ["/in/a.png", "/in/deep/b.png"]),
        ("memory://in/*.png", ["/in/a.png"]),
        ("memory://in/deep/b.png", ["/in/deep/b.png"]),
    ],
)
def test_an_address_stands_for_what_a_path_would(
    memory: fsspec.AbstractFileSystem, folder: Path, source: str, names: list[str]
) -> None:
    for name in ("in/a.png", "in/deep/b.png", "in/.trash/c.png"):
        memory.pipe_file(name, (folder / "b.png").read_bytes())
    found = list(names_of([source]))
    assert found == [f"memory://{name}" for name in names]
    assert read_named(found[0]).picture.shape == (12, 20, 3)


def test_a_list_may_lie_elsewhere(memory: fsspec.AbstractFileSystem, folder: Path) -> None:
    memory.pipe_file("list.txt", f"memory://x.png\n{folder}/b.png\n".encode())
    assert list(names_of(["memory://list.txt"])) == ["memory://x.png", *inside(folder, "b.png")]


def test_pictures_in_an_archive_have_addresses_that_can_be_read(folder: Path) -> None:
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.write(folder / "b.png", "one/b.png")
    (name,) = names_of([f"zip://**::{folder}/all.zip"])
    assert name == f"zip://one/b.png::{folder}/all.zip"
    assert read_named(name).picture.shape == (12, 20, 3)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("nowhere", "There is no file or folder nowhere."),
        ("memory://nowhere", "There is no file or folder memory://nowhere."),
        ("empty", "empty stands for no pictures."),
        ("empty/*.png", "empty/*.png stands for no pictures."),
        ("nosuch://bucket", "nosuch://bucket cannot be reached: Protocol not known: nosuch."),
    ],
)
def test_a_source_without_pictures_is_one_sentence(
    source: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError) as caught:
        list(names_of([source]))
    assert str(caught.value) == sentence


def test_a_picture_that_cannot_be_fetched_is_one_sentence(memory: fsspec.AbstractFileSystem) -> None:
    with pytest.raises(InvalidImageError, match=r"^memory://none.png cannot be fetched: .*\.$"):
        read_named("memory://none.png")
    memory.pipe_file("broken.png", b"no picture")
    with pytest.raises(InvalidImageError, match=r"^broken.png is not a picture"):
        read_named("memory://broken.png")
