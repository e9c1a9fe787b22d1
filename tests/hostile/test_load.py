"""Many visitors at once, in small: `benchmarks.load` has the figures."""

from __future__ import annotations

import asyncio

from benchmarks import load
from benchmarks.visitors import Outcome, Question, Site, Visitor

from .server import Server


def test_nothing_is_lost_or_mixed_up_and_nobody_holds_up_the_others(server: Server) -> None:
    row = asyncio.run(load.measure(server, visitors=9, requests=15, warm_up=0, runs=2))
    assert row["answered"] == 15
    assert row["lost or mixed up"] == 0
    assert row["slow upload taken"] == "yes", "It lasted longer than all requests, and was taken."
    assert row["s until a closed page's place is free"] < 60
    assert row["runs afterwards"] == "2 of 2"
    assert server.process.is_alive()


def test_a_full_queue_sends_away_with_a_sentence_and_those_who_ask_again_are_answered(server: Server) -> None:
    site = Site.of(server)
    outcome = asyncio.run(load.burst(server, site, visitors=14, requests=14))
    assert outcome.answered == 14
    assert not outcome.wrong
    assert outcome.refusals, "Four may wait, and fourteen came."
    assert {refusal.partition(".")[0] for refusal in outcome.refusals} == {"Queue is full"}


def test_an_answer_to_another_question_is_noticed(server: Server) -> None:
    site, outcome = Site.of(server), Outcome()

    class Forged(Question):
        """Sends the photo of another question."""

        def photo(self) -> bytes:
            return Question(self.number + 1).photo()

    async def ask() -> None:
        visitor = Visitor(server, site, outcome)
        for number in range(5):
            await visitor.ask(Forged(number))
        await visitor.http.aclose()

    asyncio.run(ask())
    assert len(outcome.wrong) == 5
