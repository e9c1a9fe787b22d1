"""Absurd values for every option of every command: taken, or refused in one sentence that names the option."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator

import pytest

from mobilesamv2.cli import _parser

VALUES = ("", "nan", "inf", "-1", "1e999", "9" * 5000, "../../etc/passwd", "网格", "\udcff", "\0", "a" * 100_000)


def commands() -> dict[str, argparse.ArgumentParser]:
    (named,) = (action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction))
    return dict(named.choices)


def options() -> Iterator[tuple[str, str]]:
    for name, command in commands().items():
        for action in command._actions:
            if action.option_strings and action.nargs != 0:
                yield name, action.option_strings[-1]


@pytest.fixture(scope="module")
def parsers() -> dict[str, argparse.ArgumentParser]:
    return commands()


def test_many_options_are_tried() -> None:
    assert len(list(options())) > 40


@pytest.mark.parametrize(("command", "option"), tuple(options()))
def test_an_absurd_value_is_taken_or_refused_in_a_sentence(
    parsers: dict[str, argparse.ArgumentParser], command: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # What is taken here, as a path or a name, is looked up by the command itself.
    for value in VALUES:
        with contextlib.suppress(SystemExit):
            parsers[command].parse_known_args([f"{option}={value}"])
        said = capsys.readouterr().err.strip().rpartition("\n")[2]
        assert not said or option in said or "required" in said, said
