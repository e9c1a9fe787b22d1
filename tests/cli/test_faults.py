"""`mobilesamv2 segment` killed in the middle, on a full disk, and where weights are damaged while they are used."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import save_file

import mobilesamv2
from mobilesamv2.cli import main
from mobilesamv2.errors import WeightsError
from mobilesamv2.segmenter import Segmenter
from mobilesamv2.weights import read_state_dict
from mobilesamv2.weights.load import load_strictly
from tests.tiny import picture, tiny_sam, tiny_segmenter

from .conftest import saved

SLOWLY = """if True:
    import sys, time
    import mobilesamv2
    from mobilesamv2 import export
    from mobilesamv2.cli import main
    from tests.tiny import tiny_segmenter

    def load(name, **options):
        segmenter = tiny_segmenter()
        segmenter.name = "nano"
        return segmenter

    def write(*given, **options):  # stopped here, between two photographs or within the next
        write_result(*given, **options)
        print("written", flush=True)
        time.sleep(0.05)

    mobilesamv2.load, write_result, export.write_result = load, export.write_result, write
    sys.exit(main(sys.argv[1:]))
"""


def named_nano(monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = tiny_segmenter()
    segmenter.name = "nano"
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **options: segmenter)


def files(folder: Path) -> dict[str, bytes]:
    """Pictures that a run has written: they have no times in them."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.png"))}


def test_a_run_that_is_killed_goes_on_and_gives_what_an_undisturbed_one_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        saved(tmp_path / "in" / f"{number}.png", seed=number)
    command = ["segment", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "summary.json").write_text('{"photos": "of the run before"}')
    with subprocess.Popen([sys.executable, "-c", SLOWLY, *command], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if line == "written\n":
                break
        time.sleep(0.02)
        running.send_signal(signal.SIGKILL)
    done = sorted((tmp_path / "out").glob("*/masks.json"))
    assert 1 <= len(done) < 6
    assert not (tmp_path / "out" / "summary.json").exists()
    for path in done:
        json.loads(path.read_text(encoding="utf-8"))  # whole where it is there
    named_nano(monkeypatch)
    assert main([*command, "--resume"]) == 0
    assert main(["segment", str(tmp_path / "in"), "-o", str(tmp_path / "undisturbed")]) == 0
    assert files(tmp_path / "out") == files(tmp_path / "undisturbed")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [photo["folder"] for photo in summary["photos"]] == [str(number) for number in range(6)]


def test_a_full_disk_fails_one_photograph_in_a_sentence_and_leaves_nothing_half(
    tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        saved(tmp_path / "in" / f"{name}.png")
    replace, room = os.replace, iter([True, False, *[True] * 9])

    def replaced(source: Path, target: Path) -> None:
        if not next(room):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", replaced)
    assert main(["segment", str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 1
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [photo["folder"] for photo in summary["photos"]] == ["b"]
    (failure,) = summary["failures"]
    assert "No space left on device" in failure["error"]
    assert not (tmp_path / "out" / "a" / "masks.json").exists()
    assert not list((tmp_path / "out").rglob(".*.part"))
    assert "Traceback" not in capsys.readouterr().err


def test_a_photograph_without_enough_memory_fails_in_a_sentence_and_the_others_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        saved(tmp_path / "in" / f"{name}.png")
    segmenter, errors = tiny_segmenter(), iter([MemoryError("Unable to allocate 8.00 GiB"), None])
    segment_everything = segmenter.segment_everything

    def short(*given: Any, **options: Any) -> Any:
        if error := next(errors):
            raise error
        return segment_everything(*given, **options)

    monkeypatch.setattr(segmenter, "segment_everything", short)
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **options: segmenter)
    assert main(["segment", str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 1
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [photo["folder"] for photo in summary["photos"]] == ["b"]
    assert "not enough memory" in summary["failures"][0]["error"]


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_a_weights_file_that_is_damaged_while_a_model_runs_changes_nothing_for_it(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"tiny.{suffix}"
    if suffix == "pt":
        import torch

        torch.save(tiny_sam().state_dict(), path)
    else:
        save_file(tiny_sam().state_dict(), path)
    network = tiny_sam()
    load_strictly(network, read_state_dict(path), source=str(path))
    segmenter = Segmenter(network, name="tiny")
    embedding = segmenter.encode(picture())
    before = segmenter.predict(embedding, boxes=[[2, 3, 40, 30]])
    content = path.read_bytes()
    with path.open("r+b") as file:  # the same file, so that what is mapped of it changes
        file.write(np.random.default_rng(0).bytes(len(content)))
    after = segmenter.predict(segmenter.encode(picture()), boxes=[[2, 3, 40, 30]])
    assert after.rles == before.rles
    with path.open("r+b") as file:
        file.truncate(100)
    assert segmenter.predict(segmenter.encode(picture()), boxes=[[2, 3, 40, 30]]).rles == before.rles
    with pytest.raises(WeightsError, match="damaged"):
        read_state_dict(path)
    shutil.rmtree(tmp_path)  # even gone
    assert segmenter.predict(embedding, boxes=[[2, 3, 40, 30]]).rles == before.rles
