"""The folder of results: whole files, one owner, and what is done."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from mobilesamv2.batch.rows import row_of_error
from mobilesamv2.batch.store import BatchError, Store, label_map_name, part_name

pytest.importorskip("pyarrow")

ABOUT = {"model": "nano", "request": {"sampler": "grid"}}


@pytest.fixture(params=["here", "elsewhere"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A folder of this machine, or of another file system."""
    fsspec.filesystem("memory").store.clear()
    yield str(tmp_path / "out") if request.param == "here" else "memory://out"
    fsspec.filesystem("memory").store.clear()


def rows_with(names: list[str], errors: Collection[str] = ()) -> list[dict[str, Any]]:
    return [
        row_of_error(name, "It is broken.") if name in errors else {"source": name, "error": None} for name in names
    ]


def test_a_new_folder_holds_nothing(address: str) -> None:
    store = Store.opened(address, ABOUT)
    assert list(store.done_parts()) == []
    assert store.read("summary.json") is None


def test_parts_are_found_again_by_a_later_run(address: str) -> None:
    first = Store.opened(address, ABOUT)
    first.write_part(["a", "b"], rows_with(["a", "b"], {"b"}))
    assert first.read_part(["a", "b"]) == [
        {"source": "a", "error": None},
        {"source": "b", "error": "It is broken."},
    ]
    assert first.read_part(["a"]) is None
    (part,) = Store.opened(address, ABOUT).done_parts()
    assert (part.sources, part.errors) == (("a", "b"), 1)


def test_the_same_part_twice_is_one(address: str) -> None:
    store = Store.opened(address, ABOUT)
    for _ in range(2):
        store.write_part(["a"], rows_with(["a"]))
    assert [part.sources for part in store.done_parts()] == [("a",)]


def test_a_run_that_lost_the_folder_publishes_nothing(address: str) -> None:
    first = Store.opened(address, ABOUT)
    second = Store.opened(address, ABOUT)
    with pytest.raises(BatchError, match="Another run has opened"):
        first.write_part(["a"], rows_with(["a"]))
    assert list(second.done_parts()) == []
    assert not first.is_current()
    assert second.is_current()


def test_a_folder_of_another_request_is_refused(address: str) -> None:
    Store.opened(address, ABOUT)
    with pytest.raises(BatchError, match=r"differs in request; name another folder\.$"):
        Store.opened(address, {"model": "nano", "request": {"sampler": "object-aware"}})


def test_a_stop_while_writing_leaves_nothing_under_the_name(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.opened(address, ABOUT)
    with monkeypatch.context() as patched:
        patched.setattr(type(store.fs), "mv", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            store.write_part(["a"], rows_with(["a"]))
    assert list(store.done_parts()) == []
    assert store.fs.find(f"{store.root}/unfinished")
    again = Store.opened(address, ABOUT)
    assert not again.fs.find(f"{again.root}/unfinished")


def test_rows_of_errors_can_be_forgotten(address: str) -> None:
    store = Store.opened(address, ABOUT)
    store.write_part(["a", "b"], rows_with(["a", "b"], {"b"}))
    store.write_part(["c"], rows_with(["c"], {"c"}))
    store.write_part(["d"], rows_with(["d"]))
    assert store.forget_errors() == 2
    assert sorted(part.sources for part in store.done_parts()) == [("a",), ("d",)]


def test_a_damaged_part_is_named(address: str) -> None:
    store = Store.opened(address, ABOUT)
    store.write(part_name(["a"]), b"PAR1 but no more")
    with pytest.raises(BatchError, match=r"part-\w+\.parquet is damaged .* Delete it and run again"):
        list(store.done_parts())


def test_pictures_of_one_name_in_two_folders_have_two_label_maps() -> None:
    one, other = label_map_name("/a/x y.jpg"), label_map_name("/b/x y.jpg")
    assert one != other
    assert one.startswith("label_maps/")
    assert "/x y-" in one
