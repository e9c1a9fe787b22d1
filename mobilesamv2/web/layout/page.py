"""The parts of the page that all tabs share, how to run a model, and what a tab is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar

import gradio as gr
from gradio.components import Component

from ..metrics import Metrics
from ..model_lock import ModelLock
from ..models import Models
from ..runs import Asked, Run, run
from ..sessions import Session, Sessions
from ..settings import Settings
from ..steps import within
from .sentences import in_sentences

Gpu = Callable[..., Callable[[Callable[..., Any]], Callable[..., Any]]]
"""`spaces.GPU`, or anything called the same way: `gpu(duration=seconds_for_the_same_arguments)(function)`."""


def without_gpu(*, duration: Callable[..., float]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Stands in for `spaces.GPU` where no GPU is lent by the call."""
    del duration
    return lambda function: function


@dataclass(frozen=True, eq=False)
class Page:
    """The parts of the page that all tabs share.

    Args:
        settings: every limit and first value.
        models: on the menu, shared by all visitors.
        sessions: what is kept of each visitor.
        gpu: wraps the functions that run a model.
        photo: the photo at hand: a path, as a value.
        at_hand: its address in the browser, "" for none; not seen.
        model: the choice of model, as `Models.get` takes it.
        load: the event that a visitor has come.
        model_lock: held by the one run of a model that is at work: memory and timings belong to it.
        batch_lock: held by the one batch that is at work. Between two photos of it, whoever else waits has a turn.
        metrics: counts requests and the seconds of stages.
    """

    settings: Settings
    models: Models
    sessions: Sessions
    gpu: Gpu
    photo: gr.Image
    at_hand: gr.Textbox
    model: gr.Textbox
    load: Any
    model_lock: ModelLock = field(default_factory=ModelLock)
    batch_lock: ModelLock = field(default_factory=ModelLock)
    metrics: Metrics = field(default_factory=Metrics)

    def session(self, request: gr.Request) -> Session:
        """The session of the open page that a request comes from. Gradio itself keeps no state of it."""
        return self.sessions.of(request.session_hash)

    @cached_property
    def run(self) -> Run:
        """`runs.run` where the models are; on a lent GPU that is a process of its own.

        What goes in and what is yielded is pickled there: pictures, `StoredEmbedding`, masks, plain values. Only our
        own sentences come back as errors, so they are made inside. The model's lock is held outside, in this process:
        a run that waits for it says so in steps. A run that takes too long is stopped between two steps.
        """

        def duration(picture: Any, stored: Any, asked: Asked, model: str) -> float:
            return self.settings.seconds_on_gpu(asked.prompts_at_most)

        @self.gpu(duration=duration)
        @in_sentences
        def running(*arguments: Any) -> Generator[Any, None, None]:
            return run(self.models, *arguments)

        def in_turn(*arguments: Any) -> Generator[Any, None, None]:
            started = partial(within, partial(running, *arguments), seconds=self.settings.most_seconds)
            return self.metrics.stages(self.model_lock.run(started))

        return in_turn


class Tab(ABC):
    """One tab of the page, made inside its `gr.Tab`.

    Its components lie in columns of the classes `result`, `controls` and `numbers`, and the page puts these in
    their places.

    Attributes:
        name: short, for ids: "segment" gives #segment-tab, #segment-run, #segment-cancel, #segment-numbers.
        title: on the tab itself.
        page: what all tabs share.
        outputs: components that belong to the photo at hand; another photo sets them back.
        cleared: their values without a photo, as `parts.shown` takes them.
        buttons: the run and the cancel button of a run on the photo at hand; none: there is no such run.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    buttons: tuple[gr.Button, ...] = ()

    def __init__(self, page: Page) -> None:
        self.page = page
        self.outputs: list[Component] = []
        self.cleared: list[Any] = []

    @abstractmethod
    def connect(self) -> None:
        """Wire the tab up, when all tabs are made."""
