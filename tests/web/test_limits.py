"""Every limit of the settings, set by the environment and passed: what happens is what docs/deploy.md says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from PIL import Image

from mobilesamv2.errors import MobileSamError
from mobilesamv2.web.settings import LIMITS, MOST_PROMPTS, Limit, Range, Settings
from mobilesamv2.web.text import everything as text
from tests.hostile.client import Client as Browsing
from tests.hostile.client import RefusedError
from tests.hostile.server import Server

from .conftest import FakeApp, serving_fake, vars_of
from .fakes import script
from .person import until
from .test_deploy import LIMIT_ROWS

ENVIRONMENT = {
    "MOBILESAMV2_MAX_PIXELS": "20000",
    "MOBILESAMV2_MAX_BYTES": "100000",
    "MOBILESAMV2_MAX_PROMPTS": "128",
    "MOBILESAMV2_MAX_PHOTOS": "2",
    "MOBILESAMV2_MAX_QUEUE": "1",
    "MOBILESAMV2_MAX_SECONDS": "1",
    "MOBILESAMV2_MAX_RESULTS": "4",
    "MOBILESAMV2_MAX_SESSIONS": "3",
    "MOBILESAMV2_MAX_SESSION_BYTES": "100000",
    "MOBILESAMV2_KEEP_SECONDS": "8",
}
pytestmark = pytest.mark.flaky(reruns=1)  # uploads live for seconds here: a machine that stands still misses them
SETTINGS = replace(Settings.from_environment(ENVIRONMENT), examples=(), first_example=False)
BEYOND = {variable: passed for variable, _, _, passed in LIMIT_ROWS}
BY_FIELD = {limit.field: BEYOND[limit.variable] for limit in LIMITS}
"""What happens beyond each limit."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page puts uploads and results."""
    return tmp_path_factory.mktemp("gradio")


@pytest.fixture(scope="module")
def app(cache: Path) -> Iterator[FakeApp]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(cache))
        with serving_fake(SETTINGS) as served:
            yield served


@pytest.fixture
def client(app: FakeApp) -> Iterator[Client]:
    vars_of(app.script, script())
    connected = Client(app.address, verbose=False, analytics_enabled=False)
    yield connected
    app.script.pause = 0.0
    until(lambda: app.script.under_way == 0)
    connected.close()


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(Exception) as told:  # noqa: PT011  # the client has several kinds
        call()
    return str(told.value)


def is_told(passed: str, sentence: str) -> bool:
    """Whether a sentence is that of the limit but for its numbers and what stands for "…"."""
    pattern = re.sub(r"(…|\d[\d,.]*\d|\d)", ".+", re.sub(r"([.()])(?=\D|$)", r"\\\1", passed))
    return re.search(pattern, sentence) is not None


def test_every_limit_is_set_by_its_variable() -> None:
    assert {limit.variable for limit in LIMITS} == set(ENVIRONMENT)
    for limit in LIMITS:
        value = getattr(SETTINGS, limit.field)
        assert (value.high if isinstance(value, Range) else value) == int(ENVIRONMENT[limit.variable])
        assert limit.field in {field.name for field in fields(Settings)}


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.field)
@pytest.mark.parametrize("value", ["0", "-5", "many", "1e6", "9" * 30, "٣"])
def test_a_limit_that_is_no_number_in_its_range_is_refused_in_a_sentence(limit: Limit, value: str) -> None:
    with pytest.raises(MobileSamError, match=f"{limit.variable} must be a whole number from"):
        Settings.from_environment({limit.variable: value})


def test_an_empty_variable_leaves_the_limit_as_it_is() -> None:
    assert Settings.from_environment(dict.fromkeys(ENVIRONMENT, "")) == Settings.from_environment({})


@pytest.mark.parametrize("most", [128, 200, 320, 1000, 4096])
def test_sliders_and_dial_stay_within_the_most_prompts(most: int) -> None:
    settings = Settings.from_environment({MOST_PROMPTS.variable: str(most)})
    assert settings.prompts.high == most
    assert settings.grid_sides.low < settings.grid_sides.high
    assert settings.grid_sides.high**2 <= most
    for offered in (settings.prompts, settings.grid_sides):
        assert offered.low <= offered.start <= offered.high
        assert (offered.start - offered.low) % offered.step == 0
    assert all(prompts <= most for _, prompts, _ in settings.efforts.values())
    assert settings.efforts["Balanced"][1] == settings.prompts.start


def test_a_photo_with_too_many_pixels_is_refused(client: Client, photo: Path) -> None:
    given = handle_file(str(photo))
    told = refusal(lambda: client.predict(given, api_name="/segment"))
    assert is_told(BY_FIELD["most_pixels"], told), told
    _, summary = client.predict([given], api_name="/batch")
    assert is_told(BY_FIELD["most_pixels"], summary["failures"][0]["error"])


