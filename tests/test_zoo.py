"""The table of models and detectors."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import mobilesamv2
from mobilesamv2 import zoo
from mobilesamv2.errors import UnknownModelError
from mobilesamv2.models.sam import Sam
from mobilesamv2.weights import folders, verify

ENTRIES: list[zoo.ModelEntry | zoo.DetectorEntry] = [*zoo.MODELS.values(), *zoo.DETECTORS.values()]
NAMES = [entry.name for entry in ENTRIES]
FILES = list(dict.fromkeys(file for entry in ENTRIES for file in entry.files.values()))


def test_models_are_listed_by_name_the_embedded_one_first() -> None:
    assert zoo.models() == (
        "nano",
        "mobilesam",
        "mobilesamv2-tinyvit",
        "mobilesamv2-efficientvit-l2",
        "mobilesamv2-vit-h",
        "efficientvit-sam-l0",
        "efficientvit-sam-l1",
        "efficientvit-sam-l2",
        "sam-vit-b",
        "sam-vit-l",
        "sam-vit-h",
    )
    assert zoo.models()[0] == zoo.DEFAULT_MODEL


def test_detectors_are_listed_by_name_the_embedded_one_first() -> None:
    assert tuple(zoo.DETECTORS) == (
        "nano-objects",
        "object-aware",
        "fastsam-s",
        "fastsam-x",
        *(f"yolov8{size}" for size in "nsmlx"),
        *(f"yolo11{size}" for size in "nsmlx"),
    )


def test_the_package_lists_the_same_models_before_and_after_its_subpackage_is_imported() -> None:
    assert mobilesamv2.models() == zoo.models()
    assert sys.modules["mobilesamv2.models.sam"].Sam is Sam


@pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
def test_each_entry_is_complete(entry: zoo.ModelEntry | zoo.DetectorEntry) -> None:
    assert {**zoo.MODELS, **zoo.DETECTORS}[entry.name] is entry
    assert entry.summary
    assert set(entry.files) in ({"whole"}, {"encoder", "decoder"})


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.filename)
def test_each_file_says_where_it_is_and_how_to_know_it(file: zoo.WeightsFile) -> None:
    assert (file.sha256 is None) or re.fullmatch(r"[0-9a-f]{64}", file.sha256)
    assert (file.bytes or file.about_bytes or 0) > 1_000_000
    if file.repo is None:
        assert file.licence == "AGPL-3.0-or-later"
        assert file.form is zoo.Form.SAFETENSORS
        assert file.filename.endswith(".safetensors")
        assert file.sha256
        assert file.bytes
    else:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", file.repo)
        assert file.licence == ("AGPL-3.0" if file.form is zoo.Form.ULTRALYTICS else "Apache-2.0")


def test_the_files_that_are_pinned_in_source_are_these() -> None:
    assert {file.name for file in FILES if file.sha256 and file.repo} == {
        "mobile_sam.pt",
        *(f"efficientvit_sam_l{size}.pt" for size in range(3)),
        "sam_vit_b_01ec64.pth",
        "sam_vit_l_0b3195.pth",
        "sam_vit_h_4b8939.pth",
        "FastSAM-x.pt",
        "yolo11n.pt",
    }


def test_the_models_of_version_2_share_their_decoder_and_find_objects_with_its_detector() -> None:
    entries = [entry for entry in zoo.MODELS.values() if entry.name.startswith("mobilesamv2-")]
    assert {entry.files["decoder"].name for entry in entries} == {"Prompt_guided_Mask_Decoder.pt"}
    assert {entry.detector for entry in entries} == {"object-aware"}


@pytest.mark.parametrize("entry", zoo.MODELS.values(), ids=zoo.models())
def test_the_usual_detector_of_each_model_is_in_the_table(entry: zoo.ModelEntry) -> None:
    assert entry.detector in zoo.DETECTORS


def test_the_default_model_and_its_detector_need_no_network() -> None:
    entry = zoo.MODELS[zoo.DEFAULT_MODEL]
    for files in (entry.files, zoo.DETECTORS[entry.detector].files):
        assert [file.repo for file in files.values()] == [None]


@pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
def test_the_readme_has_a_row_for_each(entry: zoo.ModelEntry | zoo.DetectorEntry) -> None:
    readme = (Path(__file__).resolve().parents[1] / "docs" / "models.md").read_text(encoding="utf-8")
    (row,) = [line for line in readme.splitlines() if line.startswith("| ") and f"`{entry.name}`" in line.split("|")[1]]
    for file in entry.files.values():
        assert file.licence in row
        assert (file.repo or "in this package") in readme
    if isinstance(entry, zoo.ModelEntry):
        assert row.endswith(f"| `{entry.detector}` |")
        megabytes = sum(file.bytes or file.about_bytes or 0 for file in entry.files.values()) / 1e6
        assert f" {megabytes:,.0f} |" in row


@pytest.mark.parametrize("file", [f for f in FILES if f.repo is None], ids=lambda file: file.filename)
def test_embedded_weights_are_there_as_the_table_says_and_at_most_12_mb(file: zoo.WeightsFile) -> None:
    path = folders()[-1] / file.filename
    verify(path, file)
    assert path.stat().st_size <= 12_000_000


def test_an_unknown_model_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(UnknownModelError, match=r'no model "sam3"\. The models are: nano, mobilesam, .*-h\.$'):
        zoo.find_model("sam3")


def test_an_unknown_detector_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(UnknownModelError, match=r'no object detector "x"\. The detectors are: nano-objects, '):
        zoo.find_detector("x")
