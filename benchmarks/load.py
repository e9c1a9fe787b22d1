"""Many visitors at once on a page of this machine: python -m benchmarks.load

Every photo has a size, and every request a number of prompts, that no other one has: by that each answer is checked
against its question. A visitor who finds the queue full waits a moment and asks again. Meanwhile one more visitor
sends a photo very slowly, and at the end one closes the page in the middle of a run.

By default on a tiny model with random weights: what is measured is the server, not a model. `--model nano` takes the
embedded one. The client shares the machine's cores with the server.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import re
import secrets
import statistics
import tempfile
import time
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from tests.hostile.server import Server, running

from .harness import table
from .tables import put

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
_SIDES = 25
"""Photos are 40 to 64 pixels wide and high or, one in 25, sixteen times that."""
_SIZE = re.compile(r'"size"(?:\]\s*,|\s*:)\s*\[(\d+),\s*(\d+)\]')
"""In what is sent to the page: whole, or as a change of what was sent before."""
_JSON = {"Content-Type": "application/json"}


@dataclass
class Outcome:
    """What became of a burst.

    Args:
        seconds: of each request, from its first attempt to its answer.
        refusals: sentences with which a full queue sent somebody away.
        wrong: answers that do not belong to their question, and requests without one.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def answered(self) -> int:
        """Requests that were answered."""
        return sum(map(len, self.seconds.values()))

    def quantiles(self) -> dict[str, float]:
        """Seconds that half, 95 and 99 of a hundred requests needed at the most."""
        every = sorted(second for seconds in self.seconds.values() for second in seconds)
        cuts = statistics.quantiles(every, n=100, method="inclusive")
        return {"p50, s": cuts[49], "p95, s": cuts[94], "p99, s": cuts[98]}


@dataclass(frozen=True)
class Question:
    """One request: its photo's size and its number of prompts are its own."""

    number: int

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height of its photo."""
        scale = 16 if self.number % _SIDES == 7 else 1
        return (40 + self.number // _SIDES) * scale, (40 + self.number % _SIDES) * scale

    @property
    def name(self) -> str:
        """Of its photo's file."""
        return f"photo-{self.number}.png"

    def photo(self) -> bytes:
        """Its photo, of one colour."""
        width, height = self.size_wh
        colour = self.number % 251, self.number // 251 * 40, 128
        packed = io.BytesIO()
        Image.fromarray(np.full((height, width, 3), colour, dtype=np.uint8)).save(packed, "png")
        return packed.getvalue()


@dataclass(frozen=True)
class Site:
    """What a page says of itself: its endpoints by name, the listener of *Segment everything* and that one's inputs."""

    endpoints: dict[str, Any]
    listener: dict[str, Any]
    shown: list[dict[str, Any]]

    @classmethod
    def of(cls, server: Server) -> Site:
        """Ask a server."""
        with httpx.Client(base_url=server.address, timeout=60, trust_env=False) as http:
            endpoints = http.get("gradio_api/info").json()["named_endpoints"]
            config = http.get("config").json()
        (listener,) = (one for one in config["dependencies"] if one["api_name"] == "segment-run")
        parts = {one["id"]: one for one in config["components"]}
        return cls(endpoints, listener, [parts[number] for number in listener["inputs"]])


