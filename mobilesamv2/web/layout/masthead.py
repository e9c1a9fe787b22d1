"""The head of the page: what it is, which model runs with which detector, and where."""

from __future__ import annotations

from typing import Any

import gradio as gr

from .. import menus
from ..models import Models
from ..text import page as text
from .wiring import AT_ONCE

_WAIT_SECONDS = 6.0
_JOIN_JS = '(model, detector) => model + (detector ? "+" + detector : "")'


class Masthead:
    """The head of the page.

    Attributes:
        chosen: the model as `Models.get` takes it, perhaps with a detector. Not seen; the menus set it.
    """

    def __init__(self, models: Models, network: menus.Network) -> None:
        self._models, self._network = models, network
        known = network.is_there
        with gr.Row(elem_id="masthead"):
            gr.HTML(text.masthead(), elem_id="title")
            detectors = menus.detector_choices(models.detectors, network=known)
            self.model, self.detector = (
                gr.Dropdown(
                    choices=choices,
                    value=first,
                    label=label,
                    elem_id=elem_id,
                    elem_classes="menu",
                    filterable=False,
                    min_width=120,
                )
                for elem_id, label, first, choices in (
                    ("model", "Model", models.first, menus.model_choices(models.names, network=known)),
                    ("detector", "Objects by", menus.OWN_DETECTOR, detectors),
                )
            )
            gr.HTML(text.running_on(models.device), elem_id="running")
            self.chosen = gr.Textbox(models.first, visible="hidden", elem_id="chosen-model", label="Model")
        self.note = gr.HTML("", elem_id="model-note")

    def connect(self, demo: gr.Blocks) -> None:
        """Let the menus set the choice and say what it needs, and ask for the network once the page is there."""
        for menu in (self.model, self.detector):
            menu.input(None, [self.model, self.detector], self.chosen, js=_JOIN_JS, **AT_ONCE)
            menu.input(self._note, [self.model, self.detector], self.note, **AT_ONCE)
        demo.load(self._look_again, [self.model, self.detector], [self.model, self.detector, self.note], **AT_ONCE)

    def _note(self, model: str, detector: str) -> str:
        sentence = menus.note(menus.joined(model, detector), network=self._network.is_there)
        return text.idle(sentence) if sentence else ""

    def _look_again(self, model: str, detector: str) -> tuple[Any, Any, str]:
        """What is here may have changed since the page was laid out, and the network may be known by now."""
        network = self._network.wait(_WAIT_SECONDS)
        return (
            gr.update(choices=menus.model_choices(self._models.names, network=network)),
            gr.update(choices=menus.detector_choices(self._models.detectors, network=network)),
            self._note(model, detector),
        )
