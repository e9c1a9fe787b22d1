"""How the page is served: its settings, its address, its styles."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

from gradio.route_utils import delete_files_created_by_app
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ...errors import MobileSamError
from .. import metrics
from ..settings import Settings
from ..source import source_archive
from ..text import programs as text
from .headers import Headers
from .inputs import Demo
from .sentences import NOT_THERE, broken_off, no_upload, not_found
from .theme import THEME
from .upkeep import Upkeep

log = logging.getLogger(__name__)

QUEUE_SECONDS = 0.01
"""Between two looks of Gradio for something to do; its own thousandth takes 6 % of a core from a page at rest."""
PAGES_PER_SESSION = 4
"""Pages of which Gradio keeps what their components are, for each session of ours: half a megabyte each, of 10,000
pages unless told otherwise. A page of which it is dropped goes on with the components as they were at first."""
_WEB = Path(__file__).parents[1]


def launch(
    demo: Demo,
    settings: Settings,
    *,
    host: str | None = None,
    port: int | None = None,
    share: bool = False,
    block: bool = True,
) -> str:
    """Serve `demo` and print its address.

    Args:
        host, port: override `GRADIO_SERVER_NAME` and `GRADIO_SERVER_PORT`; by default 127.0.0.1 and the first
            free port from 7860.
        share: also at a public address, through servers of Gradio's makers.
        block: until interrupted; otherwise return the address at once.

    Raises:
        MobileSamError: if the port is taken, or is no number.
    """
    _log_requests()
    demo.health.start()
    # Without `api_open=False` a program could ask past the queue, and so without its limit.
    demo.queue(max_size=settings.queue_size, default_concurrency_limit=1, api_open=False)
    demo._queue.sleep_when_free = QUEUE_SECONDS
    most_pages = PAGES_PER_SESSION * settings.most_sessions
    upkeep = Upkeep(demo, most_unread=most_pages, keep_seconds=settings.keep_seconds)
    try:
        _, address, _ = demo.launch(
            prevent_thread_lock=not block,
            server_name=host,
            server_port=port,
            share=share,
            app_kwargs={
                "routes": _beside(demo),
                "lifespan": upkeep.lifespan,
                "middleware": [Middleware(Headers, frames=settings.frames)],
                "exception_handlers": {
                    **dict.fromkeys(NOT_THERE, not_found),
                    TypeError: no_upload,
                    ClientDisconnect: broken_off,
                },
            },
            theme=THEME,
            css_paths=styles(),
            max_file_size=settings.upload_bytes,
            state_session_capacity=most_pages,
            allowed_paths=[] if settings.source_url else [str(source_archive())],
            footer_links=["api", "settings"],
            run_history=False,
            enable_monitoring=False,
            mcp_server=serves_mcp(),
            ssr_mode=False,
            pwa=False,
        )
    except OSError as error:
        raise MobileSamError(f"The page cannot be served: {error}") from error
    if block:
        demo.stop_runs()
        delete_files_created_by_app(demo, None)  # Gradio does so itself only where no page is open any more
    return str(address)


def _beside(demo: Demo) -> list[Route]:
    """What is served beside the page: whether it is ready, and numbers for Prometheus."""

    def health(_: Request) -> Response:
        return PlainTextResponse(demo.health.status, status_code=200 if demo.health.is_ready else 503)

    def numbers(_: Request) -> Response:
        return Response(demo.metrics.page(), media_type=metrics.FORMAT)

    return [Route("/health", health), Route("/metrics", numbers)]


def _log_requests() -> None:
    """Write one line of each request to the standard error stream, unless the program has set its logs up itself."""
    requests = logging.getLogger(metrics.__name__)
    if not requests.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        requests.addHandler(handler)
        requests.setLevel(logging.INFO)
        requests.propagate = False


def serves_mcp() -> bool:
    """Whether programs can talk to the page by MCP; where a package for that is missing, the log says so."""
    if importlib.util.find_spec("mcp") is not None:
        return True
    log.warning(text.MCP_MISSING)
    return False


def styles() -> list[Path]:
    """The style sheets: the page's own first, then one for each tab."""
    return sorted((_WEB / "styles").glob("*.css"), key=lambda path: (path.stem != "page", path.stem))


def script(name: str) -> str:
    """The text of one of the page's scripts."""
    return (_WEB / "scripts" / f"{name}.js").read_text(encoding="utf-8")
