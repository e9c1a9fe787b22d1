"""How the page is served: its settings, its address, its styles."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

import gradio as gr

from ...errors import MobileSamError
from ..settings import Settings
from ..source import source_archive
from ..text import programs as text
from .theme import THEME

log = logging.getLogger(__name__)

_WEB = Path(__file__).parents[1]


def launch(
    demo: gr.Blocks,
    settings: Settings,
    *,
    host: str | None = None,
    port: int | None = None,
    block: bool = True,
) -> str:
    """Serve `demo` and print its address.

    Args:
        host, port: override `GRADIO_SERVER_NAME` and `GRADIO_SERVER_PORT`; by default 127.0.0.1 and the first
            free port from 7860.
        block: until interrupted; otherwise return the address at once.

    Raises:
        MobileSamError: if the port is taken, or is no number.
    """
    demo.queue(max_size=settings.queue_size, default_concurrency_limit=1)
    try:
        _, address, _ = demo.launch(
            prevent_thread_lock=not block,
            server_name=host,
            server_port=port,
            theme=THEME,
            css_paths=styles(),
            max_file_size=settings.upload_bytes,
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
    return str(address)


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
