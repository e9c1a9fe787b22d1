"""Archives that would grow when they are read are refused before anything unpacks them."""

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
from mobilesamv2.weights.zip_guard import refuse_packed


@pytest.mark.parametrize(
    "read",
    [
        read_state_dict,
        lambda path: build_detector(path, device="cpu"),
        lambda path: convert({"whole": path}, path.with_suffix(".safetensors")),
    ],
    ids=["state dict", "detector", "convert"],
)
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
    refuse_packed(tmp_path / "a.pt")


def test_what_is_no_archive_is_for_others_to_refuse(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"PK\x03\x04" + bytes(40))
    refuse_packed(tmp_path / "a.pt")
    refuse_packed(tmp_path / "nowhere.pt")
