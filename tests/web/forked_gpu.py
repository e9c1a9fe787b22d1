"""Stands in for `spaces.GPU`: a call runs in a forked process, and what goes in and comes out is pickled."""

from __future__ import annotations

import functools
import io
import multiprocessing
import pickle
from collections.abc import Callable, Generator
from multiprocessing.connection import Connection
from typing import Any

ALLOWED = ("numpy", "PIL", "builtins", "collections", "copyreg", "mobilesamv2", "gradio.exceptions")
"""Packages of what may cross: plain values, arrays and our own dataclasses of them, and errors as Gradio tells them."""


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        assert module.startswith(ALLOWED), f"{module}.{name} crosses to or from a lent GPU"
        return super().find_class(module, name)


def crossed(value: Any) -> Any:
    """The value as it arrives on the other side."""
    return _Reader(io.BytesIO(pickle.dumps(value))).load()


class ForkedGpu:
    """Called as `spaces.GPU` is; `calls` are the names of the functions that ran, `seconds` what each asked for."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.seconds: list[float] = []

    def __call__(self, *, duration: Callable[..., float]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def lent(function: Callable[..., Generator[Any, None, None]]) -> Callable[..., Any]:
            @functools.wraps(function)
            def running(*arguments: Any) -> Generator[Any, None, None]:
                self.calls.append(function.__name__)
                self.seconds.append(duration(*arguments))
                fork = multiprocessing.get_context("fork")
                here, there = fork.Pipe()
                worker = fork.Process(target=_work, args=(there, function, pickle.dumps(arguments)))
                worker.start()
                there.close()
                try:
                    while (told := _Reader(io.BytesIO(here.recv_bytes())).load())[0] == "item":
                        yield told[1]
                    if told[0] == "error":
                        raise told[1]
                finally:
                    here.close()
                    worker.terminate()
                    worker.join(timeout=30)

            return running

        return lent


def _work(pipe: Connection, function: Callable[..., Any], arguments: bytes) -> None:
    try:
        for item in function(*_Reader(io.BytesIO(arguments)).load()):
            pipe.send_bytes(pickle.dumps(("item", item)))
    except Exception as error:  # noqa: BLE001  # as ZeroGPU does it
        pipe.send_bytes(pickle.dumps(("error", error)))
    else:
        pipe.send_bytes(pickle.dumps(("end", None)))
