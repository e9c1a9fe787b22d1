"""What the menus say, and how checkpoints arrive, on a hub of the test's own or none."""

from __future__ import annotations

import threading

import pytest

from mobilesamv2 import weights, zoo
from mobilesamv2.errors import WeightsUnreachableError
from mobilesamv2.web import menus
from mobilesamv2.web.menus import Network


@pytest.fixture
def nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the embedded checkpoints are on this machine."""
    monkeypatch.setattr(weights, "missing", lambda files: [file for file in files if file.repo is not None])


def test_a_choice_is_a_model_and_perhaps_a_detector() -> None:
    assert menus.chosen("nano") == ("nano", "")
    assert menus.chosen("mobilesam+fastsam-s") == ("mobilesam", "fastsam-s")
    for choice in ("nano", "mobilesam+fastsam-s"):
        assert menus.joined(*menus.chosen(choice)) == choice
    assert menus.joined("nano", "own") == "nano"


def test_a_choice_needs_the_files_of_both() -> None:
    names = {file.name for file in menus.files_of("mobilesam+fastsam-s")}
    assert "mobile_sam.pt" in names
    assert names & {file.name for file in zoo.DETECTORS["fastsam-s"].files.values()}
    own = {file.name for file in menus.files_of("nano")}
    assert own == {"nano.safetensors", "nano-objects.safetensors"}
    assert menus.files_of("no such model") == []


@pytest.mark.usefixtures("nothing_here")
@pytest.mark.parametrize(
    ("network", "words"), [(None, "to be fetched"), (True, "to be fetched"), (False, "needs a network")]
)
def test_the_menu_tells_size_licence_and_what_is_not_here(network: bool | None, words: str) -> None:
    lines = {name: line for line, name in menus.model_choices(zoo.MODELS, network=network)}
    assert set(lines) == set(zoo.MODELS)
    assert lines["nano"] == "nano · 9.9 MB · AGPL-3.0-or-later"
    assert lines["mobilesam"] == f"mobilesam · 41 MB · Apache-2.0 · {words}"


@pytest.mark.usefixtures("nothing_here")
def test_the_models_own_detector_comes_first() -> None:
    (own, value), *others = menus.detector_choices(tuple(zoo.DETECTORS), network=True)
    assert (value, "own detector" in own) == (menus.OWN_DETECTOR, True)
    assert [name for _, name in others] == list(zoo.DETECTORS)


def test_a_name_that_is_not_in_the_zoo_is_shown_as_it_is() -> None:
    assert menus.model_choices(["mine"], network=True) == [("mine", "mine")]


@pytest.mark.usefixtures("nothing_here")
def test_a_note_says_what_a_choice_that_is_not_here_means() -> None:
    assert menus.note("nano", network=False) == ""
    fetched = menus.note("mobilesam", network=True)
    assert "fetches 41 MB from dhkim2810/MobileSAM" in fetched
    refused = menus.note("mobilesam", network=False)
    assert "no network" in refused
    assert "nano comes with the program" in refused


def test_the_network_is_asked_in_the_background() -> None:
    let_go = threading.Event()
    network = Network(lambda: let_go.wait(20))
    assert network.wait(0.01) is None
    let_go.set()
    assert network.wait(20) is True


def test_where_the_environment_forbids_the_network_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(weights, "reachable", lambda: pytest.fail("asked"))
    assert menus.hub_is_reachable() is False


def test_what_is_here_arrives_without_a_step() -> None:
    assert list(menus.arriving("nano")) == []


def test_what_cannot_be_fetched_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path_factory.mktemp("cache")))
    with pytest.raises(WeightsUnreachableError, match="network is switched off"):
        list(menus.arriving("sam-vit-h"))
