"""Files that are no checkpoints are refused before anything reads or unpacks them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mobilesamv2.build import build_detector
from mobilesamv2.errors import WeightsError
from mobilesamv2.weights import convert, read_state_dict
from mobilesamv2.weights.file_guard import refuse_other_files

READERS: dict[str, Callable[[Path], object]] = {
    "state dict": read_state_dict,
    "detector": lambda path: build_detector(path, device="cpu"),
    "convert": lambda path: convert({"whole": path}, path.with_name("new.safetensors")),
}
each_reader = pytest.mark.parametrize("read", READERS.values(), ids=READERS)


@each_reader
def test_a_compressed_archive_is_refused_unread(
    read: Callable[[Path], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "small.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\x80\x02" + b"N0" * 100_000)
        archive.writestr("a/version", "3")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was read"))
    monkeypatch.setattr(torch._C, "PyTorchFileReader", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(WeightsError, match="is a compressed archive, and no checkpoint"):
        read(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_writes_passes(zipped: bool, tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(3)}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    refuse_other_files(tmp_path / "a.pt")


def test_what_is_no_archive_is_for_others_to_refuse(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"PK\x03\x04" + bytes(40))
    refuse_other_files(tmp_path / "a.pt")
    refuse_other_files(tmp_path / "nowhere.pt")


POINTER = """version https://git-lfs.github.com/spec/v1
oid sha256:6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f
size 40728226
"""


@each_reader
@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "<!DOCTYPE html>\n<html><body>Sign in</body></html>",
            "is a web page and no checkpoint: .*Take the address",
        ),
        ("\n  <html lang='en'>", "is a web page and no checkpoint"),
        ('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "is a web page and no checkpoint"),
        (POINTER, "is a pointer of Git LFS and no checkpoint: .*git lfs pull"),
    ],
    ids=["page", "html", "xml", "lfs"],
)
def test_what_came_in_place_of_a_checkpoint_is_named(
    read: Callable[[Path], Any], name: str, content: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(WeightsError, match=said):
        read(tmp_path / name)


@each_reader
@pytest.mark.parametrize("text", ['{"error": "Entry not found"}', "Access denied", "# notes\n\tof mine\r\n", "Größe"])
def test_a_text_is_named_as_what_it_is(read: Callable[[Path], Any], text: str, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_text(text)
    with pytest.raises(WeightsError, match=r"model\.pt is a text and no checkpoint; it begins with ") as caught:
        read(tmp_path / "model.pt")
    assert "run code" not in str(caught.value)


@each_reader
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty: it has zero bytes"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "is a picture and no checkpoint"),
        (b"\xff\xd8\xff\xe0" + bytes(40), "is a picture and no checkpoint"),
        (b"\x1f\x8b\x08\x00" + bytes(40), "is a gzip archive, to be unpacked first, and no checkpoint"),
        (b"\x89HDF\r\n\x1a\n" + bytes(40), "is an HDF5 file, as Keras writes it, and no checkpoint"),
        ("<html>Größe</html>".encode("utf-16"), "is a web page and no checkpoint"),
        ("<html>" + "ü" * 300 + "</html>", "is a web page and no checkpoint"),
    ],
    ids=["empty", "png", "jpeg", "gzip", "hdf5", "utf-16", "cut letter"],
)
def test_files_of_other_kinds_are_named(
    read: Callable[[Path], Any], content: bytes | str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "model.pt").write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(WeightsError, match=said) as caught:
        read(tmp_path / "model.pt")
    assert "run code" not in str(caught.value)
