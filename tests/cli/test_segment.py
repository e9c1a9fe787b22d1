"""`mobilesamv2 segment`, in this process on a tiny model."""

from __future__ import annotations

import json
import os
import pty
import signal
import sys
import termios
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import mobilesamv2
from mobilesamv2.cli import main
from mobilesamv2.cli import segment as segment_command
from mobilesamv2.prompts import MaskFilters
from mobilesamv2.request import Request
from mobilesamv2.results import STAGES
from tests.tiny import picture, spied, tiny_segmenter

from .conftest import saved


def test_segment_writes_every_photograph_and_a_summary(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(tmp_path / "in" / "a.png")
    saved(tmp_path / "in" / "b.png", seed=1)
    assert main(["segment", str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 0
    for name in ("a", "b"):
        files = {path.name for path in (tmp_path / "out" / name).iterdir()}
        assert files == {"masks.json", "overlay.png", "label_map.png"}
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["failures"] == []
    assert [photo["folder"] for photo in summary["photos"]] == ["a", "b"]
    first = summary["photos"][0]
    assert first["image"] == {"width": 60, "height": 40, "scaled_to_own_range": False}
    assert (first["model"], first["sampler"]) == ("tiny", "object-aware")
    assert first["device"].startswith("CPU")
    assert first["prompts"] == 3
    assert first["masks"] == len(json.loads((tmp_path / "out" / "a" / "masks.json").read_text())["annotations"])
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
    photo = str(saved(tmp_path / "a.png"))
    assert main(["segment", photo, "-o", str(tmp_path / "out"), "--sampler", sampler, "--max-prompts", "4"]) == 0
    assert hint in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "a" / "masks.json").read_text())["annotations"] == []


def test_a_failed_photograph_does_not_stop_the_others(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"not a picture")
    good = saved(tmp_path / "b.png")
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
    photos = [str(saved(tmp_path / "in" / name)) for name in ("a.png", "b.png")]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("a file where the folder should be")
    assert main(["segment", *photos, "-o", str(tmp_path / "out")]) == 1
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [photo["folder"] for photo in summary["photos"]] == ["b"]
    assert summary["failures"][0]["photo"] == photos[0]


def test_results_replace_earlier_ones(tiny: None, tmp_path: Path) -> None:
    photo = str(saved(tmp_path / "a.png"))
    for prompts in (3, 1):
        assert main(["segment", photo, "-o", str(tmp_path / "out"), "--max-prompts", str(prompts)]) == 0
        content = json.loads((tmp_path / "out" / "a" / "masks.json").read_text())
        assert content["prompts"] == prompts


def test_the_grid_has_its_own_option(tiny: None, tmp_path: Path) -> None:
    photo = str(saved(tmp_path / "a.png"))
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
    photo = str(saved(tmp_path / "a.png"))
    assert main(["segment", photo, "-o", str(tmp_path / "out"), *options]) == 1
    assert sentence in capsys.readouterr().err


def test_an_unknown_model_lists_the_known_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = str(saved(tmp_path / "a.png"))
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
    photo = saved(tmp_path / "a.png")
    assert main(["segment", str(photo), "-o", str(photo)]) == 1
    assert capsys.readouterr().err == f"mobilesamv2: {photo}: File exists.\n"


def test_an_interrupt_keeps_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    segmenter = tiny_segmenter()
    original, calls = segmenter.segment_everything, []

    def interrupted(*arguments: Any, **options: Any) -> object:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(segmenter, "segment_everything", interrupted)
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **options: segmenter)
    photos = [str(saved(tmp_path / name)) for name in ("a.png", "b.png", "c.png")]
    assert main(["segment", *photos, "-o", str(tmp_path / "out")]) == 130
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [photo["folder"] for photo in summary["photos"]] == ["a"]
    assert "Traceback" not in capsys.readouterr().err


def test_sigterm_ends_as_ctrl_c_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    segmenter = tiny_segmenter()
    original, calls = segmenter.segment_everything, []

    def terminated(*arguments: Any, **options: Any) -> object:
        calls.append(arguments)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)  # as some senders do
        return original(*arguments, **options)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(segmenter, "segment_everything", terminated)
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **options: segmenter)
    photos = [str(saved(tmp_path / name)) for name in ("a.png", "b.png")]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "summary.json").write_text('{"photos": "of the run before"}')
    assert main(["segment", *photos, "-o", str(tmp_path / "out"), "--coco"]) == 130
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [photo["folder"] for photo in summary["photos"]] == ["a"]
    (image,) = json.loads((tmp_path / "out" / "coco.json").read_text())["images"]
    assert image["file_name"] == "a.png"
    assert "stopped" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before


