"""The command line as a program, on the embedded model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from .conftest import saved

ROOT = Path(__file__).resolve().parents[2]
COFFEE = ROOT / "examples" / "images" / "coffee.png"


@pytest.fixture(scope="module")
def segmented(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One run of the program on a broken photograph, a text, a real photograph and a folder."""
    folder = tmp_path_factory.mktemp("program")
    (folder / "broken.jpg").write_bytes(COFFEE.read_bytes()[:3000])
    (folder / "notes.jpg").write_text("not a picture")
    saved(folder / "more" / os.fsdecode(b"tiny\xe9.png"))  # a name that is no UTF-8
    photos = [folder / "broken.jpg", folder / "notes.jpg", COFFEE, folder / "more"]
    arguments = [*map(str, photos), "-o", str(folder / "out")]
    return _program("segment", *arguments, "--max-prompts", "12"), folder / "out"


def _program(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "mobilesamv2", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        check=False,
    )


def test_the_program_segments_a_real_photograph(
    segmented: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    run, out = segmented
    with Image.open(COFFEE) as photo:
        width, height = photo.size
    content = json.loads((out / "coffee" / "masks.json").read_text())
    assert content["image"] == {
        "file_name": "coffee.png",
        "width": width,
        "height": height,
        "scaled_to_own_range": False,
    }
    assert content["model"] == "nano"
    assert 0 < content["prompts"] <= 12
    assert len(content["annotations"]) > 0
    for name in ("overlay.png", "label_map.png"):
        with Image.open(out / "coffee" / name) as image:
            assert image.size == (width, height)
    assert "coffee: " in run.stdout
    assert "tiny_: " in run.stdout


def test_the_program_goes_on_after_a_failure_and_says_so_in_its_exit_code(
    segmented: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    run, out = segmented
    assert run.returncode == 1
    lines = run.stderr.strip().splitlines()
    for line, name in zip(lines, ("broken.jpg", "notes.jpg"), strict=True):
        assert line.startswith("mobilesamv2: ")
        assert name in line
    summary = json.loads((out / "summary.json").read_text())
    assert [photo["folder"] for photo in summary["photos"]] == ["coffee", "tiny_"]
    assert len(summary["failures"]) == 2


def test_the_program_shows_help_without_loading_torch() -> None:
    code = "import sys, mobilesamv2.cli as c\ntry: c.main(['--help'])\nexcept SystemExit: pass\n"
    check = code + "print('torch' in sys.modules or 'gradio' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "compare" in run.stdout
    assert run.stdout.strip().endswith("False")
