"""Files whose hash the zoo does not know: the hub's is checked, remembered, and held to."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mobilesamv2.errors import WeightsError
from mobilesamv2.weights import find, forget, hash_source, verify
from mobilesamv2.weights.record import Learned, learn, learned, record_path
from tests.fake_hub import FakeHub

from .conftest import CONTENT, REPO, assert_one_sentence, entry

UNKNOWN = entry(bytes=None, sha256=None)


def empty_cache(tmp_path: Path) -> None:
    """Throw all fetched files away, but not what is remembered of them."""
    for folder in (tmp_path / "cache").glob("models--*"):
        shutil.rmtree(folder)


def test_nothing_is_remembered_at_first() -> None:
    assert learned(UNKNOWN) is None
    assert [hash_source(UNKNOWN), hash_source(entry())] == ["unknown", "pinned"]


def test_the_hub_s_hash_is_learned_at_the_first_fetch(hub: FakeHub) -> None:
    find(UNKNOWN)
    assert learned(UNKNOWN) == Learned(sha256=str(entry().sha256), bytes=len(CONTENT))
    assert hash_source(UNKNOWN) == "learned"


def test_a_hash_that_is_pinned_in_source_is_not_recorded(hub: FakeHub) -> None:
    find(entry())
    assert not record_path().exists()


def test_another_file_under_a_learned_name_is_refused_until_that_is_forgotten(hub: FakeHub, tmp_path: Path) -> None:
    find(UNKNOWN)
    empty_cache(tmp_path)
    hub.files[f"{REPO}/small.pt"] = CONTENT.upper()
    with pytest.raises(WeightsError, match=r"offers another small\.pt than was fetched before") as caught:
        find(UNKNOWN)
    assert_one_sentence(caught.value)
    assert "`mobilesamv2 weights fetch --renew`" in str(caught.value)
    forget(UNKNOWN)
    assert find(UNKNOWN).read_bytes() == CONTENT.upper()


def test_a_hub_that_tells_no_hash_is_held_to_the_one_learned(hub: FakeHub, tmp_path: Path) -> None:
    find(UNKNOWN)
    empty_cache(tmp_path)
    hub.said_etag = "abc"
    hub.changed = CONTENT.upper()
    with pytest.raises(WeightsError, match="arrived from"):
        find(UNKNOWN)
    hub.changed = None
    assert find(UNKNOWN).read_bytes() == CONTENT


def test_where_the_hub_tells_no_hash_that_of_the_first_fetch_is_learned(hub: FakeHub) -> None:
    hub.said_etag = "abc"
    find(UNKNOWN)
    assert learned(UNKNOWN) == Learned(sha256=str(entry().sha256), bytes=len(CONTENT))


def test_a_file_that_another_program_fetched_is_checked_against_its_name_in_the_cache(hub: FakeHub) -> None:
    path = find(UNKNOWN)
    forget(UNKNOWN)
    assert find(UNKNOWN) == path
    assert hash_source(UNKNOWN) == "learned"
    forget(UNKNOWN)
    path.resolve().write_bytes(CONTENT.upper())
    with pytest.raises(WeightsError, match="has SHA-256"):
        find(UNKNOWN)


def test_a_copy_in_a_folder_of_weights_is_held_to_what_was_learned(hub: FakeHub, tmp_path: Path) -> None:
    find(UNKNOWN)
    copy = tmp_path / "small.pt"
    copy.write_bytes(CONTENT)
    verify(copy, UNKNOWN)
    copy.write_bytes(CONTENT.upper())
    with pytest.raises(WeightsError, match=r"small\.pt has SHA-256 \w{8}…, expected \w{8}…\. Delete "):
        verify(copy, UNKNOWN)


def test_forgetting_what_is_not_known_does_nothing() -> None:
    forget(UNKNOWN)
    assert not record_path().exists()


def test_many_at_once_lose_nothing() -> None:
    files = [entry(filename=f"{number}.pt", sha256=None) for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda file: learn(file, Learned(sha256="0" * 64, bytes=1)), files))
    assert all(learned(file) for file in files)
    assert {path.name for path in record_path().parent.iterdir()} <= {
        record_path().name,
        record_path().with_suffix(".lock").name,
    }


def test_a_record_that_cannot_be_written_is_logged_and_no_more(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("mobilesamv2.weights.record.record_path", lambda: tmp_path / "file" / "folder" / "record.json")
    learn(UNKNOWN, Learned(sha256="0" * 64, bytes=1))
    assert "could not be remembered" in caplog.text


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 3}', '{"a": {"sha256": "0"}}', "\x00"])
def test_a_damaged_record_is_one_sentence(content: str, hub: FakeHub) -> None:
    record_path().parent.mkdir(parents=True)
    record_path().write_text(content)
    with pytest.raises(WeightsError, match="delete it and run again") as caught:
        find(UNKNOWN)
    assert_one_sentence(caught.value)
    find(entry())  # what is pinned in source needs no record


def test_the_record_can_be_read_by_people(hub: FakeHub) -> None:
    find(UNKNOWN)
    assert json.loads(record_path().read_text()) == {
        f"{REPO}/small.pt@main": {"sha256": entry().sha256, "bytes": len(CONTENT)}
    }
