"""What a visitor is told where the machine fails: a full disk, no memory, a dead worker."""

from __future__ import annotations

import errno
import functools
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import gradio as gr
import pytest

from mobilesamv2.web import exporting
from mobilesamv2.web.layout.sentences import in_sentences, sentences
from mobilesamv2.web.model_lock import ModelLock
from mobilesamv2.web.sessions import Sessions
from mobilesamv2.web.text import page as text

from .test_exporting import takeable


def test_a_disk_that_is_full_while_masks_are_packed_is_told_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = ZipFile.writestr, []

    def full(archive: ZipFile, name: str, *given: Any, **options: Any) -> None:
        written.append(name)
        if len(written) > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(archive.filename))
        write(archive, name, *given, **options)

    monkeypatch.setattr(ZipFile, "writestr", full)
    with pytest.raises(gr.Error) as told:
        list(in_sentences(exporting.pack)(takeable(), ("masks", "coco"), tmp_path))
    assert told.value.message == text.NO_ROOM
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_one_sentence(number: int) -> None:
    with pytest.raises(gr.Error) as told, sentences():
        raise OSError(number, os.strerror(number), "/somewhere/secret")
    assert told.value.message == text.NO_ROOM


def test_no_memory_on_the_machine_is_one_sentence() -> None:
    with pytest.raises(gr.Error) as told, sentences():
        raise MemoryError("Unable to allocate 8.00 GiB")
    assert told.value.message == text.NO_MEMORY


def in_a_worker(
    function: Callable[..., Generator[Any, None, None]],
) -> Callable[..., Generator[Any, None, None]]:
    """Stands in for a lent GPU: each run is a process of its own, whose number comes first."""

    @functools.wraps(function)
    def lent(*arguments: Any) -> Generator[Any, None, None]:
        ours, theirs = multiprocessing.Pipe()

        def work() -> None:
            for item in function(*arguments):
                theirs.send(item)
            theirs.send(None)

        process = multiprocessing.get_context("fork").Process(target=work, daemon=True)
        process.start()
        theirs.close()
        yield process.pid
        try:
            while (item := ours.recv()) is not None:
                yield item
        except EOFError as error:
            raise RuntimeError("The worker has died.") from error
        finally:
            process.kill()
            process.join()

    return lent


def test_a_worker_that_dies_is_told_and_the_next_run_has_its_turn() -> None:
    lock = ModelLock()

    def count(last: int) -> Generator[int, None, None]:
        for number in range(last):
            yield number
            time.sleep(0.02)

    def run(last: int) -> Generator[Any, None, None]:
        return lock.run(lambda: in_sentences(in_a_worker(count))(last))

    doomed = run(1000)
    worker = next(doomed)
    assert next(doomed) == 0
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(gr.Error) as told:
        list(doomed)
    assert told.value.message == text.UNEXPECTED
    assert list(run(3))[1:] == [0, 1, 2]


def test_a_clock_that_jumps_ends_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Sessions(most=4, most_bytes=10**6, seconds=3600)
    session = kept.of("ann")
    now = time.time
    for jump in (10 * 365 * 86_400, -10 * 365 * 86_400):
        monkeypatch.setattr(time, "time", lambda jump=jump: now() + jump)
        assert kept.of("ann") is session
