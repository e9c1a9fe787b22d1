"""Finding checkpoint files on this machine and on the hub; what is wrong is said in one sentence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants as hub_constants

from mobilesamv2.errors import WeightsError, WeightsUnreachableError
from mobilesamv2.weights import find, finding, folders, hash_source, is_here, missing, verify
from tests.fake_hub import COMMIT, FakeHub

from .conftest import CONTENT, REPO, assert_one_sentence, entry


def test_a_file_is_fetched_from_the_hub_once(hub: FakeHub) -> None:
    path = find(entry())
    assert path.read_bytes() == CONTENT
    asked = len(hub.requests)
    assert asked > 0
    assert find(entry()) == path
    assert len(hub.requests) == asked


def test_a_mirror_may_be_named_with_a_slash_at_the_end(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"{hub.address}/")
    find(entry())
    assert {request.split()[1] for request in hub.requests} == {f"/{REPO}/resolve/main/small.pt"}


def test_the_pinned_revision_is_asked_for(hub: FakeHub) -> None:
    find(entry(revision=COMMIT))
    assert {request.split()[1] for request in hub.requests} == {f"/{REPO}/resolve/{COMMIT}/small.pt"}


def test_a_file_in_a_folder_of_the_repository_is_found(hub: FakeHub) -> None:
    hub.files[f"{REPO}/checkpoints/small.pt"] = CONTENT
    assert find(entry(filename="checkpoints/small.pt")).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, r"small\.pt of someone/some-model at http://\S+ does not exist \(HTTP 404\)"),
        (401, r"may not be read without permission \(HTTP 401\); log in"),
        (403, r"may not be read without permission \(HTTP 403\); log in"),
        (500, r"could not be fetched \(HTTP 500\); try again later"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence_that_names_the_embedded_model(
    status: int, expected: str, hub: FakeHub
) -> None:
    hub.status = status
    with pytest.raises(WeightsError, match=expected) as caught:
        find(entry())
    assert_one_sentence(caught.value)
    assert 'use the model "nano", which needs no network' in str(caught.value)


def test_a_file_that_the_repository_does_not_have_is_said_not_to_exist(hub: FakeHub) -> None:
    hub.files.clear()
    with pytest.raises(WeightsError, match="does not exist"):
        find(entry())


def test_without_a_network_one_sentence_names_the_embedded_model() -> None:
    with pytest.raises(WeightsError, match=r"small\.pt could not be fetched from http://127") as caught:
        find(entry())
    assert_one_sentence(caught.value)
    assert 'use the model "nano", which needs no network' in str(caught.value)


def test_without_a_network_the_hub_is_asked_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(*_arguments: Any, **_options: Any) -> None:
        raise AssertionError("the download, which tries again and again, must not begin")

    monkeypatch.setattr(finding, "download", download)
    with pytest.raises(WeightsError, match="could not be fetched"):
        find(entry())


@pytest.mark.parametrize("variable", ["MOBILESAMV2_OFFLINE", "HF_HUB_OFFLINE"])
def test_a_switched_off_network_is_not_used(variable: str, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(WeightsError, match="not on this machine and the network is switched off"):
        find(entry())
    assert hub.requests == []


def test_offline_a_file_fetched_before_is_found(hub: FakeHub) -> None:
    path = find(entry())
    assert find(entry(), offline=True) == path


def test_a_file_that_is_offered_with_another_hash_is_not_fetched(hub: FakeHub) -> None:
    hub.files[f"{REPO}/small.pt"] = CONTENT.replace(b"small", b"wrong")
    with pytest.raises(WeightsError, match=r"offers another small\.pt .* SHA-256 \w{8}…, expected \w{8}…\."):
        find(entry())
    assert not any(request.startswith("GET") for request in hub.requests)
    hub.files[f"{REPO}/small.pt"] = CONTENT
    assert find(entry()).read_bytes() == CONTENT


def test_a_damaged_file_in_the_cache_is_refused_and_deleting_it_helps(hub: FakeHub) -> None:
    damaged = find(entry()).resolve()
    damaged.write_bytes(CONTENT[:-1])
    with pytest.raises(WeightsError, match=f"has 27 bytes, expected 28. Delete {damaged} and run again"):
        find(entry())
    damaged.unlink()
    assert find(entry()).read_bytes() == CONTENT


@pytest.mark.parametrize(
    "address",
    [
        "nonsense://nowhere",
        "localhost:8000",
        "http://",
        "http://[",
        "http://a b",
        "http://127.0.0.1:x",
        "file:///tmp",
        "http://\u2603.invalid",
        "http://" + "a" * 300,
    ],
)
def test_an_address_that_is_no_hub_s_is_one_sentence(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(
        WeightsUnreachableError, match=re.escape(f"could not be fetched from {address.rstrip('/')}")
    ) as caught:
        find(entry())
    assert_one_sentence(caught.value)


def test_a_folder_of_weights_comes_before_the_hub(hub: FakeHub, tmp_path: Path) -> None:
    own = tmp_path / "weights" / "small.pt"
    own.parent.mkdir()
    own.write_bytes(CONTENT)
    assert find(entry()) == own
    assert hub.requests == []


def test_a_wrong_file_in_a_folder_of_weights_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "weights" / "small.pt"
    own.parent.mkdir()
    own.write_bytes(b"something else, of another size")
    with pytest.raises(WeightsError, match=f"expected 28. Delete {own}"):
        find(entry())


def test_a_missing_embedded_file_is_never_looked_for_on_the_hub(hub: FakeHub) -> None:
    with pytest.raises(WeightsError, match="should have come with the package"):
        find(entry(repo=None))
    assert hub.requests == []


def test_an_unknown_size_and_hash_are_not_compared(tmp_path: Path) -> None:
    file = tmp_path / "any.pt"
    file.write_bytes(b"anything")
    verify(file, entry(bytes=None, sha256=None))


def test_embedded_weights_are_beside_the_package_in_a_checkout() -> None:
    assert Path(__file__).resolve().parents[2] / "weights" in folders()


def test_whether_a_file_is_here_is_told_without_a_network_and_without_reading_it(hub: FakeHub, tmp_path: Path) -> None:
    files = [entry(), entry(filename="other.pt")]
    assert missing(files) == files
    own = tmp_path / "weights" / "other.pt"
    own.parent.mkdir()
    own.write_bytes(b"x" * len(CONTENT))
    assert missing(files) == [files[0]]
    own.write_bytes(b"cut short")
    assert not is_here(files[1])
    assert hub.requests == []
    find(files[0])
    assert is_here(files[0])


def test_a_folder_that_is_named_from_the_user_s_home_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MOBILESAMV2_WEIGHTS_DIR", "~/mine")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "small.pt").write_bytes(CONTENT)
    assert find(entry()) == tmp_path / "mine" / "small.pt"


def test_a_token_is_shown_to_the_hub(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.token = "hf_secret"
    with pytest.raises(WeightsUnreachableError, match="HTTP 401"):
        find(entry())
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert find(entry()).read_bytes() == CONTENT


def test_a_large_file_that_lies_elsewhere_is_fetched_without_showing_the_token_there(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.token, hub.elsewhere = "hf_secret", True
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    unknown = entry(sha256=None, bytes=None)
    assert find(unknown).read_bytes() == CONTENT
    assert hash_source(unknown) == "learned"
    assert hub.shown_tokens == [None]


def test_a_login_page_is_no_hub(hub: FakeHub) -> None:
    hub.is_a_hub = False
    with pytest.raises(WeightsUnreachableError, match="does not answer as a hub does; check HF_ENDPOINT"):
        find(entry())


def test_an_etag_that_is_a_path_is_no_hub_s(hub: FakeHub) -> None:
    hub.said_etag = "../../../outside"
    with pytest.raises(WeightsUnreachableError, match="does not answer as a hub does"):
        find(entry(sha256=None))


@pytest.mark.parametrize("content", ["under a file", "no folder"])
def test_a_cache_that_holds_nothing_of_ours_holds_nothing(
    content: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    place = {"under a file": tmp_path / "file" / "cache", "no folder": tmp_path / "nowhere"}[content]
    monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(place))
    assert not is_here(entry())
