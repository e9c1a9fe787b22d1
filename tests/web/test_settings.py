"""Limits and what the environment changes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mobilesamv2.errors import MobileSamError
from mobilesamv2.web.settings import Settings, photos_in


def test_an_empty_environment_gives_the_embedded_model_and_a_page_that_hands_out_its_source() -> None:
    settings = Settings.from_environment({})
    assert settings.model == "nano"
    assert settings.source_url is None
    assert not settings.load_all_models


def test_a_space_links_to_its_own_source() -> None:
    settings = Settings.from_environment({"SPACE_ID": "someone/demo", "SPACES_ZERO_GPU": "true"})
    assert settings.source_url == "https://huggingface.co/spaces/someone/demo/tree/main"
    assert settings.load_all_models


def test_the_environment_names_model_source_and_examples(tmp_path: Path) -> None:
    (tmp_path / "b.JPG").touch()
    (tmp_path / "a.png").touch()
    (tmp_path / "CREDITS.md").touch()
    environment = {
        "MOBILESAMV2_MODEL": "mobilesam",
        "MOBILESAMV2_SOURCE_URL": "https://example.org/source",
        "MOBILESAMV2_EXAMPLES": str(tmp_path),
        "SPACE_ID": "someone/demo",
    }
    settings = Settings.from_environment(environment)
    assert settings.model == "mobilesam"
    assert settings.source_url == "https://example.org/source"
    assert [path.name for path in settings.examples] == ["a.png", "b.JPG"]


def test_no_folder_and_an_empty_one_give_no_examples(tmp_path: Path) -> None:
    assert photos_in(tmp_path) == ()
    assert photos_in(tmp_path / "nowhere") == ()


@pytest.mark.parametrize("prompts", [0, 320, 1024, 100_000])
def test_seconds_asked_of_a_gpu_are_bounded(prompts: int) -> None:
    assert 0 < Settings().seconds_on_gpu(prompts) <= 60


def test_a_space_starts_with_the_full_model_unless_another_is_named() -> None:
    assert Settings.from_environment({"SPACE_ID": "someone/demo"}).model == "mobilesamv2-tinyvit"
    named = {"SPACE_ID": "someone/demo", "MOBILESAMV2_MODEL": "mobilesam"}
    assert Settings.from_environment(named).model == "mobilesam"


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "80.5"])
def test_a_port_that_is_none_is_told_in_a_sentence(port: str) -> None:
    with pytest.raises(MobileSamError, match="GRADIO_SERVER_PORT must be a port"):
        Settings.from_environment({"GRADIO_SERVER_PORT": port})


def test_the_dial_offers_what_the_slider_does() -> None:
    settings = Settings()
    for _, prompts, confidence in settings.efforts.values():
        assert settings.prompts.low <= prompts <= settings.prompts.high
        assert 0.05 <= confidence <= 0.9
    assert settings.efforts["Balanced"][1] == settings.prompts.start
