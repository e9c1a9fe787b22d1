"""Prompts, controls and file arguments that make no sense or mean harm, as programs and browsers may send them."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from .client import FILE, Client
from .pictures import photo, saved
from .server import Server

NAN, INFINITE = float("nan"), float("inf")


@dataclass(frozen=True)
class Question:
    """One thing that is sent to the server.

    Args:
        what: what it is, for the table.
        ask: sends it, given a client and the photo that was uploaded, 64 x 48; gives what comes of it.
    """

    what: str
    ask: Callable[[Client, dict[str, Any]], Any]


def nested(depth: int) -> Any:
    """A list in a list in a list."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def point(what: str, points: Any = None, labels: Any = None, boxes: Any = None) -> Question:
    """A question to `/predict_mask`."""
    return Question(
        what, lambda client, sent: client.call("predict_mask", [sent, points, labels, boxes, False, "nano"])
    )


PROMPTS = (
    point("no prompt"),
    point("NaN in a point", [[NAN, 5]]),
    point("infinity in a point", [[5, INFINITE]]),
    point("minus infinity in a point", [[-INFINITE, 5]]),
    point("point left of the photo", [[-1, 5]]),
    point("point of 10³⁰", [[1e30, 5]]),
    point("point of 10³⁰⁰", [[1e300, 5]]),
    point("whole number of 400 digits", [[10**400, 5]]),
    point("point of half the smallest number", [[1e-323, 5]]),
    point("point on the last pixel", [[63, 47]]),
    point("point just past the last pixel", [[64, 48]]),
    point("three coordinates", [[1, 2, 3]]),
    point("texts for numbers", [["5", "5"]]),
    point("null within a point", [[None, 5]]),
    point("true for a coordinate", [[True, 5]]),
    point("an object", {"x": 5}),
    point("a text that is no list", "points"),
    point("JSON as a text", "[[5, 5]]"),
    point("lists 900 deep", nested(900)),
    point("lists 90,000 deep, as a text", "[" * 90_000),
    point("5000 points for one object", [[5, 5]] * 5000),
    point("5000 objects", [[[5, 5]]] * 5000),
    point("40 objects", [[[5, 5]]] * 40),
    point("label of 2", [[5, 5]], [2]),
    point("label of NaN", [[5, 5]], [NAN]),
    point("label of \"1\"", [[5, 5]], ["1"]),
    point("more labels than points", [[5, 5]], [1, 1, 1]),
    point("labels without points", None, [1]),
    point("only a point beside the object", [[5, 5]], [0]),
    point("box from right to left", boxes=[40, 5, 5, 40]),
    point("box without an area", boxes=[5, 5, 5, 5]),
    point("box outside the photo", boxes=[100, 100, 200, 200]),
    point("box of NaN", boxes=[NAN, NAN, NAN, NAN]),
    point("box from -10⁹ to 10⁹", boxes=[-1e9, -1e9, 1e9, 1e9]),
    point("box from -infinity to infinity", boxes=[-INFINITE, -INFINITE, INFINITE, INFINITE]),
    point("box thinner than a pixel", boxes=[5, 5, 5.001, 40]),
    point("5000 boxes", boxes=[[5, 5, 20, 20]] * 5000),
    point("two points and three boxes", [[[5, 5]], [[6, 6]]], None, [[1, 1, 9, 9]] * 3),
)  # fmt: skip


def control(what: str, endpoint: str, **changed: Any) -> Question:
    """A call of an endpoint with some inputs changed."""
    return Question(what, lambda client, sent: client.call_with(endpoint, sent, **changed))


