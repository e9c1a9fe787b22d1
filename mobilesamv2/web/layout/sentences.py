"""Errors as sentences for visitors: never a traceback, never a secret."""

from __future__ import annotations

import errno
import functools
import logging
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any, TypeVar

import gradio as gr
from gradio.route_utils import FnIndexInferError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ...errors import MobileSamError
from ..text import page as text

log = logging.getLogger(__name__)

Yields = TypeVar("Yields")


_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


def refused(sentence_html: str) -> gr.Error:
    """The error that brings a sentence to visitors and programs, and no traceback to the log."""
    return gr.Error(sentence_html, title="That did not work", print_exception=False)


@contextmanager
def sentences() -> Iterator[None]:
    """Turn errors into what a visitor is told: our own as they are, all others into one sentence and a log entry."""
    try:
        yield
    except gr.Error:
        raise
    except MobileSamError as error:
        # Gradio shows the message as HTML; programs get it too, and to them an escaped quote is noise.
        raise refused(escape(str(error), quote=False)) from error
    except MemoryError as error:
        log.warning("A run had no memory left.")
        raise refused(text.NO_MEMORY) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            log.warning("The disk is full.")
            raise refused(text.NO_ROOM) from error
        # Not what it says: that may be the name of a visitor's file.
        places = "".join(traceback.format_tb(error.__traceback__))
        log.error("A run failed unexpectedly: %s\n%s", type(error).__name__, places)
        raise refused(text.UNEXPECTED) from error


def not_found(request: Request, error: Exception) -> JSONResponse:
    """The answer to a call of something that is not there: an endpoint, a listener, a component."""
    log.info("A call of what is not there: %s %s", request.method, type(error).__name__)
    return JSONResponse({"detail": text.NOT_THERE}, status_code=404)


NOT_THERE = (FnIndexInferError, KeyError)
"""What Gradio's own routes raise for a wrong name or number; without a handler that is a traceback and no answer."""


def no_upload(request: Request, error: Exception) -> JSONResponse:
    """The answer to an upload whose form names no file."""
    if not request.url.path.endswith("/upload"):
        raise error
    return JSONResponse({"detail": text.NO_UPLOAD}, status_code=400)


def broken_off(request: Request, error: Exception) -> Response:
    """The answer that nobody hears: the sender went away in the middle. No traceback in the log."""
    return Response(status_code=400)


def in_sentences(
    function: Callable[..., Iterator[Yields]],
) -> Callable[..., Generator[Yields, None, None]]:
    """A generator whose errors are `sentences`."""

    @functools.wraps(function)
    def told(*arguments: Any, **options: Any) -> Generator[Yields, None, None]:
        with sentences():
            yield from function(*arguments, **options)

    return told
