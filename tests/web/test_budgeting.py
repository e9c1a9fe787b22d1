"""What *Prompt budget* runs and says, on a segmenter without a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mobilesamv2.comparison.budget import BudgetCurves, BudgetPoint
from mobilesamv2.images import ReadImage
from mobilesamv2.progress import Progress
from mobilesamv2.web import budgeting as text
from mobilesamv2.web.budgeting import BudgetRequest, summary_of

from .fakes import Fake


def test_every_point_comes_as_it_is_measured_and_the_curves_at_the_end(wide_photo: Path) -> None:
    *items, last = Fake(finds=40).budget(wide_photo, 64)
    points = [item for item in items if isinstance(item, BudgetPoint)]
    assert [point.budget for point in points] == [16, 16, 32, 32, 64, 64]
    assert isinstance(last, BudgetCurves)
    summary = summary_of(last)
    assert [point["prompts"] for point in summary["object_aware"]] == [16, 32, 40]
    assert [point["prompts"] for point in summary["grid"]] == [16, 25, 64]
    assert (summary["boxes_proposed"], summary["boxes_ran_out"]) == (40, True)
    assert "All 40 boxes that the detector proposed" in summary["verdict"]


def test_a_photo_that_was_encoded_before_is_not_encoded_again(wide_photo: Path) -> None:
    fake = Fake()
    list(fake.budget(wide_photo, 16))
    list(fake.compare(wide_photo))
    list(fake.budget(wide_photo, 32))
    assert fake.script.encoded == 1


def test_seconds_are_asked_for_all_prompts_of_all_grids() -> None:
    assert BudgetRequest(64).prompts_at_most == 64 + 16 + 25 + 64


def test_progress_counts_the_prompts_of_all_budgets() -> None:
    picture = ReadImage(np.zeros((20, 30, 3), np.uint8))
    items = Fake(finds=10).on_model(picture, None, BudgetRequest(16), "nano")
    totals = {item.total for item in items if isinstance(item, Progress) and item.stage == "decode"}
    assert totals == {10 + 16}


# What is said


def point(sampler: str, budget: int, *, prompts: int | None = None, masks: int = 3) -> BudgetPoint:
    asked = budget if prompts is None else prompts
    return BudgetPoint(sampler, budget, prompts=asked, masks=masks, coverage=0.25, decode_seconds=0.5)


def test_curves_show_nothing_before_anything_is_measured() -> None:
    html = text.curves((), (16, 32))
    assert html.count('role="img"') == 3
    assert html.count("Nothing measured yet") == 3
    assert 'class="dot' not in html


def test_curves_have_a_dot_for_each_point_of_each_panel() -> None:
    html = text.curves([point("grid", 16), point("object-aware", 16), point("grid", 32)], (16, 32))
    assert (html.count('class="dot grid"'), html.count('class="dot object-aware"')) == (6, 3)
    assert "Grid search: 25 % at 32" in html


def test_the_table_has_a_row_for_each_budget_and_dashes_where_nothing_is() -> None:
    html = text.points_table([point("grid", 16), point("object-aware", 32, prompts=20)], (16, 32))
    aware, grid = html.split("</table>")[:2]
    assert aware.count("<tr>") == grid.count("<tr>") == 3
    assert (aware.count("–"), grid.count("–")) == (4, 4)
    assert "<td>20</td><td>3</td><td>25 %</td><td>500 ms</td>" in aware


@pytest.mark.parametrize(
    ("proposed", "ran_out", "words"),
    [
        (41, True, "ends at 41 boxes: the detector is confident of no more"),
        (1, True, "ends at 1 box:"),
        (0, True, "proposed no box above its confidence threshold"),
        (64, False, '<p class="note">One encoding served all of it, by nano on &lt;CPU&gt;.'),
    ],
)
def test_the_note_says_why_a_curve_ends(proposed: int, ran_out: bool, words: str) -> None:
    summary = {"boxes_proposed": proposed, "boxes_ran_out": ran_out, "model": "nano", "device": "<CPU>"}
    assert words in text.points_table((), (16,), summary=summary)


def test_the_sentence_cannot_bring_markup() -> None:
    assert "<img" not in text.outcome({"verdict": "<img src=x>"})
