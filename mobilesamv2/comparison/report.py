"""Report of a comparison in one sentence, made of measured numbers alone."""

from __future__ import annotations

from ..formatting import count, number, percent, seconds, times
from ..sampler_kinds import SAMPLERS
from .budget import BudgetCurves, BudgetPoint
from .compare import RunStatistics

SAME_TIME = 1.05
"""Ratios of seconds below this are within what two equal runs differ by."""


def verdict(first: RunStatistics, second: RunStatistics) -> str:
    """One sentence on two runs: who was faster, whose masks are more and cover more, and the numbers of both.

    It speaks of the second in the light of the first, and praises no speed that found nothing. Seconds are those
    that depend on the sampler: both share the encoding.
    """
    one, other = _names(first, second)
    if first.masks == 0 and second.masks == 0:
        who = "run" if first.request.sampler == second.request.sampler else "sampler"
        return f"Neither {who} kept a mask on this photo."
    if second.masks == 0:
        return _only_one(other, second, one, first)
    if first.masks == 0:
        return _only_one(one, first, other, second)
    kept = f"kept {_kept_more(first, second)}"
    ratio = _ratio(first.sampling_seconds, second.sampling_seconds)
    if ratio is None:
        said = f"{other} {kept} than {one}" if first.masks != second.masks else f"both {kept}"
    elif 1 / SAME_TIME < ratio < SAME_TIME:
        subject = " and" if first.masks == second.masks else f", and {other}"
        said = f"both took about the same time here{subject} {kept}"
    else:
        speed = f"{times(ratio)} faster" if ratio > 1 else f"{times(1 / ratio)} slower"
        against = (ratio > 1 and second.masks < first.masks) or (ratio < 1 and second.masks > first.masks)
        said = f"{other} was {speed} than {one} here {'but' if against else 'and'} {kept}"
    return f"{_capital(said)}: {_numbers(second)}, against {_numbers(first)}."


def name(run: RunStatistics) -> str:
    """A request in a sentence: "the 16 × 16 grid", "a budget of 64 boxes"."""
    limit, kind = run.request.limit, run.request.kind
    if kind.is_square:
        return f"the {limit} × {limit} grid"
    return f"a budget of {count(limit, *kind.noun)}"


def _names(first: RunStatistics, second: RunStatistics) -> tuple[str, str]:
    """What the two are called: by what they differ in."""
    if first.request.sampler != second.request.sampler:
        return first.request.kind.phrase, second.request.kind.phrase
    if first.request.limit == second.request.limit:
        return "the first run", "the second run"
    return name(first), name(second)


def _only_one(loser: str, nothing: RunStatistics, winner: str, something: RunStatistics) -> str:
    failed = "kept no mask" if nothing.prompts else "found no objects"
    return (
        f"{_capital(loser)} {failed} on this photo; {winner} kept {count(something.masks, 'mask')} "
        f"covering {percent(something.coverage)} of it in {seconds(something.sampling_seconds)}."
    )


def _kept_more(first: RunStatistics, second: RunStatistics) -> str:
    """How the second's masks compare in number and in what they cover, as far as the digits shown tell."""
    if first.masks == second.masks:
        masks = "equally many masks"
    else:
        masks = "more masks" if second.masks > first.masks else "fewer masks"
    if percent(first.coverage) == percent(second.coverage):
        return f"{masks} over as much of the photo"
    return f"{masks} over {'more' if second.coverage > first.coverage else 'less'} of the photo"


def _numbers(run: RunStatistics) -> str:
    return (
        f"{number(run.masks)} covering {percent(run.coverage)} from {count(run.prompts, *run.request.kind.noun)} "
        f"in {seconds(run.sampling_seconds)}"
    )


def _ratio(first: float, second: float) -> float | None:
    """How many times longer the first took; None where that cannot be told."""
    return first / second if first > 0 and second > 0 else None


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def budget_verdict(curves: BudgetCurves) -> str:
    """What boxes gave, and which grid, if any, covers as much of the photo; and of other samplers which covers most.

    Raises:
        ValueError: for curves without a point.
    """
    if not curves.points:
        raise ValueError("There is nothing to say before a point is measured.")
    said = [_boxes_and_grids(curves)] if {"object-aware", "grid"} <= set(curves.curves) else []
    if set(curves.curves) != {"object-aware", "grid"}:
        best = max(curves.points, key=lambda point: (point.coverage, -point.prompts))
        kind = SAMPLERS[best.sampler]
        asked = count(best.prompts, *kind.noun)
        said.append(f"{_capital(kind.phrase)} covers most, with {asked}: {_gave(best)}.")
    return " ".join(said)


def _boxes_and_grids(curves: BudgetCurves) -> str:
    grids, boxes = curves.curves["grid"], curves.curves["object-aware"]
    if not grids:
        return "No grid was measured to its end."
    largest = grids[-1]
    best = max(grids, key=lambda point: (point.coverage, -point.prompts))
    if not boxes or not boxes[-1].masks:
        failed = "The detector proposed no objects on this photo"
        if curves.boxes_proposed:
            failed = f"{_boxes(curves)} gave no mask on this photo"
        if best.masks == 0:
            return f"{failed}, and no grid up to {_points(largest)} kept a mask."
        return f"{failed}; of the grids, {_points(best)} cover most: {_gave(best)}."
    aware = boxes[-1]
    said = f"{_boxes(curves)} gave {_gave(aware, ' of this photo')}"
    if best.masks == 0:
        return f"{said}; no grid up to {_points(largest)} kept a mask."
    enough = next((point for point in grids if point.coverage >= aware.coverage), None)
    if enough is None:
        return f"{said}; no grid up to {_points(largest)} covers as much: {_points(best)} gave {_gave(best)}."
    if enough is grids[0]:
        return f"{said}; already {_points(enough)} of a grid cover as much: {_gave(enough)}."
    return f"{said}; to cover as much a grid takes {_points(enough)}: {_gave(enough)}."


def _boxes(curves: BudgetCurves) -> str:
    if not curves.boxes_ran_out:
        return f"The best {count(curves.boxes_proposed or 0, 'box', 'boxes')}"
    if curves.boxes_proposed == 1:
        return "The only box that the detector proposed"
    return f"All {number(curves.boxes_proposed or 0)} boxes that the detector proposed"


def _points(point: BudgetPoint) -> str:
    return count(point.prompts, "point")


def _gave(point: BudgetPoint, of_what: str = "") -> str:
    return (
        f"{count(point.masks, 'mask')} covering {percent(point.coverage)}{of_what} in "
        f"{seconds(point.decode_seconds)} of decoding"
    )
