"""The command line and checkpoints: listing, fetching, verifying, converting, and going on without a network."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import mobilesamv2
from mobilesamv2 import zoo
from mobilesamv2.cli import main
from mobilesamv2.weights import find, is_here
from tests.fake_hub import FakeHub
from tests.tiny import TINY, picture, tiny_sam, tiny_segmenter
from tests.weights.conftest import CONTENT, REPO, empty_machine, entry, hub  # noqa: F401


@pytest.fixture
def photo(tmp_path: Path) -> str:
    Image.fromarray(picture()).save(tmp_path / "a.png")
    return str(tmp_path / "a.png")


@pytest.fixture
def small_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A zoo of a model whose hash is pinned, one in two files, one of them unknown, and a detector that is unknown."""
    nano, yolo = zoo.MODELS["nano"], zoo.DETECTORS["yolov8n"]
    unknown = entry(filename="other.pt", sha256=None, bytes=None)
    models = [
        nano,
        dataclasses.replace(nano, name="pinned", files={"whole": entry()}),
        dataclasses.replace(
            nano, name="pair", files={"encoder": entry(), "decoder": unknown}, detector="unknown-objects"
        ),
    ]
    objects = dataclasses.replace(yolo.files["whole"], filename="objects.pt", repo=REPO)
    detectors = [
        zoo.DETECTORS["nano-objects"],
        dataclasses.replace(yolo, name="unknown-objects", files={"whole": objects}),
    ]
    monkeypatch.setattr(zoo, "MODELS", {model.name: model for model in models})
    monkeypatch.setattr(zoo, "DETECTORS", {detector.name: detector for detector in detectors})


def out_of(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


# Listing -------------------------------------------------------------------------------------------------------


def test_the_list_names_everything_with_size_licence_and_whether_it_is_here(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["weights", "list"]) == 0
    lines = {line.split()[0]: " ".join(line.split()) for line in out_of(capsys).splitlines() if line}
    assert {*zoo.MODELS, *zoo.DETECTORS} <= set(lines)
    assert "nano.safetensors 10 MB yes pinned AGPL-3.0-or-later this package" in lines["nano"]
    assert "mobile_sam.pt 41 MB no pinned Apache-2.0 dhkim2810/MobileSAM" in lines["mobilesam"]
    assert "about 57 MB no pinned + unknown Apache-2.0" in lines["mobilesamv2-tinyvit"]
    assert "object-aware" in lines["mobilesamv2-tinyvit"]
    assert "ObjectAwareModel.pt about 140 MB no unknown AGPL-3.0" in lines["object-aware"]


def test_the_list_for_programs_has_every_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "list", "--json"]) == 0
    rows = json.loads(out_of(capsys))
    assert [row["name"] for row in rows["models"]] == list(zoo.MODELS)
    assert [row["name"] for row in rows["detectors"]] == list(zoo.DETECTORS)
    sam = next(row for row in rows["models"] if row["name"] == "sam-vit-b")
    assert sam["detector"] == "nano-objects"
    assert sam["files"] == [
        {
            "part": "whole",
            "filename": "checkpoints/sam_vit_b_01ec64.pth",
            "repo": "ybelkada/segment-anything",
            "revision": None,
            "bytes": 375_042_383,
            "about_bytes": None,
            "sha256": "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
            "sha256_is": "pinned",
            "licence": "Apache-2.0",
            "form": "state dict",
            "path": None,
        }
    ]


