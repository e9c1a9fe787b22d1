from __future__ import annotations

from benchmarks.visitors import Outcome, Question


def test_no_two_photos_of_a_burst_have_the_same_size() -> None:
    sizes = {Question(number).size_wh for number in range(600)}
    assert len(sizes) == 600


def test_quantiles_are_of_all_endpoints_together() -> None:
    outcome = Outcome(seconds={"predict": [1.0] * 50, "segment": [2.0] * 50})
    assert outcome.answered == 100
    assert outcome.quantiles() == {"p50, s": 1.5, "p95, s": 2.0, "p99, s": 2.0}