class Visitor:
    """One visitor, or program, with a connection of its own."""

    def __init__(self, server: Server, site: Site, outcome: Outcome) -> None:
        self._site, self._outcome = site, outcome
        self.http = httpx.AsyncClient(base_url=server.address, timeout=600, trust_env=False)

    async def ask(self, question: Question) -> None:
        """Send a photo and one request about it, and check the answer."""
        kinds: tuple[Callable[[Question, Any], Awaitable[bool]], ...] = (
            self._predict,
            self._segment,
            self._predict,
            self._export,
            self._page,
        )
        kind = kinds[question.number % len(kinds)]
        sent = await self.upload(question.name, question.photo())
        started = time.perf_counter()
        try:
            is_right = await kind(question, sent)
        except (httpx.HTTPError, KeyError, ValueError) as error:
            self._outcome.wrong.append(f"{question}: {type(error).__name__} {error}")
            return
        if not is_right:
            self._outcome.wrong.append(f"{question}: an answer to another question")
        self._outcome.seconds.setdefault(kind.__name__.strip("_"), []).append(time.perf_counter() - started)

    async def upload(self, name: str, content: bytes) -> dict[str, Any]:
        """Send a file; what names it in a call."""
        answer = await self.http.post("gradio_api/upload", files={"files": (name, content)})
        return {"path": answer.json()[0], "orig_name": name, "meta": {"_type": "gradio.FileData"}}

    async def _predict(self, question: Question, sent: Any) -> bool:
        count = 1 + question.number % 13
        (_, record) = await self.call(
            "predict_mask", [sent, None, None, [[1, 1, 30, 30]] * count, False, "nano"]
        )
        sizes = {tuple(mask["segmentation"]["size"]) for mask in record["annotations"]}
        return len(record["annotations"]) == count and sizes == {question.size_wh[::-1]}

    async def _segment(self, question: Question, sent: Any) -> bool:
        overlay, record = await self.call("segment", self.defaults("segment", sent))
        drawn = await self.http.get(overlay["url"])
        with Image.open(io.BytesIO(drawn.content)) as picture:
            width, height = question.size_wh
            return (record["image"]["width"], record["image"]["height"]) == (width, height) and abs(
                picture.width / picture.height - width / height
            ) < 0.02

    async def _export(self, question: Question, sent: Any) -> bool:
        file, _ = await self.call("export", self.defaults("export", sent))
        packed = zipfile.ZipFile(io.BytesIO((await self.http.get(file["url"])).content))
        (name,) = (name for name in packed.namelist() if name.endswith("coco.json"))
        (image,) = json.loads(packed.read(name))["images"]
        return (image["file_name"], image["width"], image["height"]) == (question.name, *question.size_wh)

    async def _page(self, question: Question, sent: Any) -> bool:
        session, size_wh = secrets.token_hex(5), (0, 0)
        await self.join(session, sent)
        async with self.listen(session) as lines:
            async for line in lines.aiter_lines():
                if found := _SIZE.search(line):
                    size_wh = int(found[1]), int(found[2])
                if '"process_completed"' in line:
                    return size_wh == question.size_wh
        return False

    def defaults(self, endpoint: str, photo: Any) -> list[Any]:
        """A photo and the defaults of an endpoint's other inputs."""
        told = self._site.endpoints[f"/{endpoint}"]
        return [photo, *(one["parameter_default"] for one in told["parameters"][1:])]

    async def call(self, endpoint: str, data: list[Any]) -> list[Any]:
        """The values of an endpoint."""
        path = f"gradio_api/call/{endpoint}"
        event = await self.queued(path, {"data": data})
        told = (await self.http.get(f"{path}/{event}")).text
        if not told.startswith("event: complete"):
            raise ValueError(told[:200])
        return list(json.loads(told.partition("data: ")[2]))

    async def join(self, session: str, photo: Any) -> None:
        """Press the button of *Segment everything*."""
        listener, shown = self._site.listener, self._site.shown
        values = [photo if one["type"] == "image" else one["props"].get("value") for one in shown]
        data = [
            1 if one["props"].get("label") == "asked" else value
            for one, value in zip(shown, values, strict=True)
        ]
        await self.queued(
            "gradio_api/queue/join", {"fn_index": listener["id"], "data": data, "session_hash": session}
        )

    def listen(self, session: str) -> Any:
        """What the server sends to an open page."""
        return self.http.stream("GET", "gradio_api/queue/data", params={"session_hash": session})

    async def queued(self, path: str, body: dict[str, Any]) -> str:
        """Get a place in the queue, however often it takes."""
        while True:
            answer = await self.http.post(path, content=json.dumps(body), headers=_JSON)
            if answer.status_code == 200:
                return str(answer.json()["event_id"])
            if answer.status_code != 503:
                raise ValueError(f"HTTP {answer.status_code}: {answer.text[:200]}")
            self._outcome.refusals.append(str(answer.json()["detail"]))
            await asyncio.sleep(0.2)


async def burst(server: Server, site: Site, *, visitors: int, requests: int) -> Outcome:
    """So many requests of so many visitors, each of whom waits for an answer before asking again."""
    outcome, questions = Outcome(), iter([Question(number) for number in range(requests)])

    async def visit() -> None:
        visitor = Visitor(server, site, outcome)
        for question in questions:
            await visitor.ask(question)
        await visitor.http.aclose()

    await asyncio.gather(*(visit() for _ in range(visitors)))
    return outcome


