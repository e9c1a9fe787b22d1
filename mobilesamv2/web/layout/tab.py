"""Base class of the tabs: components, their values before a run, and wiring."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import gradio as gr
from gradio.components import Component

from .page import Page


class Tab(ABC):
    """One tab of the page, made inside its `gr.Tab`.

    Its components lie in columns of the classes `result`, `controls` and `numbers`, and the page puts these in
    their places.

    Attributes:
        name: short, for ids: "segment" gives #segment-tab, #segment-run, #segment-cancel, #segment-numbers.
        title: on the tab itself.
        page: what all tabs share.
        outputs: components that belong to the photo at hand; another photo sets them back to `cleared()`.
        buttons: the run and the cancel button of a run on the photo at hand; none: there is no such run.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    outputs: list[Component]
    buttons: tuple[gr.Button, ...] = ()

    def __init__(self, page: Page) -> None:
        self.page = page

    @abstractmethod
    def cleared(self) -> list[Any]:
        """Values of `outputs` without a photo, as `parts.shown` takes them."""

    @abstractmethod
    def connect(self) -> None:
        """Wire the tab up, when all tabs are made."""