CONTROLS = (
    control("sampler that does not exist", "segment", sampler="magic"),
    control('sampler ""', "segment", sampler=""),
    control("sampler that is a list", "segment", sampler=["grid"]),
    control("sampler of 100,000 letters", "segment", sampler="a" * 100_000),
    control("sampler in Chinese", "segment", sampler="网格"),
    control("max_prompts of 0", "segment", max_prompts=0),
    control("max_prompts of -5", "segment", max_prompts=-5),
    control("max_prompts of 10⁹", "segment", max_prompts=10**9),
    control("max_prompts of 400 digits", "segment", max_prompts=10**400),
    control("max_prompts of 20.5", "segment", max_prompts=20.5),
    control("max_prompts of NaN", "segment", max_prompts=NAN),
    control("max_prompts of infinity", "segment", max_prompts=INFINITE),
    control("max_prompts that is a text", "segment", max_prompts="64"),
    control("max_prompts that is true", "segment", max_prompts=True),
    control("null for everything", "segment", sampler=None, max_prompts=None, model=None, detector=None),
    control("model that is a path", "segment", model="../../etc/passwd"),
    control("model with a null character", "segment", model="nano\0"),
    control("model and detector in one", "segment", model="nano+yolov8n"),
    control("detector that is an address", "segment", detector="http://127.0.0.1:9/d.pt"),
    control("left side of 10⁸ points", "compare", left="grid:9999"),
    control("left side of 400 digits", "compare", left="grid:" + "9" * 400),
    control("left side below zero", "compare", left="grid:-1"),
    control("right side without a number", "compare", right="object-aware:"),
    control("draw_prompts of 1", "compare", draw_prompts=1),
    control("largest of 10³⁰", "budget", largest=10**30),
    control("format that does not exist", "export", formats=["exe"]),
    control("format that is a path", "export", formats=["../coco"]),
    control("formats of 10,000 names", "export", formats=["coco"] * 10_000),
    control("no format", "export", formats=[]),
    Question("too few values", lambda client, sent: client.call("segment", [])),
    Question("too many values", lambda client, sent: client.call("segment", [sent] * 50)),
    Question("values that are no list", lambda client, sent: client.call("segment", {"photo": sent})),
    Question("no JSON", lambda client, sent: client.call_raw("segment", "{")),
    Question("JSON that is a number", lambda client, sent: client.call_raw("segment", "5")),
    Question("endpoint that does not exist", lambda client, sent: client.call("shell", ["id"])),
    Question("listener of the page as an endpoint", lambda client, sent: client.call("segment-run", [0])),
)


def file_argument(what: str, path: Callable[[Server], str], **more: Any) -> Question:
    """A file named to `/segment` that the sender has not uploaded."""
    return Question(
        what, lambda client, sent: client.call_with("segment", {"path": path(client.server), **FILE, **more})
    )


def download(what: str, path: Callable[[Server], str]) -> Question:
    """A file asked for by its address."""

    def ask(client: Client, sent: dict[str, Any]) -> str:
        answer = client.get("gradio_api/file=" + path(client.server))
        assert b"root:" not in answer.content
        return f"HTTP {answer.status_code}"

    return Question(what, ask)


def vanished(client: Client, sent: dict[str, Any]) -> Any:
    """A run on an upload that is removed before it is read, as old ones are."""
    gone = client.upload("gone.png", saved(photo(seed=9), "PNG"))
    Path(gone["path"]).unlink()
    return client.call_with("segment", gone)


def broken_off(client: Client, sent: dict[str, Any]) -> None:
    """An upload whose sender goes away in the middle."""
    url = httpx.URL(client.server.address)
    form = f'--b\r\n{NAMED}"a.png"\r\n\r\n'
    head = "POST /gradio_api/upload HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    with socket.create_connection((url.host, url.port)) as connection:
        connection.sendall(f"{head}Content-Length: 9000\r\n\r\n{form}x".encode())
    time.sleep(0.2)


def upload_form(what: str, content: str, form: str = "multipart/form-data; boundary=b") -> Question:
    """An upload whose form is written by hand."""
    return Question(what, lambda client, sent: client.upload_form(content.replace("\n", "\r\n"), form))


