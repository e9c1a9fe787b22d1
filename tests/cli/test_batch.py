"""The command for folders of millions: its options, its sentences, and one run on this machine."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mobilesamv2.batch.run import Tally
from mobilesamv2.cli import batch, main
from mobilesamv2.cli.batch import progress_of, summary_of
from tests.batch.clusters import ROOT, place_for_ray, wait_for

from .conftest import saved


def test_without_ray_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("ray", "ray.data"):
        monkeypatch.setitem(sys.modules, module, None)
    photo = str(saved(tmp_path / "a.png"))
    assert main(["batch", photo, "-o", str(tmp_path / "out")]) == 1
    assert 'pip install -e ".[batch]"' in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--device", "cuda:1"], "Each worker is given a GPU of its own"),
        (["--model", "none"], 'There is no model "none"'),
        (["--sampler", "dots"], "There is no sampler 'dots'"),
    ],
)
def test_wrong_options_are_told_before_anything_begins(
    options: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["batch", "none", "-o", str(tmp_path / "out"), *options]) == 1
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_no_other_command_imports_ray() -> None:
    code = "import sys, mobilesamv2.cli, mobilesamv2.cli.batch, mobilesamv2.batch.run; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"ray", "pyarrow", "fsspec.spec"}.isdisjoint(run.stdout.split())


def test_progress_and_summary_are_sentences() -> None:
    tally = Tally(total=100_000, done=1280, errors=3, seconds=100.0, done_before=5, errors_before=1)
    assert progress_of(tally) == "1,280 of 100,000 pictures, 12.8 per second, 2:08:32 left, 3 errors"
    assert progress_of(Tally(total=1)) == "0 of 1 picture, 0.0 per second, 0 errors"
    assert summary_of(tally, "out") == (
        "Stopped; the same command goes on. 1,280 pictures in 0:01:40 (12.8 per second), 5 before; "
        "4 errors; results in out"
    )


def test_what_results_depend_on_is_kept_and_what_they_do_not_is_not(tmp_path: Path) -> None:
    def about(*options: str) -> dict[str, object]:
        parser_options = ["batch", "a", "-o", "b", *options]
        namespace = _parsed(parser_options)
        return batch._plan_of(namespace)[0].about

    assert about("--workers", "3", "--device", "cpu", "--part-size", "9") == about()
    for options in (["--model", "mobilesam"], ["--min-area", "1"], ["--label-maps"], ["--max-prompts", "9"]):
        assert about(*options) != about()


def _parsed(arguments: list[str]) -> argparse.Namespace:
    from mobilesamv2.cli import _parser

    return _parser().parse_args(arguments)


def test_a_run_on_this_machine_that_is_stopped_leaves_a_summary_and_no_process(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    for number in range(24):
        saved(tmp_path / "in" / f"{number}.png", seed=number)
    output = tmp_path / "out"
    arguments = [
        str(tmp_path / "in"),
        "-o",
        str(output),
        "--max-prompts",
        "4",
        "--workers",
        "1",
        "--label-maps",
    ]
    command = [sys.executable, "-m", "mobilesamv2", "batch", *arguments]
    with place_for_ray() as environment:
        run = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            wait_for(lambda: list(output.glob("results/*.parquet")) or run.poll() is not None)
            os.kill(run.pid, signal.SIGTERM)
            printed, complaints = run.communicate(timeout=120)
        finally:
            run.kill()  # no more than a precaution
    assert run.returncode == 130, complaints
    assert "Stopped; the same command goes on." in printed
    summary = json.loads((output / "summary.json").read_text())
    assert not summary["is_complete"]
    assert summary["workers"] == 1
    assert list(output.glob("label_maps/*/*.png"))
    assert "Traceback" not in complaints
