"""The lock of the model, without a page and in threads as the page has them."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from PIL import Image

from mobilesamv2.errors import MobileSamError
from mobilesamv2.progress import Progress
from mobilesamv2.request import Request
from mobilesamv2.web import batching, prompting
from mobilesamv2.web.batching import PhotoDone
from mobilesamv2.web.jobs import Job
from mobilesamv2.web.layout.page import Page, without_gpu
from mobilesamv2.web.model_lock import ModelLock
from mobilesamv2.web.models import Models
from mobilesamv2.web.prompt_lists import Limits, read_prompts
from mobilesamv2.web.settings import Settings
from mobilesamv2.web.steps import last
from mobilesamv2.web.text import page as text
from tests.tiny import picture

from .fakes import loader, script
from .person import until


def test_a_run_that_need_not_wait_says_nothing_of_it() -> None:
    lock = ModelLock()
    for _ in range(2):
        assert list(lock.run(lambda: iter_of(1, 2))) == [1, 2]


def iter_of(*items: Any) -> Generator[Any, None, None]:
    yield from items


def test_who_waits_says_so_and_comes_when_the_one_before_ends() -> None:
    lock = ModelLock(seconds=0.001)
    first, second = lock.run(lambda: iter_of("a")), lock.run(lambda: iter_of("b"))
    assert next(first) == "a"
    assert [next(second), next(second)] == [Progress("wait"), Progress("wait")]
    assert list(first) == []
    assert list(second) == ["b"]
    assert "Waiting for another run" in text.step("wait", 0, 0)


def test_a_lock_that_is_closed_ends_runs_and_takes_no_more() -> None:
    lock = ModelLock(seconds=0.001)
    at_work, waits = lock.run(lambda: iter_of("a", "b")), lock.run(lambda: iter_of("c"))
    next(at_work), next(waits)
    assert not lock.close(seconds=0.01), "Both are still at work."
    for run in (at_work, waits, lock.run(lambda: iter_of("d"))):
        with pytest.raises(MobileSamError, match="being stopped"):
            list(run)
    assert lock.close(seconds=0.01)


def test_who_comes_again_queues_up_behind_those_that_wait() -> None:
    lock = ModelLock(seconds=0.001)
    first, other, again = (lock.run(partial(iter_of, name)) for name in ("a", "b", "a again"))
    assert next(first) == "a"
    assert next(other) == Progress("wait")
    first.close()
    assert next(again) == Progress("wait")
    assert next(other) == "b"
    assert next(again) == Progress("wait")
    other.close()
    assert next(again) == "a again"


@pytest.mark.parametrize("waiting", [True, False])
def test_who_is_stopped_holds_up_nobody(waiting: bool) -> None:
    lock = ModelLock(seconds=0.001)
    stopped, before = lock.run(lambda: iter_of("a")), lock.run(lambda: iter_of("b"))
    for started in (before, stopped) if waiting else (stopped,):
        next(started)
    with ThreadPoolExecutor(1) as pool:  # the page closes runs in another thread than it began them in
        pool.submit(stopped.close).result()
    before.close()
    assert list(lock.run(lambda: iter_of("c"))) == ["c"]


def test_who_fails_holds_up_nobody() -> None:
    lock = ModelLock()

    def failing() -> Generator[Any, None, None]:
        yield from ()
        raise KeyError

    with pytest.raises(KeyError):
        list(lock.run(failing))
    assert list(lock.run(lambda: iter_of("c"))) == ["c"]


def test_no_two_runs_are_in_the_model_at_the_same_time() -> None:
    lock, inside, most = ModelLock(seconds=0.001), [0], [0]

    def run() -> Generator[Any, None, None]:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        try:
            for _ in range(3):
                yield
                time.sleep(0.001)
        finally:
            inside[0] -= 1

    def visitor() -> None:
        for _ in range(5):
            last(lock.run(run))

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(visitor) for _ in range(4)]:
            done.result()
    assert (inside, most) == ([0], [1])


def test_a_click_is_answered_between_two_photos_of_a_batch(tmp_path: Path) -> None:
    said = SimpleNamespace(**script())
    page = Page(
        settings=Settings(),
        models=Models(loader(said), names=("nano",), first="nano"),
        gpu=without_gpu,
        **cast(Any, dict.fromkeys(("sessions", "photo", "at_hand", "model", "load"))),
    )
    photos = [tmp_path / f"{name}.png" for name in "abc"]
    for seed, path in enumerate(photos):
        Image.fromarray(picture(seed=seed)).save(path)
    running = batching.batch(
        Job.alone(),
        [str(path) for path in photos],
        Request("object-aware"),
        "nano",
        ("coco",),
        tmp_path / "all.zip",
        run=page.run,
        thumbnail_side=30,
    )
    while getattr(next(running), "stage", "") != "decode":
        pass
    click, objects = Job.alone(), read_prompts([[5, 5]], None, None, limits=Limits(objects=1, points=1))
    seen = prompting.picture_of(click, str(photos[0]), objects)
    answering = prompting.predict(click, seen, objects, "nano", run=page.run)
    waits = threading.Event()

    def answer() -> None:
        for item in answering:
            if item == Progress("wait"):
                waits.set()

    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(answer)
        assert waits.wait(timeout=30)
        steps = list(running)
        answered.result()
    assert said.asked == (("object-aware", 12), ("given", 1), ("object-aware", 12), ("object-aware", 12))
    assert len([item for item in steps if isinstance(item, PhotoDone)]) == 3
    until(lambda: said.under_way == 0)