NAMED = 'Content-Disposition: form-data; name="files"; filename='
SECRET = "not-uploaded.png"
"""A picture beside the folder of uploads, which no visitor may read; `LINK` leads to it, `OUTSIDE` is its folder."""
LINK = "link.png"


def beside(name: str) -> Callable[[Server], str]:
    """A path in the folder that holds the uploads."""
    return lambda server: str(server.uploads.parent / name)


FILES = (
    file_argument("path of a picture that was not uploaded", beside(SECRET)),
    file_argument("path out of the uploads, by ..", lambda server: f"{server.uploads}/../{SECRET}"),
    file_argument("symbolic link to such a picture", beside(LINK)),
    file_argument("path from the present folder", lambda server: "../../../../etc/passwd"),
    file_argument("/etc/passwd", lambda server: "/etc/passwd"),
    file_argument("/dev/zero", lambda server: "/dev/zero"),
    file_argument("/dev/stdin", lambda server: "/dev/stdin"),
    file_argument("/proc/self/environ", lambda server: "/proc/self/environ"),
    file_argument("file: address", lambda server: "file:///etc/passwd"),
    file_argument("address of this server", lambda server: server.address + "config"),
    file_argument("address of a cloud's secrets", lambda server: "http://169.254.169.254/latest/meta-data/"),
    file_argument("this machine as IPv6", lambda server: "http://[::1]:9/a.png"),
    file_argument("this machine as one number", lambda server: "http://2130706433/a.png"),
    file_argument("address with a name before @", lambda server: "http://example.org@127.0.0.1:9/a.png"),
    file_argument("address on the internet", lambda server: "https://example.org/a.png"),
    file_argument("ftp: address", lambda server: "ftp://127.0.0.1:9/a.png"),
    file_argument("data: address", lambda server: "data:image/png;base64,AAAA"),
    file_argument("address beside the path", beside(SECRET), url="https://example.org/a.png"),
    file_argument("the folder of uploads", lambda server: str(server.uploads)),
    file_argument("\"\"", lambda server: ""),
    file_argument("null character", lambda server: "\0"),
    file_argument("path of 100,000 letters", lambda server: "a" * 100_000),
    file_argument("path of Unicode that is none", lambda server: "\ud800.png"),
    Question(
        "file that is not marked as one",
        lambda client, sent: client.call_with("segment", {"path": sent["path"]}),
    ),
    point("address within a list of points", [{"path": "https://example.org/a.png", **FILE}]),
    Question("path within a list of points", lambda client, sent: client.call(
        "predict_mask", [sent, [{"path": beside(SECRET)(client.server), **FILE}], None, None, False, "nano"])),
    Question("number for a file", lambda client, sent: client.call_with("segment", 5)),
    Question(
        "100 photos in a batch",
        lambda client, sent: client.call_with("batch", [sent] * 100),
    ),
    Question("file of 3 MB where 2 MB are allowed", lambda client, sent: client.upload("large.png", bytes(3_000_000))),
    Question("upload that vanished before it was read", vanished),
    Question("upload that breaks off", broken_off),
    upload_form("upload with an empty name", f'--b\n{NAMED}""\n\nx\n--b--\n'),
    upload_form("upload without a name", '--b\nContent-Disposition: form-data; name="files"\n\nx\n--b--\n'),
    upload_form("upload of a name in quotes and slashes", f'--b\n{NAMED}"../\\"/..\\..\\x.png"\n\nx\n--b--\n'),
    upload_form("upload without an end", f'--b\n{NAMED}"a.png"\n\nx'),
    upload_form("upload that says nothing of its form", "x", "multipart/form-data"),
    upload_form("upload of no form", "x", "text/plain"),
    Question("upload whose name is a path", lambda client, sent: client.upload("../../../tmp/it-ran.png", b"x")),
    download("download of /etc/passwd", lambda server: "/etc/passwd"),
    download("download by ..", lambda server: f"{server.uploads}/../{SECRET}"),
    download("download of a folder", lambda server: str(server.uploads)),
    download("download from another server", lambda server: "http://127.0.0.1:9/a.png"),
    download("download from another server, in capitals", lambda server: "HTTPS://example.org/a.png"),
    Question("another server by /proxy=", lambda client, sent: f"HTTP {client.get('gradio_api/proxy=https://example.org/a').status_code}"),
)  # fmt: skip


