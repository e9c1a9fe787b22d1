"""How the page is wired, read from its configuration: no server, no browser."""

from __future__ import annotations

import gc
import inspect
import pickle
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest

from mobilesamv2.errors import MobileSamError, PromptError
from mobilesamv2.images import ReadImage
from mobilesamv2.request import Request
from mobilesamv2.results import PartialMasks, SegmentationResult
from mobilesamv2.stored import StoredEmbedding
from mobilesamv2.web.budgeting import BudgetRequest
from mobilesamv2.web.comparing import CompareRequest
from mobilesamv2.web.layout import build_demo, launch
from mobilesamv2.web.layout.sentences import sentences
from mobilesamv2.web.layout.serving import QUEUE_SECONDS
from mobilesamv2.web.models import Models
from mobilesamv2.web.runs import Asked, Everything
from mobilesamv2.web.settings import Settings
from mobilesamv2.web.text import page as text

from .fakes import loader, script

SETTINGS = Settings(gpu_seconds=(5.0, 0.1, 60.0))


class Gpu:
    """Takes the place of `spaces.GPU` and remembers what it was given."""

    def __init__(self) -> None:
        self.durations: dict[str, Callable[..., float]] = {}
        self.functions: dict[str, Callable[..., Any]] = {}

    def __call__(self, *, duration: Callable[..., float]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def remember(function: Callable[..., Any]) -> Callable[..., Any]:
            self.durations[function.__name__] = duration
            self.functions[function.__name__] = function
            return function

        return remember


@pytest.fixture(scope="module")
def gpu() -> Gpu:
    return Gpu()


@pytest.fixture(scope="module")
def demo(gpu: Gpu) -> gr.Blocks:
    models = Models(loader(SimpleNamespace(**script())), names=("nano",), first="nano")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        built = build_demo(models, SETTINGS, gpu=gpu)
        gc.collect()  # Gradio makes event loops while it builds a page and does not close them
    return built


def test_a_page_without_examples_is_built(demo: gr.Blocks) -> None:
    assert not [block for block in demo.blocks.values() if isinstance(block, gr.Dataset)]


def test_programs_are_answered_one_at_a_time_and_visitors_wait_for_the_lock_where_they_can_stop(
    demo: gr.Blocks,
) -> None:
    lanes: dict[str, set[tuple[str, int]]] = {}
    for listener in demo.fns.values():
        kind = "programs" if listener.api_visibility == "public" else listener.api_name.split("-")[-1]
        lane = listener.concurrency_id, listener.concurrency_limit
        lanes.setdefault("batch" if listener.api_name == "batch" else kind, set()).add(lane)
    assert lanes["programs"] == {("programs", 1)}
    assert lanes["batch"] == {("batches", 1)}
    assert lanes["run"] == lanes["ask"] == {("visitors", 16)}


def test_nothing_is_cancelled_by_gradio(demo: gr.Blocks) -> None:
    assert not any(listener.cancels for listener in demo.fns.values())


def test_only_the_endpoints_are_public(demo: gr.Blocks) -> None:
    public = {listener.api_name for listener in demo.fns.values() if listener.api_visibility == "public"}
    assert public == {"segment", "compare", "budget", "predict_mask", "export", "batch"}


def test_a_lent_gpu_runs_generators_and_is_asked_for_seconds_that_grow_with_the_prompts(
    demo: gr.Blocks, gpu: Gpu
) -> None:
    assert all(inspect.isgeneratorfunction(function) for function in gpu.functions.values())

    def seconds(asked: Asked) -> float:
        return gpu.durations["running"](ReadImage(np.zeros((8, 8, 3), dtype=np.uint8)), None, asked, "nano")

    assert seconds(Everything(Request("grid", max_prompts=100))) == 15.0
    grid, boxes = Request("grid", points_per_side=10), Request("object-aware", max_prompts=100)
    assert seconds(CompareRequest(grid, boxes)) == 25.0
    assert seconds(CompareRequest(Request("grid"), Request("grid"))) == 60.0
    assert seconds(BudgetRequest(25)) == pytest.approx(5 + 0.1 * (25 + 16 + 25))


def test_what_goes_to_a_lent_gpu_and_back_can_be_pickled(demo: gr.Blocks, gpu: Gpu) -> None:
    arguments = (np.zeros((20, 30, 3), dtype=np.uint8), None, Everything(Request(max_prompts=16)), "nano")
    sent = pickle.loads(pickle.dumps(arguments))
    items = [pickle.loads(pickle.dumps(item)) for item in gpu.functions["running"](*sent)]
    assert isinstance(items[-1], SegmentationResult)
    assert len(items[-1].masks) == 12


def test_masks_that_come_go_to_a_lent_gpu_and_back_too(demo: gr.Blocks, gpu: Gpu) -> None:
    asked = Everything(Request(max_prompts=16), is_raw=True, skip=4)
    arguments = (np.zeros((20, 30, 3), dtype=np.uint8), None, asked, "nano")
    sent = pickle.loads(pickle.dumps(arguments))
    assert gpu.durations["running"](*sent) == pytest.approx(5 + 0.1 * 12)
    items = [pickle.loads(pickle.dumps(item)) for item in gpu.functions["running"](*sent)]
    assert any(isinstance(item, StoredEmbedding) for item in items)
    assert sum(len(item.masks) for item in items if isinstance(item, PartialMasks)) == 8
    assert isinstance(items[-1], SegmentationResult)
    assert len(items[-1].masks) == 8


def test_our_errors_are_told_as_they_are_and_cannot_bring_markup() -> None:
    with pytest.raises(gr.Error) as told, sentences():
        raise PromptError("<b>Ann's</b>.png is no picture.")
    assert told.value.message == "&lt;b&gt;Ann's&lt;/b&gt;.png is no picture."


def test_other_errors_are_logged_and_told_in_one_plain_sentence(caplog: pytest.LogCaptureFixture) -> None:
    said = "a secret"
    with pytest.raises(gr.Error) as told, sentences():
        raise ZeroDivisionError(said)
    assert told.value.message == text.UNEXPECTED
    assert "ZeroDivisionError" in caplog.text
    assert "test_layout.py" in caplog.text  # where it was raised, but not what it says: that may name a file
    assert "a secret" not in caplog.text


def test_a_port_that_is_taken_is_told_in_a_sentence() -> None:
    def refuse(**options: Any) -> None:
        raise OSError("Cannot find empty port in range: 7860-7860.")

    taken: Any = SimpleNamespace(
        queue=lambda **options: None,
        launch=refuse,
        health=SimpleNamespace(start=lambda: None),
        _queue=SimpleNamespace(),
    )
    with pytest.raises(MobileSamError, match="cannot be served: Cannot find empty port"):
        launch(taken, SETTINGS, port=7860)


def test_a_page_at_rest_does_little_and_gradio_keeps_few_pages(demo: gr.Blocks) -> None:
    assert demo._queue.sleep_when_free < QUEUE_SECONDS  # Gradio's own, and still called so
    assert demo.state_session_capacity == 10_000  # the same: half a megabyte each
    launched: list[Any] = []

    def start(**options: Any) -> tuple[None, str, None]:
        launched.extend([fake._queue.sleep_when_free, options["state_session_capacity"]])
        return None, "http://here/", None

    fake: Any = SimpleNamespace(
        queue=lambda **options: None,
        launch=start,
        health=SimpleNamespace(start=lambda: None),
        metrics=None,
        stop_runs=lambda: launched.append("stopped"),
        blocks={},
        temp_file_sets=[],
        _queue=SimpleNamespace(sleep_when_free=0.001),
    )
    assert launch(fake, SETTINGS) == "http://here/"
    assert launched == [QUEUE_SECONDS, 4 * SETTINGS.most_sessions, "stopped"]


def test_closing_is_no_error() -> None:
    def work() -> Any:
        with sentences():
            yield 1

    running = work()
    next(running)
    running.close()
