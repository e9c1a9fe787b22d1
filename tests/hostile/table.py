"""Sends every input to the page, the API and the command line, and says in one line what happened to each."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import mobilesamv2
from mobilesamv2.cli import main
from tests.tiny import tiny_segmenter

from .absurd import VALUES, summary
from .arguments import ARGUMENTS, prepare
from .client import Client, RefusedError
from .pictures import PICTURES, photo, saved
from .questions import LINK, QUESTIONS, SECRET
from .server import Server

ARGUMENTS_GROUP = "Arguments of `mobilesamv2 segment`"
VALUES_GROUP = "Absurd values for every input of every endpoint"
_LONGEST = 150
Contents = dict[tuple[str, str], bytes]
"""Files by their group and what they are."""


@dataclass(frozen=True)
class Row:
    """One input and what happened: "read, 64 x 48", "answered", or a sentence. By page and API, and in the terminal."""

    group: str
    what: str
    page: str
    terminal: str = ""


@dataclass(frozen=True)
class Found:
    """All rows, and what the server did beside answering.

    Args:
        forbidden: files that it opened and addresses that it asked, which it should not.
        log: all that it wrote.
        is_well: whether it lives, and answers a question as it did at first.
    """

    rows: tuple[Row, ...]
    forbidden: tuple[str, ...]
    log: str
    is_well: bool


def find(server: Server, folder: Path) -> Found:
    """Send everything; files of all kinds are made in `folder`."""
    contents = {(group, file.what): file.make() for group, files in PICTURES.items() for file in files}
    in_terminal = _pictures_in_terminal(contents, folder / "pictures")
    terminal = {(row.group, row.what): row.terminal for row in in_terminal}
    beside = server.uploads.parent
    (beside / SECRET).write_bytes(saved(photo(size_wh=(77, 33)), "PNG"))
    (beside / LINK).symlink_to(beside / SECRET)
    client = Client(server)
    sent = client.upload("photo.png", saved(photo(), "PNG"))
    first = _masks(client, sent)
    before = len(server.done())
    rows = [*_pictures(contents, client), *_questions(client, sent, beside), *_absurd_values(client, sent)]
    forbidden = sorted(_forbidden(server, server.done()[before:]))
    is_well = server.process.is_alive() and _masks(client, sent) == first
    client.close()
    rows = [Row(row.group, row.what, row.page, terminal.get((row.group, row.what), "")) for row in rows]
    rows += _arguments(folder / "arguments")
    return Found(tuple(rows), tuple(forbidden), server.log, is_well)


def _masks(client: Client, sent: dict[str, Any]) -> Any:
    return client.call("predict_mask", [sent, None, None, [4, 4, 40, 30], True, "nano"])[1]["annotations"]


def _forbidden(server: Server, events: list[tuple[str, str]]) -> Iterator[str]:
    """What of its events is neither work on uploads nor Python's own."""
    beside = str(server.uploads.parent)
    for event, told in events:
        path = told.strip("b'\"")
        is_file = event == "open"
        hidden = path.startswith(beside) and not path.startswith(str(server.uploads))
        if not is_file or hidden or path.startswith(("/etc/", "/dev/z", "/dev/s", "/proc/", "/tmp/it-ran")):
            yield f"{event} {told}"


def _pictures(contents: Contents, client: Client) -> Iterator[Row]:
    for group, files in PICTURES.items():
        for file in files:
            sent = client.upload(file.name, contents[group, file.what])
            try:
                record = client.call("predict_mask", [sent, [[0, 0]], None, None, False, "nano"])[1]
                by_api = "read, {width} x {height}".format(**record["image"])
            except RefusedError as refused:
                by_api = str(refused)
            try:
                size = re.search(
                    r'"size": \[(\d+), (\d+)\]', client.browse("ask", [sent, "nano"], event={"look": True})
                )
                assert size is not None, file.what
                by_page = f"read, {size[1]} x {size[2]}"
            except RefusedError as refused:
                by_page = str(refused)
            assert by_page == by_api, f"{file.what}: {by_page} {by_api}"
            yield Row(group, file.what, _line(by_api))


def _pictures_in_terminal(contents: Contents, folder: Path) -> Iterator[Row]:
    """All files in one command: a bad one does not stop the others."""
    paths: dict[str, tuple[str, str]] = {}
    for group, files in PICTURES.items():
        for file in files:
            given = folder / str(len(paths)) / file.name
            given.parent.mkdir(parents=True)
            given.write_bytes(contents[group, file.what])
            paths[str(given)] = group, file.what
    code, _ = _run(["segment", *paths, "-o", str(folder / "out"), "--max-prompts", "1"])
    assert code == 1
    summary = json.loads((folder / "out" / "summary.json").read_text(encoding="utf-8"))
    told = {each["photo"]: "read, {width} x {height}".format(**each["image"]) for each in summary["photos"]}
    told |= {each["photo"]: each["error"] for each in summary["failures"]}
    for path, key in paths.items():
        yield Row(*key, page="", terminal=_line(told[path]))


def _questions(client: Client, sent: dict[str, Any], folder: Path) -> Iterator[Row]:
    for group, questions in QUESTIONS.items():
        for question in questions:
            try:
                answer = question.ask(client, sent)
                told = answer if isinstance(answer, str) and answer.startswith("HTTP") else "answered"
            except RefusedError as refused:
                told = str(refused)
            yield Row(group, question.what, _line(told, folder, client.server.address))


def _absurd_values(client: Client, sent: dict[str, Any]) -> Iterator[Row]:
    """Each input of each endpoint in turn, the others as they are at first."""
    for endpoint, (first, *others) in client.inputs.items():
        usual = [sent] if first == "photos" else sent
        for name in (first, *others):
            outcomes = {}
            for what, value in VALUES.items():
                try:
                    if name == first:
                        client.call_with(endpoint, value)
                    else:
                        client.call_with(endpoint, usual, **{name: value})
                    outcomes[what] = "answered"
                except RefusedError as refused:
                    outcomes[what] = _line(str(refused))
            yield Row(VALUES_GROUP, f"`/{endpoint}` {name}", summary(outcomes))


def _arguments(folder: Path) -> Iterator[Row]:
    folder.mkdir()
    prepare(folder)
    for one in ARGUMENTS:
        code, said = _run(["segment", *one.given(folder)])
        told = _line(said.rpartition("mobilesamv2: ")[2].rpartition("error: ")[2], folder)
        yield Row(ARGUMENTS_GROUP, one.what, f"exit code {code}" + (f": {told}" if code else ""))


def _run(arguments: list[str]) -> tuple[int, str]:
    """Exit code and what was written to stderr, on the tiny model."""
    said = io.StringIO()
    load = mock.patch.object(mobilesamv2, "load", side_effect=lambda name, **options: tiny_segmenter())
    with load, contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
    return code, said.getvalue()


def _line(text: str, *places: Path | str) -> str:
    """A sentence without what differs from run to run, as a cell of a table."""
    for place in places:
        text = text.replace(str(place), "…" if isinstance(place, Path) else "http://HERE/")
    text = re.sub(r"(one of|choose from) .*?(; got|, or all|\.$)", r"\1 …\2", text)  # lists grow
    text = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("\0", "\\0")
    text = re.sub(r"(?<=Use JPEG, ).*(?= or BMP)", "…", text)
    text = re.sub(r"^(HTTP 422).*|(got ){'path'.*", r"\1\2…", text)  # quotes what was sent
    text = re.sub(r"(?<=takes )\d+(?= values)", "…", text)
    text = re.sub(r"(.)\1{20,}", r"\1\1\1…", text)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