def test_sigterm_before_the_first_photograph_replaces_the_summary_of_the_run_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(options: object) -> Request:  # while packages are imported
        os.kill(os.getpid(), signal.SIGTERM)
        return Request("grid")

    monkeypatch.setattr(segment_command, "request_of", asked)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "summary.json").write_text('{"photos": "of the run before"}')
    assert main(["segment", str(saved(tmp_path / "a.png")), "-o", str(tmp_path / "out")]) == 130
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == {"photos": [], "failures": []}
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_resuming_leaves_out_what_is_done_and_asked_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    segmenter, asked = tiny_segmenter(), list[Any]()
    segmenter.name = "nano"
    monkeypatch.setattr(segmenter, "segment_everything", spied(segmenter.segment_everything, asked))
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **options: segmenter)
    out = tmp_path / "out"

    def segment(*options: str) -> list[str]:
        asked.clear()
        assert main(["segment", str(tmp_path / "in"), "-o", str(out), *options]) == 0
        return [photo["folder"] for photo in json.loads((out / "summary.json").read_text())["photos"]]

    saved(tmp_path / "in" / "a.png")
    assert segment("--max-prompts", "2") == ["a"]
    first = json.loads((out / "summary.json").read_text())["photos"][0]
    saved(tmp_path / "in" / "b.png", seed=1)
    assert segment("--max-prompts", "2", "--resume") == ["a", "b"]
    assert len(asked) == 1
    assert json.loads((out / "summary.json").read_text())["photos"][0] == first
    assert segment("--max-prompts", "3", "--resume") == ["a", "b"]
    assert len(asked) == 2  # another request
    (out / "b" / "masks.json").write_text('{"image": 3}')
    assert segment("--max-prompts", "3", "--resume") == ["a", "b"]
    assert len(asked) == 1
    assert segment("--max-prompts", "3") == ["a", "b"]
    assert len(asked) == 2


@pytest.mark.parametrize("change", ["export", "detector", "weights", "photograph"])
def test_resuming_does_again_what_was_made_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    segmenter, asked = tiny_segmenter(), list[Any]()
    segmenter.name = "nano"
    monkeypatch.setattr(segmenter, "segment_everything", spied(segmenter.segment_everything, asked))
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **options: segmenter)
    photo = saved(tmp_path / "a.png")
    command = ["segment", str(photo), "-o", str(tmp_path / "out"), "--sampler", "grid:2"]
    assert main(command) == main([*command, "--resume"]) == 0
    assert len(asked) == 1
    if change == "photograph":
        later = (tmp_path / "out" / "a" / "masks.json").stat().st_mtime + 5
        os.utime(saved(photo, seed=1), (later, later))
    also = {
        "export": ["--export", "uncovered"],
        "detector": ["--detector", "yolov8n"],
        "weights": ["--weights", "a.pt"],
    }
    assert main([*command, "--resume", *also.get(change, [])]) == 0
    assert len(asked) == 2
    assert (tmp_path / "out" / "a" / "uncovered.png").exists() == (change == "export")


def test_filters_on_the_command_line_leave_masks_out(tiny: None, tmp_path: Path) -> None:
    photo = str(saved(tmp_path / "a.png"))

    def masks(*options: str) -> int:
        assert main(["segment", photo, "-o", str(tmp_path / "out"), *options]) == 0
        return len(json.loads((tmp_path / "out" / "a" / "masks.json").read_text())["annotations"])

    everything = masks("--sampler", "grid:4")
    assert everything > 0
    for option in (
        ("--predicted-iou", "1"),
        ("--stability", "1"),
        ("--min-area", "100"),
        ("--mask-nms", "0"),
    ):
        assert masks("--sampler", "grid:4", *option) < everything, option
    options = ["--hide-nested", "--flatten", "--clean", "3", "--confidence", "0.2"]
    masks(*options)
    request = json.loads((tmp_path / "out" / "a" / "masks.json").read_text())["request"]
    assert request["confidence"] == 0.2
    assert (request["view"]["hide_nested"], request["view"]["flatten"], request["view"]["clean"]) == (
        True,
        True,
        3,
    )


def test_other_formats_are_exported_on_request(tiny: None, tmp_path: Path) -> None:
    photo = str(saved(tmp_path / "a.png"))
    assert main(["segment", photo, "-o", str(tmp_path / "out"), "--export", "masks,cutouts"]) == 0
    out = tmp_path / "out" / "a"
    count = len(json.loads((out / "masks.json").read_text())["annotations"])
    assert count > 0
    for kind in ("masks", "cutouts"):
        names = sorted(path.name for path in (out / kind).iterdir())
        assert names == [f"{number:04}.png" for number in range(1, count + 1)]
    assert (out / "legend.csv").read_text().count("\n") == count + 1
    assert not (out / "coco.json").exists()


def test_a_format_that_does_not_exist_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = str(saved(tmp_path / "a.png"))
    with pytest.raises(SystemExit) as refused:
        main(["segment", photo, "-o", str(tmp_path / "out"), "--export", "masks,pdf"])
    assert refused.value.code == 2
    assert "There is no format 'pdf'; choose from coco" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_progress_bar_is_drawn_on_a_terminal(tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = str(saved(tmp_path / "a.png"))
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


def test_resuming_takes_no_photograph_for_another_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = tiny_segmenter()
    segmenter.name = "nano"
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **options: segmenter)
    photos, out = tmp_path / "in", tmp_path / "out"
    saved(photos / "y" / "a.png")
    command = ["segment", str(photos), "-o", str(out), "--recursive"]
    assert main(command) == 0
    Image.fromarray(picture(20, 30)).save(saved(photos / "x" / "a.png"))
    assert main([*command, "--resume"]) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert {photo["folder"]: photo["image"]["width"] for photo in summary["photos"]} == {"a": 30, "a-2": 60}
