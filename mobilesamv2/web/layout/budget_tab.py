"""*Prompt budget*: what more prompts bring on the photo, as curves that grow."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import Any

import gradio as gr
from gradio.components import Component

from ...comparison.budget import BUDGETS, budgets_up_to
from .. import budgeting
from ..budgeting import BudgetView
from ..steps import paced
from ..text import budgeting as text
from ..text import page as page_text
from ..visits import Visit
from .page import Page
from .parts import run_buttons
from .tab import Tab
from .wiring import on_run


class BudgetTab(Tab):
    """*Prompt budget*: what more prompts bring on the photo, as curves that grow."""

    name = "budget"
    title = "Prompt budget"

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        with gr.Column(elem_classes="result"):
            self.curves = gr.HTML(text.curves((), BUDGETS), elem_id="budget-curves", elem_classes="stage")
        with gr.Column(elem_classes="controls"):
            offered = [budget for budget in BUDGETS if budget >= 64]
            self.largest = gr.Dropdown(
                choices=text.largest_choices(offered),
                value=offered[-1],
                label=text.LARGEST_LABEL,
                info=text.LARGEST_INFO,
                filterable=False,
                elem_id="budget-largest",
            )
            self.buttons = run_buttons("budget", text.RUN_LABEL)
        with gr.Column(elem_classes="numbers"):
            self.numbers = gr.HTML(page_text.idle(text.IDLE), elem_id="budget-numbers")
        with gr.Column(elem_classes="details"):
            self.table = gr.HTML("", elem_id="budget-table")
        self.outputs: list[Component] = [self.curves, self.table, self.numbers]

    def cleared(self) -> list[Any]:
        """Values of `outputs` before a run."""
        return [text.curves((), BUDGETS), "", page_text.idle(text.IDLE)]

    def connect(self) -> list[Any]:
        """Wire the tab up; returns the events of its runs, for others to cancel."""
        page = self.page
        run = page.on_model(budgeting.run_budget, prompts=budgeting.prompts_of_budget)

        def measure(
            visit: Visit, photo: str | None, largest: int, model: str
        ) -> Generator[tuple[Any, Any, Any], None, None]:
            budgets = budgets_up_to(largest)
            started = False
            with closing(paced(budgeting.budget(visit, photo, largest, model, run=run))) as items:
                for item in items:
                    if isinstance(item, BudgetView):
                        status = gr.skip() if item.summary is None else text.outcome(item.summary)
                        table = text.table(item.points, budgets, summary=item.summary)
                        yield text.curves(item.points, budgets), table, status
                    else:
                        curves = gr.skip() if started else text.curves((), budgets)
                        table = gr.skip() if started else ""
                        started = True
                        yield curves, table, page_text.step(item.stage, item.done, item.total)

        inputs = [page.photo, self.largest, page.model]
        outputs = [self.curves, self.table, self.numbers]
        return [on_run(page, self.buttons, measure, inputs, outputs, failed=self.cleared()[:2])]