def test_a_file_with_too_many_bytes_is_refused(app: FakeApp) -> None:
    files = {"files": ("noise.png", b"\x89PNG" + bytes(200_000))}
    answer = httpx.post(f"{app.address}gradio_api/upload", files=files)
    assert answer.status_code == 413
    assert "413" in BY_FIELD["upload_bytes"]
    assert httpx.post(f"{app.address}gradio_api/upload", files={"files": ("small.png", b"1")}).is_success


@pytest.mark.parametrize(
    ("endpoint", "asked"),
    [("segment", {"max_prompts": 129}), ("budget", {"largest": 256}), ("compare", {"left": "grid:12"})],
)
def test_too_many_prompts_are_refused(client: Client, wide_photo: Path, endpoint: str, asked: dict[str, Any]) -> None:
    told = refusal(lambda: client.predict(handle_file(str(wide_photo)), api_name=f"/{endpoint}", **asked))
    assert "128" in told
    assert endpoint != "segment" or is_told(BY_FIELD["prompts"], told), told


def test_too_many_photos_are_refused(client: Client, wide_photo: Path) -> None:
    photos = [handle_file(str(wide_photo))] * 3
    told = refusal(lambda: client.predict(photos, api_name="/batch"))
    assert is_told(BY_FIELD["most_photos"], told), told


def test_a_run_that_takes_too_long_is_stopped(app: FakeApp, client: Client, wide_photo: Path) -> None:
    app.script.pause = 0.6
    told = refusal(lambda: client.predict(handle_file(str(wide_photo)), api_name="/segment"))
    assert is_told(BY_FIELD["most_seconds"], told), told
    until(lambda: app.script.closed == 1)


def test_a_full_queue_refuses(app: FakeApp, client: Client, wide_photo: Path) -> None:
    app.script.pause = 0.4
    given = handle_file(str(wide_photo))
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(client.predict, given, points=[[20, 20]], api_name="/predict_mask") for _ in range(8)]
        errors = [str(one.exception()) for one in asked if one.exception()]
    assert 0 < len(errors) < 8
    # The page gets the sentence; Gradio's client has one of its own.
    assert all("Queue is full" in error for error in (*errors, BY_FIELD["queue_size"])), errors


@pytest.fixture
def browser_of(app: FakeApp, cache: Path) -> Iterator[Browsing]:
    """Sends what the page sends."""
    vars_of(app.script, script())
    opened = Browsing(Server(app.address, uploads=cache, events=cache, process=None))
    yield opened
    opened.close()


def is_kept(visitors: Browsing, session: str) -> bool:
    """Whether a click on the masks of a visitor is answered."""
    try:
        visitors.browse("pick", [], event={"edition": "an older one", "mask": 0}, session=session)
    except RefusedError as refused:
        return not is_told(str(refused), text.GONE)
    return True


def test_results_beyond_the_limit_are_computed_again(app: FakeApp, browser_of: Browsing, wide_photo: Path) -> None:
    sent = browser_of.upload("wide.png", wide_photo.read_bytes())
    started = []
    # A result for each confidence, and what is shown, make five; the first one makes room, the last one stays.
    for number, confidence in enumerate((0.1, 0.1, 0.2, 0.3, 0.4, 0.4, 0.1), 1):
        browser_of.press("segment-run", sent, session="one", asked=number, Confidence=confidence)
        started.append(app.script.started)
    assert started == [1, 1, 2, 3, 4, 4, 5]


def test_the_visitor_beyond_the_limit_takes_the_place_of_the_least_recent(
    browser_of: Browsing, wide_photo: Path
) -> None:
    sent = browser_of.upload("wide.png", wide_photo.read_bytes())
    for name in ("first", "second", "third"):
        browser_of.press("segment-run", sent, session=name)
    assert [is_kept(browser_of, name) for name in ("first", "second", "third")] == [True] * 3
    browser_of.press("segment-run", sent, session="fourth")
    assert [is_kept(browser_of, name) for name in ("fourth", "third", "second", "first")] == [True] * 3 + [False]


def test_memory_beyond_the_limit_takes_the_place_of_the_least_recent(browser_of: Browsing, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    Image.new("RGB", (190, 100)).save(large)  # 57 kB of the 100 that all may take
    sent = browser_of.upload("large.png", large.read_bytes())
    for name in ("before", "after"):
        browser_of.press("segment-run", sent, session=name)
        assert is_kept(browser_of, name)
    assert not is_kept(browser_of, "before")


def test_uploads_and_results_leave_the_disk_in_time(
    cache: Path, client: Client, browser_of: Browsing, wide_photo: Path
) -> None:
    given = handle_file(str(wide_photo))
    client.predict(given, api_name="/segment")
    client.predict(given, api_name="/export")
    client.predict([given], api_name="/batch")
    # The page updates its components: Gradio then makes copies of them, whose files it does not look through.
    sent = browser_of.upload("wide.png", wide_photo.read_bytes())
    browser_of.press("segment-run", sent, session="of the page")
    assert {"wide.png", "labels.png", "photo.jpg"} <= {path.name for path in files_in(cache)}
    until(lambda: not files_in(cache))


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
