"""The command line: in this process on a tiny model, and as a program on the embedded one."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

import mobilesamv2
from mobilesamv2.cli import main
from mobilesamv2.cli.photos import find_photos
from mobilesamv2.cli.table import table
from mobilesamv2.prompts import MaskFilters
from mobilesamv2.types import STAGES
from tests.tiny import picture, tiny_segmenter

ROOT = Path(__file__).resolve().parent.parent
COFFEE = ROOT / "examples" / "images" / "coffee.png"


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name loads the tiny model."""
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **options: tiny_segmenter())


def _save(path: Path, *, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(seed=seed)).save(path, format="PNG")
    return path


def _names(paths: list[Path], **options: object) -> list[str]:
    return [photo.name for photo in find_photos(paths, **options)[0]]


# Which photographs, under which names


def test_a_folder_stands_for_its_photographs_in_order(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "c.webp"):
        _save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no photograph")
    _save(tmp_path / ".hidden.png")
    _save(tmp_path / "deeper" / "d.png")
    assert _names([tmp_path]) == ["a", "b", "c"]


def test_folders_within_folders_are_searched_on_request(tmp_path: Path) -> None:
    _save(tmp_path / "a.png")
    _save(tmp_path / "deeper" / "d.png")
    assert _names([tmp_path], recursive=True) == ["a", "d"]


def test_earlier_results_are_no_photographs(tmp_path: Path) -> None:
    _save(tmp_path / "a.png")
    _save(tmp_path / "out" / "a" / "overlay.png")
    assert _names([tmp_path], recursive=True, output=tmp_path / "out") == ["a"]


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("output", [".", ".."])
def test_results_may_go_beside_or_above_the_photographs(tmp_path: Path, output: str, recursive: bool) -> None:
    photos = tmp_path / "photos"
    _save(photos / "a.png")
    _save(photos / "a" / "overlay.png")
    (photos / "a" / "masks.json").write_text("{}")
    assert _names([photos], recursive=recursive, output=photos / output) == ["a"]


def test_a_name_that_is_too_long_fails_alone(tmp_path: Path) -> None:
    good, long = _save(tmp_path / "a.png"), tmp_path / ("a" * 300)
    photos, failures = find_photos([long, good])
    assert [photo.path for photo in photos] == [good]
    assert failures == [(long, f"{long}: File name too long.")]


def test_photographs_of_one_name_get_a_folder_each(tmp_path: Path) -> None:
    paths = [
        _save(tmp_path / "x" / "photo.png"),
        _save(tmp_path / "y" / "photo.png"),
        _save(tmp_path / "y" / "PHOTO.jpg"),
        _save(tmp_path / "y" / "photo-2.png"),
    ]
    names = _names(paths)
    assert names == ["photo", "photo-2", "PHOTO-3", "photo-2-2"]
    assert len({name.casefold() for name in names}) == 4


def test_a_photograph_that_is_named_twice_is_done_once(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.png")
    assert _names([path, tmp_path, path]) == ["a"]


@pytest.mark.parametrize("name", ["summary.json.png", "..png", ". .png"])
def test_no_photograph_takes_the_place_of_other_output(tmp_path: Path, name: str) -> None:
    (folder,) = _names([_save(tmp_path / name)])
    assert folder not in ("summary.json", "", ".", "..")


# segment


def test_segment_writes_every_photograph_and_a_summary(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _save(tmp_path / "in" / "a.png")
    _save(tmp_path / "in" / "b.png", seed=1)
    assert main(["segment", str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 0
    for name in ("a", "b"):
        files = {path.name for path in (tmp_path / "out" / name).iterdir()}
        assert files == {"masks.json", "overlay.png", "label_map.png"}
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["failures"] == []
    assert [photo["folder"] for photo in summary["photos"]] == ["a", "b"]
    first = summary["photos"][0]
    assert (first["width"], first["height"]) == (60, 40)
    assert (first["model"], first["sampler"]) == ("tiny", "object-aware")
    assert first["device"].startswith("CPU")
    assert first["prompts"] == 3
    assert first["masks"] == len(
        json.loads((tmp_path / "out" / "a" / "masks.json").read_text())["annotations"]
    )
    assert set(first["seconds"]) == set(STAGES)
    assert "a: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"boxes": ()}, "no objects found, try --sampler grid"),
        ({"grid_filters": MaskFilters(predicted_iou=9)}, "no mask passed the filters"),
    ],
)
def test_a_photograph_without_masks_is_a_result_and_a_hint(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: dict[str, Any],
    hint: str,
) -> None:
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **_: tiny_segmenter(**options))
    sampler = "object-aware" if "boxes" in options else "grid"
    photo = str(_save(tmp_path / "a.png"))
    assert (
        main(["segment", photo, "-o", str(tmp_path / "out"), "--sampler", sampler, "--max-prompts", "4"]) == 0
    )
    assert hint in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "a" / "masks.json").read_text())["annotations"] == []


