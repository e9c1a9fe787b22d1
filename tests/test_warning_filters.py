"""Warning filters in programs of several threads."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from mobilesamv2 import images
from mobilesamv2.warning_filters import ignored_warnings, without_new_filters
from mobilesamv2.weights import read_state_dict

PACKAGE = Path(__file__).resolve().parents[1] / "mobilesamv2"


@pytest.mark.parametrize("ending", ["first", "second"])
@pytest.mark.parametrize("block", [ignored_warnings, without_new_filters])
def test_overlapping_blocks_leave_the_filters_as_they_were(
    block: Callable[[], AbstractContextManager[None]], ending: str
) -> None:
    before = list(warnings.filters)
    blocks = {"first": block(), "second": ignored_warnings(module="torch")}
    for one in blocks.values():
        one.__enter__()
    for name in (ending, *(blocks.keys() - {ending})):
        blocks[name].__exit__(None, None, None)
    assert list(warnings.filters) == before


def test_only_warnings_of_that_kind_are_ignored_and_only_within() -> None:
    with ignored_warnings(category=UserWarning):
        warnings.warn("nobody sees this", UserWarning, stacklevel=1)
        with pytest.raises(DeprecationWarning):
            warnings.warn("old", DeprecationWarning, stacklevel=1)
    with pytest.raises(UserWarning, match="again"):
        warnings.warn("again", UserWarning, stacklevel=1)


def test_filters_that_a_block_adds_go_with_it() -> None:
    before = list(warnings.filters)
    with without_new_filters():
        warnings.filterwarnings("ignore", message="of a package that is imported")
        assert len(warnings.filters) == len(before) + 1
    assert list(warnings.filters) == before


def test_two_loads_that_overlap_leave_the_filters_as_they_were(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1)}, tmp_path / "one.pt")
    load, opened = torch.load, Image.open
    picture_is_open, checkpoint_is_read = threading.Event(), threading.Event()

    def slow_open(*arguments: Any, **options: Any) -> Any:
        picture_is_open.set()
        checkpoint_is_read.wait(5)
        return opened(*arguments, **options)

    def slow_load(*arguments: Any, **options: Any) -> Any:
        checkpoint_is_read.set()
        picture.join(5)
        return load(*arguments, **options)

    monkeypatch.setattr(Image, "open", slow_open)
    monkeypatch.setattr(torch, "load", slow_load)
    before = list(warnings.filters)
    cat = Path(__file__).parents[1] / "examples" / "images" / "cat.png"
    picture = threading.Thread(target=images.load_image, args=[cat])
    picture.start()
    picture_is_open.wait(5)
    read_state_dict(tmp_path / "one.pt")
    assert list(warnings.filters) == before


def test_no_file_of_the_package_puts_a_whole_list_of_filters_back() -> None:
    users = [path for path in PACKAGE.rglob("*.py") if "catch_warnings(" in path.read_text(encoding="utf-8")]
    assert users == []
