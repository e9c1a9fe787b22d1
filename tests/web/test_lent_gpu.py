"""Everything that runs on a lent GPU, as ZeroGPU runs it: in a forked process, pickled both ways."""

from __future__ import annotations

import gc
import pkgutil
import warnings
from collections.abc import Callable, Generator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
import torch

from mobilesamv2 import web
from mobilesamv2.comparison.budget import BudgetCurves
from mobilesamv2.comparison.compare import Comparison
from mobilesamv2.images import ReadImage
from mobilesamv2.request import Request
from mobilesamv2.results import PartialMasks, SegmentationResult
from mobilesamv2.sampler_kinds import SAMPLERS
from mobilesamv2.stored import StoredEmbedding
from mobilesamv2.web.budgeting import BudgetRequest
from mobilesamv2.web.comparing import CompareRequest
from mobilesamv2.web.layout import build_demo
from mobilesamv2.web.layout.page import Page
from mobilesamv2.web.models import Models
from mobilesamv2.web.prompt_lists import Limits, read_prompts
from mobilesamv2.web.prompting import Objects
from mobilesamv2.web.runs import Asked, Everything, run
from mobilesamv2.web.settings import Settings
from tests.tiny import picture, tiny_segmenter

from .fakes import FAKE_SETTINGS, loader, script
from .forked_gpu import ForkedGpu, crossed

SMALL, BOXES = Request("grid", points_per_side=2), Request("object-aware", max_prompts=3)
ONE = Limits(objects=1, points=1)
RUNS: dict[str, Asked] = {
    **{name: Everything(Request(name, max_prompts=9)) for name in SAMPLERS},
    "raw": Everything(SMALL, is_raw=True),
    "compare": CompareRequest(SMALL, BOXES),
    "budget": BudgetRequest(16),
    "budget of all": BudgetRequest(16, samplers=tuple(SAMPLERS)),
    "boxes": Objects(read_prompts(None, None, [[4, 4, 30, 30]], multimask=False, limits=ONE)),
    "points": Objects(read_prompts([[20, 15]], None, None, multimask=True, limits=ONE)),
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Generator[None, None, None]:
    """A forked process has none of its parent's threads: PyTorch must not wait for them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def gpu() -> ForkedGpu:
    return ForkedGpu()


@pytest.fixture(scope="module")
def page(gpu: ForkedGpu) -> Page:
    models: Any = Models(lambda name: tiny_segmenter(), names=("nano",), first="nano")
    nothing: Any = SimpleNamespace()
    return Page(Settings(), models, nothing, gpu, nothing, nothing, nothing, nothing)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_gives_the_same_in_a_forked_process(page: Page, gpu: ForkedGpu, name: str) -> None:
    asked, photo = RUNS[name], ReadImage(picture())
    first = list(page.run(photo, None, asked, "nano"))
    assert gpu.seconds[-1] == page.settings.seconds_on_gpu(asked.prompts_at_most)
    (stored,) = (item for item in first if isinstance(item, StoredEmbedding))
    again = list(page.run(photo, stored, asked, "nano"))  # on the embedding that was made there
    here = list(run(page.models, photo, None, asked, "nano"))
    for items in (first, again):
        assert signature(items[-1]) == signature(here[-1])
    assert not any(isinstance(item, StoredEmbedding) for item in again)


def test_every_kind_of_run_is_tried() -> None:
    modules = [import_module(f"mobilesamv2.web.{each.name}") for each in pkgutil.iter_modules(web.__path__)]
    kinds = {
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and {"steps", "prompts_at_most"} <= vars(kind).keys()
    }
    assert kinds - {Asked} == {type(asked) for asked in RUNS.values()}


def signature(found: Any) -> Any:
    """What does not depend on the time that a run took."""
    if isinstance(found, (SegmentationResult, PartialMasks)):
        return found.masks.rles, found.masks.scores.tolist()
    if isinstance(found, BudgetCurves):
        return [point.prompts for curve in found.curves.values() for point in curve]
    if isinstance(found, Comparison):
        return signature(found.first), signature(found.second)
    return [masks.rles for masks in found.masks]


def test_stopping_ends_the_process(page: Page) -> None:
    running = page.run(ReadImage(picture()), None, RUNS["raw"], "nano")
    next(running)
    running.close()
    assert page.model_lock.waiting == 0
    assert list(page.run(ReadImage(picture()), None, RUNS["raw"], "nano"))


def test_only_sentences_come_back_as_errors(page: Page) -> None:
    with pytest.raises(gr.Error, match="There is no model 'other' here"):
        list(page.run(ReadImage(picture()), None, RUNS["object-aware"], "other"))


def test_a_tensor_does_not_cross() -> None:
    assert np.array_equal(crossed(np.arange(3)), np.arange(3))
    for value in (torch.zeros(1), torch.float32):
        with pytest.raises(AssertionError, match="crosses"):
            crossed(value)


def test_the_page_lends_a_gpu_to_every_run(gpu: ForkedGpu, wide_photo: Path) -> None:
    # All models are there before the page is: what a forked process loads is lost.
    models = Models(loader(SimpleNamespace(**script())), names=("nano",), first="nano", load_all=True)
    lent: list[str] = []

    def remember(*, duration: Callable[..., float]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
            lent.append(function.__name__)
            return function

        return wrap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        build_demo(models, replace(FAKE_SETTINGS, examples=()), gpu=remember)
        gc.collect()  # Gradio makes event loops while it builds a page and does not close them
    assert lent == ["running"]
