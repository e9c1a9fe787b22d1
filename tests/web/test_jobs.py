"""Which jobs are wanted, in whatever order the server hears of them."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from mobilesamv2.request import Request
from mobilesamv2.web.jobs import Job, Question
from mobilesamv2.web.runs import Everything
from mobilesamv2.web.sessions import Session

from .test_sessions import stored

ASKED = Everything(Request())


def taken(session: Session, number: int, tab: str = "segment") -> Job:
    job = Job.take(session, number, session.runs, tab)
    assert job is not None
    return job


def test_a_newer_job_makes_the_one_before_stale_and_drops_its_answer_in_its_own_tab() -> None:
    session = Session()
    first = taken(session, 1)
    assert not first.is_stale
    session.runs.begin(2, "compare")
    assert (first.is_stale, first.is_gone) == (True, False)
    session.runs.begin(3, "segment")
    assert (first.is_stale, first.is_gone) == (True, True)


def test_a_cancelled_job_is_stale_and_its_answer_is_shown() -> None:
    session = Session()
    job = taken(session, 1)
    session.runs.cancel(1)
    assert (job.is_stale, job.is_gone) == (True, False)
    assert not taken(session, 2).is_stale


def test_a_stop_counts_before_the_job_that_it_is_about_and_never_for_a_later_one() -> None:
    session = Session()
    session.runs.cancel(5)
    session.runs.begin(5, "segment")
    assert taken(session, 5).is_stale
    assert not taken(session, 6).is_stale


def test_another_photo_drops_the_jobs_before_it_and_none_after() -> None:
    session = Session()
    before = taken(session, 1)
    session.runs.begin(3, "segment")  # the server hears of the photo after the run on it
    session.runs.drop(2)
    assert before.is_gone
    assert not taken(session, 3).is_stale


def test_no_other_photo_and_no_run_stops_a_batch() -> None:
    session = Session()
    batch = Job.take(session, 1, session.batches, "batch")
    assert batch is not None
    session.runs.begin(2, "segment")
    session.runs.drop(3)
    assert not batch.is_stale


def test_a_question_is_dropped_with_its_photo_only() -> None:
    session = Session()
    question = Question(session, 0, session.runs)
    session.runs.begin(1, "segment")
    session.runs.cancel(1)
    assert not question.is_stale
    session.runs.drop(2)
    assert question.is_gone
    assert not Question(session, 2, session.runs).is_gone


def test_a_job_is_done_once_and_not_after_a_later_one() -> None:
    session = Session()
    taken(session, 2)
    assert Job.take(session, 2, session.runs, "segment") is None
    assert Job.take(session, 1, session.runs, "segment") is None


@pytest.mark.parametrize("number", [None, "7", -3, float("nan"), float("inf"), 10**400, True, [1], {}])
def test_what_is_no_number_begins_and_stops_nothing(number: Any) -> None:
    session = Session()
    session.runs.begin(number, "segment")
    session.runs.cancel(number)
    session.runs.drop(number)
    assert Job.take(session, number, session.runs, "segment") is None
    assert not taken(session, 1).is_stale


def test_nothing_stops_what_a_program_asks_for() -> None:
    assert not Job.alone().is_stale


class Run:
    """A run that can tell whether it was begun and closed."""

    def __init__(self, *items: Any) -> None:
        self.said: list[str] = []
        self.items = items

    def __call__(self, picture: Any, stored: Any, asked: Any, model: str) -> Generator[Any, None, None]:
        self.said.append("begun")
        try:
            yield from self.items
        finally:
            self.said.append("closed")


def test_embeddings_of_a_run_are_kept_and_not_passed_on(wide_photo: Path) -> None:
    job = taken(Session(), 1)
    picture = job.session.picture(str(wide_photo))
    items = job.follow(Run(1, stored(3.0), 2), picture, ASKED, "nano")
    assert list(items) == [1, 2]
    kept = job.session.embedding("nano")
    assert kept is not None
    assert kept.features.max() == 3.0
    assert job.session.embedding("mobilesam") is None


def test_a_run_ends_with_what_it_has_as_soon_as_its_job_is_stale(wide_photo: Path) -> None:
    job, run = taken(Session(), 1), Run(1, 2, 3)
    items = job.follow(run, job.read(str(wide_photo)), ASKED, "nano")
    assert next(items) == 1
    job.session.runs.cancel(1)
    assert list(items) == []
    assert run.said == ["begun", "closed"]


def test_a_run_whose_job_is_stale_does_not_begin(wide_photo: Path) -> None:
    job, run = taken(Session(), 1), Run(1)
    job.session.runs.cancel(1)
    assert list(job.follow(run, job.read(str(wide_photo)), ASKED, "nano")) == []
    assert run.said == []