async def with_slow_upload(server: Server, work: Awaitable[Outcome]) -> tuple[Outcome, bool]:
    """What `work` gives, with an upload that lasts longer than it; and whether that was taken in the end."""
    head, photo = (
        b"--x\r\nContent-Disposition: form-data; name=files; filename=slow.png\r\n\r\n",
        Question(0).photo(),
    )
    body = head + photo + b"\r\n--x--\r\n"
    done = asyncio.Event()

    async def slowly() -> bool:
        url = httpx.URL(server.address)
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(
            f"POST /gradio_api/upload HTTP/1.1\r\nHost: {url.host}\r\nConnection: close\r\n"
            f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        for byte in body[:-10]:
            writer.write(bytes([byte]))
            await writer.drain()
            if not done.is_set():
                await asyncio.sleep(2)
        writer.write(body[-10:])
        answer = await reader.read()
        writer.close()
        return b" 200 " in answer.partition(b"\r\n")[0] and b"slow.png" in answer

    upload = asyncio.create_task(slowly())
    outcome = await work
    is_longer = not upload.done()
    done.set()
    return outcome, await upload and is_longer


async def closed_tab(server: Server, site: Site) -> float:
    """Seconds until the place of a visitor who closes the page in the middle of a run is free again."""
    visitor = Visitor(server, site, Outcome())
    photo = await visitor.upload("large.png", Question(507).photo())
    session = secrets.token_hex(5)
    await visitor.join(session, photo)
    async with visitor.listen(session) as lines:
        async for line in lines.aiter_lines():
            if '"process_generating"' in line:
                break
    started = time.perf_counter()
    while _waiting((await visitor.http.get("metrics")).text) > 0 and time.perf_counter() - started < 60:
        await asyncio.sleep(0.05)
    await visitor.call("predict_mask", [photo, None, None, [[1, 1, 30, 30]], False, "nano"])
    await visitor.http.aclose()
    return time.perf_counter() - started


def _waiting(metrics: str) -> float:
    found = re.search(r"^mobilesamv2_waiting (\S+)", metrics, re.MULTILINE)
    return float(found[1]) if found else 0.0


def resident(server: Server) -> float:
    """Memory of the server, in MB."""
    told = Path(f"/proc/{server.process.pid}/status").read_text(encoding="utf-8")
    return int(told.partition("VmRSS:")[2].split()[0]) / 1000


async def measure(server: Server, *, visitors: int, requests: int, warm_up: int = 100) -> dict[str, Any]:
    """One row: a first burst to warm up, the burst that counts with a slow upload beside it, a closed page."""
    site = Site.of(server)
    await burst(server, site, visitors=visitors, requests=warm_up)
    before, started = resident(server), time.perf_counter()
    outcome, slow = await with_slow_upload(server, burst(server, site, visitors=visitors, requests=requests))
    seconds = time.perf_counter() - started
    await asyncio.sleep(1)
    after = resident(server)
    for wrong in outcome.wrong[:5]:
        print(wrong)
    return {
        "visitors": visitors,
        "requests": requests,
        "answered": outcome.answered,
        "lost or mixed up": len(outcome.wrong),
        "sent away by a full queue": len(outcome.refusals),
        **outcome.quantiles(),
        "requests a second": outcome.answered / seconds,
        "memory before, MB": before,
        "growth": f"{100 * (after / before - 1):.1f} %",
        "slow upload taken": "yes" if slow else "no",
        "s until a closed page's place is free": await closed_tab(server, site),
    }


def main() -> None:
    """Measure, print and where asked write the row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=("tiny", "nano"), default="tiny")
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--warm-up", type=int, default=100, help="requests that do not count, before")
    parser.add_argument("--queue", type=int, default=24, help="how many may wait")
    parser.add_argument("--write", action="store_true", help="put the row into docs/reliability.md")
    options = parser.parse_args()
    settings = {"model": options.model, "queue_size": options.queue}
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), **settings) as server:
        numbers = {name: getattr(options, name) for name in ("visitors", "requests", "warm_up")}
        row = asyncio.run(measure(server, **numbers))
    rows = table([{"what": name, options.model: value} for name, value in row.items()])
    print(rows)
    if options.write:
        put(DOCUMENT, "load", rows)


if __name__ == "__main__":
    main()
