"""Visitors of a page: what they ask, and whether an answer belongs to its question.

Every photo has a size, and every request a number of prompts, that no other one has: by that each answer is checked.
"""

from __future__ import annotations

import asyncio
import io
import json
import math
import re
import secrets
import statistics
import time
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
from PIL import Image

from tests.hostile.client import last_event
from tests.hostile.server import Server

LOST_AFTER = 300
"""Seconds after which a request without an answer counts as lost."""
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
        every = [second for seconds in self.seconds.values() for second in seconds]
        if len(every) < 2:
            return dict.fromkeys(("p50, s", "p95, s", "p99, s"), math.nan)
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
        await self.judged(question, kinds[question.number % len(kinds)])

    async def press(self, question: Question) -> None:
        """The same by the page's own button, whatever the question's number is."""
        await self.judged(question, self._page)

    async def judged(self, question: Question, kind: Callable[[Question, Any], Awaitable[bool]]) -> None:
        """Note how long one request took, or what was wrong with it."""
        try:
            async with asyncio.timeout(LOST_AFTER):
                sent = await self.upload(question.name, question.photo())
                started = time.perf_counter()
                is_right = await kind(question, sent)
        except (httpx.HTTPError, zipfile.BadZipFile, OSError, LookupError, TypeError, ValueError) as error:
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
        (_, record) = await self.call("predict_mask", [sent, None, None, [[1, 1, 30, 30]] * count, False, "nano"])
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
        name, values = last_event(told)
        if name != "complete":
            raise ValueError(told[-200:])
        return list(values)

    async def join(self, session: str, photo: Any) -> None:
        """Press the button of *Segment everything*."""
        listener, shown = self._site.listener, self._site.shown
        values = [photo if one["type"] == "image" else one["props"].get("value") for one in shown]
        data = [1 if one["props"].get("label") == "asked" else value for one, value in zip(shown, values, strict=True)]
        await self.queued("gradio_api/queue/join", {"fn_index": listener["id"], "data": data, "session_hash": session})

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