def run_of_page(
    what: str, labels: dict[str, Any] | None = None, *, session: str | None = None, **changed: Any
) -> Question:
    """The button of *Segment everything*, with some controls changed: by their labels."""
    return Question(
        what,
        lambda client, sent: client.press("segment-run", sent, session=session, **(labels or {}), **changed),
    )


def told_by_page(what: str, listener: str, event: Any, *data: Any) -> Question:
    """An event of one of the page's own elements."""
    return Question(
        what,
        lambda client, sent: client.browse(listener, [sent if one is ... else one for one in data], event=event),
    )


PAGE = (
    run_of_page("sampler that does not exist", Sampler="magic"),
    run_of_page("prompts of 10⁹", Prompts=10**9),
    run_of_page("prompts of -5", Prompts=-5),
    run_of_page("prompts of NaN", Prompts=NAN),
    run_of_page("prompts that are a text", Prompts="many"),
    run_of_page("prompts of nothing", Prompts=None),
    run_of_page("confidence of 7", Confidence=7),
    run_of_page("confidence of NaN", Confidence=NAN),
    run_of_page("confidence of nothing", Confidence=None),
    run_of_page("model that is a path", Model="../../etc/passwd"),
    run_of_page("model that is a list", Model=["nano"]),
    run_of_page("minimum area of -1", {"Minimum area, % of the photo": -1}),
    run_of_page("minimum area that is a list", {"Minimum area, % of the photo": [1]}),
    run_of_page("predicted IoU of NaN", {"Predicted IoU": NAN}),
    run_of_page("mask NMS of 0", {"Mask NMS, IoU": 0}),
    run_of_page("text for a tick", {"Hide nested masks": "yes"}),
    run_of_page("job of number NaN", asked=NAN),
    run_of_page("job of number 10³⁰", asked=1e30),
    run_of_page("job whose number is a text", asked="first"),
    run_of_page("session of 10,000 letters", session="s" * 10_000),
    told_by_page("question that is a number", "ask", 5, ..., "nano"),
    told_by_page("question without prompts", "ask", {"id": 1}, ..., "nano"),
    told_by_page("question with NaN", "ask", {"id": 1, "points": [[NAN, 1]], "labels": [1]}, ..., "nano"),
    told_by_page("question whose label is a list", "ask", {"id": 1, "points": [[1, 1]], "labels": [[]]}, ..., "nano"),
    told_by_page("question about a model of number 5", "ask", {"id": 1, "points": [[1, 1]], "labels": [1]}, ..., 5),
    Question(
        "question whose number is a file that was not uploaded",
        lambda client, sent: client.browse(
            "ask",
            [sent, "nano"],
            event={"id": {"path": beside(SECRET)(client.server), **FILE}, "points": [[1, 1]], "labels": [1]},
        ),
    ),
    told_by_page(
        "question whose number is an address",
        "ask",
        {"id": {"path": "x", "url": "https://example.org/a.png", **FILE}, "points": [[1, 1]], "labels": [1]},
        ...,
        "nano",
    ),
    told_by_page("mask that is a text", "pick", {"edition": "x", "mask": "first"}),
    told_by_page("mask of number 10³⁰⁰", "pick", {"edition": "x", "mask": 1e300}),
    told_by_page("mask of number infinity", "pick", {"edition": 5, "mask": INFINITE}),
    told_by_page("no mask named", "pick", [5]),
)

QUESTIONS = {
    "Prompts, to `/predict_mask`": PROMPTS,
    "Controls, through the API": CONTROLS,
    "File arguments, through the API": FILES,
    "Controls and events, as the page sends them": PAGE,
}
"""All of them in their groups."""