def test_a_failed_photograph_does_not_stop_the_others(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"not a picture")
    good = _save(tmp_path / "b.png")
    missing = tmp_path / "missing.jpg"
    arguments = [str(tmp_path / "a.jpg"), str(missing), str(good), "-o", str(tmp_path / "out")]
    assert main(["segment", *arguments]) == 1
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [photo["folder"] for photo in summary["photos"]] == ["b"]
    assert {failure["photo"] for failure in summary["failures"]} == {str(tmp_path / "a.jpg"), str(missing)}
    errors = capsys.readouterr().err
    assert f"There is no file {missing}." in errors
    assert "a.jpg is not a picture that can be read" in errors
    assert "Traceback" not in errors


def test_a_folder_without_photographs_is_a_failure(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    assert main(["segment", str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 1
    assert "holds no photographs" in capsys.readouterr().err


def test_one_photograph_that_cannot_be_written_is_a_failure(tiny: None, tmp_path: Path) -> None:
    photos = [str(_save(tmp_path / "in" / name)) for name in ("a.png", "b.png")]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("a file where the folder should be")
    assert main(["segment", *photos, "-o", str(tmp_path / "out")]) == 1
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [photo["folder"] for photo in summary["photos"]] == ["b"]
    assert summary["failures"][0]["photo"] == photos[0]


def test_results_replace_earlier_ones(tiny: None, tmp_path: Path) -> None:
    photo = str(_save(tmp_path / "a.png"))
    for prompts in (3, 1):
        assert main(["segment", photo, "-o", str(tmp_path / "out"), "--max-prompts", str(prompts)]) == 0
        content = json.loads((tmp_path / "out" / "a" / "masks.json").read_text())
        assert content["prompts"] == prompts


def test_the_grid_has_its_own_option(tiny: None, tmp_path: Path) -> None:
    photo = str(_save(tmp_path / "a.png"))
    options = ["--sampler", "grid", "--points-per-side", "3"]
    assert main(["segment", photo, "-o", str(tmp_path / "out"), *options]) == 0
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["photos"][0]["prompts"] == 9


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--sampler", "psychic"], "no sampler 'psychic'. Known: object-aware, grid"),
        (["--points-per-side", "3"], "points_per_side belongs to grid search"),
    ],
)
def test_options_that_make_no_sense_end_in_a_sentence(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    photo = str(_save(tmp_path / "a.png"))
    assert main(["segment", photo, "-o", str(tmp_path / "out"), *options]) == 1
    assert sentence in capsys.readouterr().err


def test_an_unknown_model_lists_the_known_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = str(_save(tmp_path / "a.png"))
    assert main(["segment", photo, "-o", str(tmp_path / "out"), "--model", "giant"]) == 1
    errors = capsys.readouterr().err
    for name in ("giant", *mobilesamv2.models()):
        assert name in errors


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["segment", "a.png"],
        ["segment", "a.png", "-o", "out", "--max-prompts", "0"],
        ["segment", "a.png", "-o", "out", "--max-prompts", "many"],
        ["paint"],
        ["serve", "--port", "70000"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert "usage: mobilesamv2" in capsys.readouterr().err


def test_an_output_that_cannot_be_made_is_a_sentence(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = _save(tmp_path / "a.png")
    assert main(["segment", str(photo), "-o", str(photo)]) == 1
    assert capsys.readouterr().err == f"mobilesamv2: {photo}: File exists.\n"


def test_an_interrupt_keeps_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    segmenter = tiny_segmenter()
    original, calls = segmenter.segment_everything, []

    def interrupted(*arguments: object, **options: object) -> object:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(segmenter, "segment_everything", interrupted)
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **options: segmenter)
    photos = [str(_save(tmp_path / name)) for name in ("a.png", "b.png", "c.png")]
    assert main(["segment", *photos, "-o", str(tmp_path / "out")]) == 130
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [photo["folder"] for photo in summary["photos"]] == ["a"]
    assert "Traceback" not in capsys.readouterr().err


# The other commands


def test_compare_prints_an_aligned_table_and_writes_pictures(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = _save(tmp_path / "a.png")
    options = ["--max-prompts", "2", "--points-per-side", "3"]
    assert main(["compare", str(photo), "-o", str(tmp_path / "out"), *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    head, grid, aware = lines[1:4]
    assert head.split()[:2] == ["sampler", "prompts"]
    assert grid.split()[:2] == ["grid", "9"]
    assert aware.split()[:2] == ["object-aware", "2"]
    assert len(head) == len(grid) == len(aware)
    assert (tmp_path / "out" / "comparison.json").is_file()
    assert len(list((tmp_path / "out").glob("*.png"))) == 4


def test_compare_takes_any_two_samplers_and_budgets(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = ["--first", "grid:2", "--second", "grid", "--points-per-side", "3"]
    assert main(["compare", str(_save(tmp_path / "a.png")), "-o", str(out), *options]) == 0
    _, _, first, second, verdict = capsys.readouterr().out.splitlines()
    assert (first.split()[:2], second.split()[:2]) == (["grid:2", "4"], ["grid:3", "9"])
    assert verdict.endswith("Both share one encoding.")
    expected = {f"grid-{side}-{kind}.png" for side in (2, 3) for kind in ("overlay", "prompts")}
    assert {path.name for path in out.glob("*.png")} == expected
    assert json.loads((out / "comparison.json").read_text())["verdict"] in verdict


def test_budget_prints_a_row_for_each_point_and_a_sentence(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["budget", str(_save(tmp_path / "a.png")), "--largest", "16"]) == 0
    head, names, aware, grid, sentence = capsys.readouterr().out.splitlines()
    assert "tiny on CPU" in head
    assert names.split()[:3] == ["sampler", "budget", "prompts"]
    assert (aware.split()[:2], grid.split()[:3]) == (["object-aware", "16"], ["grid", "16", "16"])
    assert sentence.endswith(".")


def test_compare_refuses_a_sampler_that_there_is_not(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = str(_save(tmp_path / "a.png"))
    assert main(["compare", photo, "-o", str(tmp_path / "out"), "--first", "dots:9"]) == 1
    assert "There is no sampler 'dots'" in capsys.readouterr().err


def test_compare_refuses_what_is_no_photograph(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(tmp_path / "none.jpg"), "-o", str(tmp_path / "out")]) == 1
    assert "There is no file" in capsys.readouterr().err


def test_evaluate_prints_the_model_beside_its_baselines(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _save(tmp_path / "images" / "a.png")
    dense = np.zeros((40, 60), dtype=np.uint8, order="F")
    dense[5:25, 10:40] = 1
    rle = coco_mask.encode(dense)
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 60, "height": 40, "split": "val"}],
        "annotations": [
            {"image_id": 1, "segmentation": {"size": [40, 60], "counts": rle["counts"].decode("ascii")}}
        ],
    }
    data = tmp_path / "annotations.json"
    data.write_text(json.dumps(content))
    assert main(["evaluate", "--data", str(data), "--recall"]) == 0
    out = capsys.readouterr().out
    assert "1 objects in 1 pictures" in out
    assert "the filled box" in out
    assert "1.000" in out
    assert "AR@320" in out
    assert "grid of 32 x 32 points" in out
    assert main(["evaluate", "--data", str(data), "--split", "test"]) == 1
    assert "has no picture with a mask in the split 'test'" in capsys.readouterr().err


def test_serve_hands_its_options_to_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    import mobilesamv2.web.layout as layout

    calls = []
    monkeypatch.setattr(layout, "serve", lambda settings, **options: calls.append((settings, options)))
    assert main(["serve", "--host", "0.0.0.0", "--port", "8123", "--model", "mobilesam"]) == 0
    ((settings, options),) = calls
    assert settings.model == "mobilesam"
    assert options == {"host": "0.0.0.0", "port": 8123}


def test_a_table_aligns_text_to_the_left_and_numbers_to_the_right() -> None:
    rows = [{"name": "a", "some_count": 5, "x": 0.25}, {"name": "long", "some_count": 12345678901, "x": 10.0}]
    assert table(rows) == ("name   some count       x\na               5   0.250\nlong  12345678901  10.000")
    assert table([]) == ""


def test_other_formats_are_exported_on_request(tiny: None, tmp_path: Path) -> None:
    photo = str(_save(tmp_path / "a.png"))
    assert main(["segment", photo, "-o", str(tmp_path / "out"), "--export", "masks,cutouts"]) == 0
    out = tmp_path / "out" / "a"
    count = len(json.loads((out / "masks.json").read_text())["annotations"])
    assert count > 0
    for kind in ("masks", "cutouts"):
        names = sorted(path.name for path in (out / kind).iterdir())
        assert names == [f"{number:04}.png" for number in range(1, count + 1)]
    assert (out / "legend.csv").read_text().count("\n") == count + 1
    assert not (out / "coco.json").exists()


def test_a_format_that_does_not_exist_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = str(_save(tmp_path / "a.png"))
    with pytest.raises(SystemExit) as refused:
        main(["segment", photo, "-o", str(tmp_path / "out"), "--export", "masks,pdf"])
    assert refused.value.code == 2
    assert "There is no format 'pdf'; choose from coco" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# As a program, with the embedded model


@pytest.fixture(scope="module")
def segmented(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One run of the program on a broken photograph, a text, a real photograph and a folder."""
    folder = tmp_path_factory.mktemp("program")
    (folder / "broken.jpg").write_bytes(COFFEE.read_bytes()[:3000])
    (folder / "notes.jpg").write_text("not a picture")
    _save(folder / "more" / os.fsdecode(b"tiny\xe9.png"))  # a name that is no UTF-8
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
    assert content["image"] == {"file_name": "coffee.png", "width": width, "height": height}
    assert content["model"] == "nano"
    assert 0 < content["prompts"] <= 12
    assert len(content["annotations"]) > 0
    for name in ("overlay.png", "label_map.png"):
        with Image.open(out / "coffee" / name) as image:
            assert image.size == (width, height)
    assert "coffee: " in run.stdout
    assert "tiny\\udce9: " in run.stdout


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
    assert [photo["folder"] for photo in summary["photos"]] == ["coffee", os.fsdecode(b"tiny\xe9")]
    assert len(summary["failures"]) == 2


def test_the_program_shows_help_without_loading_torch() -> None:
    code = "import sys, mobilesamv2.cli as c\ntry: c.main(['--help'])\nexcept SystemExit: pass\n"
    check = code + "print('torch' in sys.modules or 'gradio' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "compare" in run.stdout
    assert run.stdout.strip().endswith("False")


def test_a_progress_bar_is_drawn_on_a_terminal(
    tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = str(_save(tmp_path / "a.png"))
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (25, 100))
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        assert main(["segment", photo, "-o", str(tmp_path / "out")]) == 0
        print("the end", file=terminal, flush=True)
        drawn = ""
        while "the end" not in drawn:
            drawn += os.read(ours, 65536).decode()
    os.close(ours)
    assert "0/1" in drawn
    assert "1/1" in drawn
