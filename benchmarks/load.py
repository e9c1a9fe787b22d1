"""Many visitors at once on a page of this machine: python -m benchmarks.load

Each answer is checked against its question (`visitors.py`). A visitor who finds the queue full waits a moment and asks
again. Meanwhile one more visitor sends a photo very slowly, and one closes the page in the middle of a run. At the end
some visitors press the page's button again and again, `--runs` times in all, to see whether memory grows.

By default on a tiny model with random weights: what is measured is the server, not a model. `--model nano` takes the
embedded one. The client shares the machine's cores with the server.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from tests.hostile.server import SETTINGS, Server, running

from .harness import table
from .tables import put
from .visitors import LOST_AFTER, Outcome, Question, Site, Visitor

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"


async def burst(
    server: Server,
    site: Site,
    *,
    visitors: int,
    requests: int,
    ask: Callable[[Visitor, Question], Awaitable[None]] = Visitor.ask,
) -> Outcome:
    """So many requests of so many visitors, each of whom waits for an answer before asking again."""
    outcome, questions = Outcome(), iter([Question(number) for number in range(requests)])

    async def visit() -> None:
        visitor = Visitor(server, site, outcome)
        for question in questions:
            await ask(visitor, question)
        await visitor.http.aclose()

    await asyncio.gather(*(visit() for _ in range(visitors)))
    return outcome


async def with_slow_upload(server: Server, work: Awaitable[Outcome]) -> tuple[Outcome, bool]:
    """What `work` gives, with an upload that lasts longer than it; and whether that was taken in the end."""
    head = b"--x\r\nContent-Disposition: form-data; name=files; filename=slow.png\r\n\r\n"
    body = head + secrets.token_bytes(4096) + b"\r\n--x--\r\n"  # two hours of it
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
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), 2)
        writer.write(body[-10:])
        answer = await reader.read()
        writer.close()
        return b" 200 " in answer.partition(b"\r\n")[0] and b"slow.png" in answer

    upload = asyncio.create_task(slowly())
    outcome = await work
    is_longer = not upload.done()
    done.set()
    try:
        async with asyncio.timeout(60):
            return outcome, await upload and is_longer
    except OSError:  # the connection was cut, or it took too long
        return outcome, False


async def closed_tab(server: Server, site: Site) -> float:
    """Seconds until the place of a visitor who closes the page in the middle of a run is free again."""
    visitor = Visitor(server, site, Outcome())
    photo = await visitor.upload("large.png", Question(507).photo())
    session = secrets.token_hex(5)
    async with asyncio.timeout(LOST_AFTER):
        await visitor.join(session, photo)
        async with visitor.listen(session) as lines:
            async for line in lines.aiter_lines():
                if '"process_generating"' in line or '"process_completed"' in line:
                    break
        started = time.perf_counter()
        while _waiting((await visitor.http.get("metrics")).text) > 0:
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


async def memory_after_runs(server: Server, site: Site, *, runs: int) -> dict[str, Any]:
    """What the page's own button leaves behind: memory before and after so many runs of four visitors.

    Something is kept of the last visitors, so first as many come as are remembered, and do not count.
    """
    await burst(server, site, visitors=4, requests=min(runs, SETTINGS.most_sessions), ask=Visitor.press)
    before = resident(server)
    outcome = await burst(server, site, visitors=4, requests=runs, ask=Visitor.press)
    await asyncio.sleep(1)
    after = resident(server)
    return {
        "runs afterwards": f"{outcome.answered} of {runs}",
        "memory before and after them, MB": f"{before:.0f}, {after:.0f}",
        "growth by them": f"{100 * (after / before - 1):.1f} %",
    }


async def measure(server: Server, *, visitors: int, requests: int, warm_up: int = 100, runs: int = 0) -> dict[str, Any]:
    """One row: a first burst to warm up, the burst that counts with a slow upload beside it, a closed page, runs."""
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
        "memory before and after, MB": f"{before:.0f}, {after:.0f}",
        "slow upload taken": "yes" if slow else "no",
        "s until a closed page's place is free": await closed_tab(server, site),
        **(await memory_after_runs(server, site, runs=runs) if runs else {}),
    }


def main() -> None:
    """Measure, print and where asked write the row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=("tiny", "nano"), default="tiny")
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--warm-up", type=int, default=100, help="requests that do not count, before")
    parser.add_argument("--runs", type=int, default=500, help="of the page's button, for the growth of memory")
    parser.add_argument("--queue", type=int, default=24, help="how many may wait")
    parser.add_argument("--write", action="store_true", help="put the row into docs/reliability.md")
    options = parser.parse_args()
    settings = {"model": options.model, "queue_size": options.queue}
    numbers = {name: getattr(options, name) for name in ("visitors", "requests", "warm_up", "runs")}
    others = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), **settings) as server:
        row = asyncio.run(measure(server, **numbers))
    rows = table([{"what": name, options.model: value} for name, value in row.items()])
    print(rows)
    if options.write:
        asked = [f"--{name.replace('_', '-')} {value}" for name, value in (numbers | settings).items()]
        command = " ".join(["python -m benchmarks.load", *asked]).replace("--queue-size", "--queue")
        where = f"On {os.cpu_count()} cores that {others:.1f} other programs wanted when it began (load average):"
        put(DOCUMENT, "load", f"\n    {command}\n\n{where}\n\n{rows}\n")


if __name__ == "__main__":
    main()