def test_the_list_says_what_of_a_pair_is_here_and_what_was_learned(
    small_rows: None,
    hub: FakeHub,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    find(entry())
    main(["weights", "list"])
    assert "in part pinned + unknown" in " ".join(out_of(capsys).split())
    hub.files[f"{REPO}/other.pt"] = b"other"
    main(["weights", "fetch", "pair"])
    capsys.readouterr()
    main(["weights", "list"])
    assert "yes pinned + learned" in " ".join(out_of(capsys).split())


# Fetching ------------------------------------------------------------------------------------------------------


def test_fetching_a_model_gets_its_files_and_names_its_detector(
    small_rows: None,
    hub: FakeHub,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.files[f"{REPO}/other.pt"] = b"other"
    assert main(["weights", "fetch", "pair"]) == 0
    lines = out_of(capsys).splitlines()
    assert lines[0].startswith("small.pt: fetched, SHA-256 as pinned, /")
    assert lines[1].startswith("other.pt: fetched, SHA-256 as at the first fetch, /")
    assert lines[2] == "pair is used with unknown-objects: `mobilesamv2 weights fetch unknown-objects`"
    assert is_here(zoo.MODELS["pair"].files["decoder"])
    assert main(["weights", "fetch", "pinned"]) == 0
    assert out_of(capsys).startswith("small.pt: is here, SHA-256 as pinned, /")


def test_several_names_are_fetched_at_once_each_file_once(
    small_rows: None,
    hub: FakeHub,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.files |= {f"{REPO}/other.pt": b"other", f"{REPO}/objects.pt": b"objects"}
    assert main(["weights", "fetch", "pinned", "pair", "unknown-objects"]) == 0
    assert [line.partition(":")[0] for line in out_of(capsys).splitlines()] == [
        "small.pt",
        "other.pt",
        "objects.pt",
    ]
    assert hub.downloads == 3


def test_a_changed_file_is_refused_until_it_is_renewed(
    small_rows: None,
    hub: FakeHub,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.files[f"{REPO}/objects.pt"] = b"objects"
    file = zoo.DETECTORS["unknown-objects"].files["whole"]
    path = find(file)
    path.resolve().unlink()
    hub.files[f"{REPO}/objects.pt"] = b"new objects"
    assert main(["weights", "fetch", "unknown-objects"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("mobilesamv2: http")
    assert "offers another objects.pt than was fetched before" in said
    assert main(["weights", "fetch", "--renew", "unknown-objects"]) == 0
    assert find(file).read_bytes() == b"new objects"


@pytest.mark.parametrize("action", ["fetch", "verify"])
def test_an_unknown_name_is_answered_with_the_names_there_are(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", action, "sam3"]) == 1
    said = capsys.readouterr().err
    assert 'There is no model or detector "sam3". There are: nano, mobilesam' in said
    assert "yolo11x." in said


def test_without_a_network_a_fetch_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "fetch", "object-aware"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("mobilesamv2: ObjectAwareModel.pt could not be fetched from http://127.0.0.1:9 (")
    assert said.endswith('or use the detector "nano-objects", which needs no network.\n')
    assert said.count("\n") == 1


# Verifying -----------------------------------------------------------------------------------------------------


def test_what_is_here_is_verified(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "verify"]) == 0
    out = out_of(capsys)
    assert [line.partition(",")[0] for line in out.splitlines()] == [
        "nano.safetensors: SHA-256 as pinned",
        "nano-objects.safetensors: SHA-256 as pinned",
    ]


def test_a_damaged_file_is_named_and_the_others_are_verified_all_the_same(
    small_rows: None,
    hub: FakeHub,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    find(entry()).resolve().write_bytes(CONTENT.upper())
    assert main(["weights", "verify"]) == 1
    said = capsys.readouterr()
    assert "small.pt has SHA-256" in said.err
    assert "Delete " in said.err
    assert "nano-objects.safetensors: SHA-256 as pinned" in said.out


def test_a_copy_whose_hash_nobody_knows_is_said_to_be_so(
    small_rows: None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "objects.pt").write_bytes(b"objects")
    assert main(["weights", "verify", "unknown-objects"]) == 0
    assert out_of(capsys).startswith("objects.pt: no SHA-256 is known, /")


def test_a_model_that_was_named_and_is_not_here_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "verify", "sam-vit-b"]) == 1
    assert capsys.readouterr().err == "mobilesamv2: sam_vit_b_01ec64.pth is not on this machine.\n"


# Converting ----------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_converted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    state = {name: value.clone() for name, value in tiny_sam().state_dict().items()}
    torch.save({"model": state}, tmp_path / "tiny.pt")
    target = tmp_path / "tiny.safetensors"
    assert main(["weights", "convert", str(tmp_path / "tiny.pt"), str(target)]) == 0
    assert out_of(capsys) == f"{target}: {len(state)} tensors, {target.stat().st_size / 1e6:.1f} MB\n"
    assert set(load_file(target)) == set(state)


def test_a_model_is_converted_by_its_name(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target = tmp_path / "copy.safetensors"
    assert main(["weights", "convert", "nano", str(target)]) == 0
    assert mobilesamv2.load("nano", weights=target, device="cpu").name == "nano"


@pytest.mark.parametrize(
    ("source", "target", "said"),
    [
        ("nowhere.pt", "a.safetensors", "There is no file nowhere.pt"),
        ("nano", "a.pt", "must end in .safetensors"),
        ("nano", "nowhere/a.safetensors", "cannot be written"),
    ],
)
def test_what_cannot_be_converted_is_one_sentence(
    source: str,
    target: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["weights", "convert", source, target]) == 1
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


# Going on without ----------------------------------------------------------------------------------------------


def test_without_a_network_a_model_is_one_sentence_and_the_embedded_one(
    photo: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ["segment", photo, "-o", str(tmp_path / "out"), "--model", "sam-vit-b", "--max-prompts", "4"]
    assert main(arguments) == 0
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("mobilesamv2")]
    assert said.startswith("mobilesamv2: sam_vit_b_01ec64.pth could not be fetched from http://127.0.0.1:9 (")
    assert said.endswith('or use the model "nano", which needs no network. Going on with nano.')
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["photos"][0]["model"] == "nano"


@pytest.mark.parametrize(
    ("options", "here", "said", "loaded"),
    [
        (["--model", "pinned"], [], "with nano.", ("nano", "nano-objects")),
        (["--model", "pair"], [], "with nano.", ("nano", "nano-objects")),
        (
            ["--model", "pair"],
            ["small.pt", "other.pt"],
            "with the detector nano-objects.",
            ("pair", "nano-objects"),
        ),
        (
            ["--detector", "unknown-objects"],
            [],
            "with the detector nano-objects.",
            ("nano", "nano-objects"),
        ),
        (
            ["--model", "pinned", "--detector", "unknown-objects"],
            [],
            "with nano and the detector nano-objects.",
            ("nano", "nano-objects"),
        ),
        (
            ["--model", "pinned", "--detector", "unknown-objects"],
            ["objects.pt"],
            "with nano.",
            ("nano", "unknown-objects"),
        ),
        (["--model", "pinned", "--detector", "my.pt"], [], "with nano.", ("nano", "my.pt")),
    ],
)
def test_only_what_is_missing_is_replaced(
    options: list[str],
    here: list[str],
    said: str,
    loaded: tuple[str, str],
    small_rows: None,
    photo: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    calls: list[tuple[str, str | None]] = []

    def load(name: str, *, detector: str | None, **_options: Any) -> mobilesamv2.Segmenter:
        calls.append((name, detector))
        if len(calls) == 1:
            raise mobilesamv2.WeightsUnreachableError("It could not be fetched.")
        return tiny_segmenter()

    (tmp_path / "weights").mkdir()
    for name in here:
        content = CONTENT if name == "small.pt" else b"any"
        (tmp_path / "weights" / name).write_bytes(content)
    monkeypatch.setattr(mobilesamv2, "load", load)
    assert main(["segment", photo, "-o", str(tmp_path / "out"), *options]) == 0
    assert f"mobilesamv2: It could not be fetched. Going on {said}\n" in capsys.readouterr().err
    assert calls[1] == loaded


def test_a_model_in_two_files_is_given_by_two_options(
    photo: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(zoo.MODELS, "nano", dataclasses.replace(zoo.MODELS["nano"], config=TINY))
    save_file(tiny_sam().state_dict(), tmp_path / "tiny.safetensors")
    weights = str(tmp_path / "tiny.safetensors")
    arguments = ["segment", photo, "-o", str(tmp_path / "out")]
    assert main([*arguments, "--weights", weights, "--decoder-weights", weights]) == 0
    assert main([*arguments, "--decoder-weights", weights]) == 1
    assert "--decoder-weights goes with --weights" in capsys.readouterr().err
