"""*Prompt budget*: what more prompts bring on the photo, as curves that grow."""

from __future__ import annotations

from collections.abc import Generator

import gradio as gr

from ...comparison.budget import BUDGETS, USUAL_SAMPLERS, BudgetCurves, BudgetPoint, budgets_up_to
from ...progress import Progress
from ...sampler_kinds import chosen_samplers
from .. import budgeting
from ..jobs import Job
from ..text import page as page_text
from .page import Page, Tab
from .parts import run_buttons
from .wiring import Values, on_run


class BudgetTab(Tab):
    name = "budget"
    title = "Prompt budget"

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.cleared = curves, table, status = [budgeting.curves((), BUDGETS), "", page_text.idle(budgeting.IDLE)]
        with gr.Column(elem_classes="result"):
            self.curves = gr.HTML(curves, elem_id="budget-curves", elem_classes="stage")
        with gr.Column(elem_classes="controls"):
            offered = [budget for budget in BUDGETS if budget >= 64]
            self.largest = gr.Dropdown(
                choices=budgeting.largest_choices(offered),
                value=offered[-1],
                label="Up to",
                info="Boxes are decoded once for all budgets; every grid is decoded anew, the largest takes longest.",
                filterable=False,
                elem_id="budget-largest",
            )
            self.samplers = gr.CheckboxGroup(
                choices=list(page_text.SAMPLER_CHOICES),
                value=list(USUAL_SAMPLERS),
                label="Samplers",
                elem_id="budget-samplers",
            )
            self.buttons = run_buttons("budget", "Measure")
        with gr.Column(elem_classes="numbers"):
            self.numbers = gr.HTML(status, elem_id="budget-numbers")
        with gr.Column(elem_classes="details"):
            self.table = gr.HTML(table, elem_id="budget-table")
        self.outputs = [self.curves, self.table, self.numbers]

    def connect(self) -> None:
        page = self.page

        def measure(
            job: Job, photo: str | None, largest: int, chosen: list[str], model: str
        ) -> Generator[Progress | Values, None, None]:
            samplers, budgets = chosen_samplers(chosen), budgets_up_to(largest)
            points: list[BudgetPoint] = []
            yield budgeting.curves(points, budgets, samplers=samplers), "", gr.skip()
            yield Progress("read")
            asked = budgeting.BudgetRequest(largest, samplers)
            for item in job.follow(page.run, job.read(photo), asked, model):
                if isinstance(item, BudgetPoint):
                    points.append(item)
                    drawn = budgeting.curves(points, budgets, samplers=samplers)
                    yield drawn, budgeting.points_table(points, budgets, samplers=samplers), gr.skip()
                elif isinstance(item, BudgetCurves):
                    summary = budgeting.summary_of(item)
                    table = budgeting.points_table(points, budgets, samplers=samplers, summary=summary)
                    yield gr.skip(), table, budgeting.outcome(summary)
                else:
                    yield item

        inputs = [page.photo, self.largest, self.samplers, page.model]
        on_run(page, self.name, self.buttons, measure, inputs, self.outputs, cleared=self.cleared)
