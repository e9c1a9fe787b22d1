"""Reading checkpoint files of every kind, none of which can run code."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mobilesamv2.errors import WeightsError
from mobilesamv2.weights import read_state_dict

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.tensor([1.0, 2.0])}


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def same(found: dict[str, Tensor], expected: dict[str, Tensor] = STATE) -> bool:
    return list(found) == list(expected) and all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"model": state, "epoch": 3}])
def test_a_pytorch_checkpoint_is_read_with_or_without_a_wrapper(
    wrap: Callable[[dict[str, Tensor]], Any], zipped: bool, tmp_path: Path
) -> None:
    torch.save(wrap(STATE), tmp_path / "state.pth", _use_new_zipfile_serialization=zipped)
    assert same(read_state_dict(tmp_path / "state.pth"))


def test_a_state_dict_wrapper_is_taken_off(tmp_path: Path) -> None:
    torch.save({"state_dict": STATE}, tmp_path / "state.pt")
    assert same(read_state_dict(str(tmp_path / "state.pt")))


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "state.safetensors")
    assert same(dict(sorted(read_state_dict(tmp_path / "state.safetensors").items(), reverse=True)))


@pytest.mark.parametrize("form", ["pickle", "zip", "legacy"])
def test_code_in_a_checkpoint_is_refused_and_not_run(form: str, tmp_path: Path) -> None:
    file, trace = tmp_path / "hostile.pt", tmp_path / "it-ran"
    content = {**STATE, "extra": Hostile(trace)}
    if form == "pickle":
        file.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, file, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(WeightsError, match="something other than tensors") as caught:
        read_state_dict(file)
    assert not trace.exists()
    assert "weights_only" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_hostile_checkpoint_of_the_test_above_is_hostile(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Hostile(tmp_path / "it-ran")))
    assert (tmp_path / "it-ran").is_dir()


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(3, 2), tmp_path / "module.pt")
    with pytest.raises(WeightsError, match="something other than tensors"):
        read_state_dict(tmp_path / "module.pt")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize(
    "content",
    [b"", b"\x00", b"no checkpoint\n", b"PK\x03\x04" + bytes(40), bytes(100)],
    ids=["empty", "one byte", "text", "start of a zip", "zeros"],
)
def test_what_is_no_checkpoint_is_one_sentence(content: bytes, suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"broken{suffix}"
    file.write_bytes(content)
    with pytest.raises(WeightsError, match=r"damaged|is a text|is empty: it has zero bytes") as caught:
        read_state_dict(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_checkpoint_is_one_sentence(form: str, share: float, tmp_path: Path) -> None:
    file = tmp_path / ("state.safetensors" if form == "safetensors" else "state.pt")
    if form == "safetensors":
        save_file(STATE, file)
    else:
        torch.save(STATE, file, _use_new_zipfile_serialization=form == "zip")
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(WeightsError, match="damaged"):
        read_state_dict(file)


@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_a_checkpoint_may_end_anywhere(form: str, tmp_path: Path) -> None:
    file = tmp_path / "state.pt"
    torch.save(STATE, file, _use_new_zipfile_serialization=form == "zip")
    content = file.read_bytes()
    for length in range(0, len(content), 5):
        file.write_bytes(content[:length])
        with pytest.raises(WeightsError):
            read_state_dict(file)


@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_flipped_bytes_never_give_another_error(form: str, tmp_path: Path) -> None:
    file = tmp_path / "state.pt"
    torch.save(STATE, file, _use_new_zipfile_serialization=form == "zip")
    content = file.read_bytes()
    generator = torch.Generator().manual_seed(0)
    refused = 0
    for position in torch.randint(len(content), (100,), generator=generator).tolist():
        flipped = bytearray(content)
        flipped[position] ^= 0xFF
        file.write_bytes(bytes(flipped))
        try:
            read_state_dict(file)
        except WeightsError:
            refused += 1
    assert refused > 10


@pytest.mark.parametrize("protocol", [4, 5])
def test_a_newer_pickle_is_refused_in_one_sentence_without_a_warning(protocol: int, tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "state.pt", pickle_protocol=protocol)
    with pytest.raises(WeightsError, match="is no plain checkpoint"):
        read_state_dict(tmp_path / "state.pt")


@pytest.mark.parametrize("content", [[torch.zeros(1)], torch.zeros(3), {}, {"a": 3}, {1: torch.zeros(1)}])
def test_what_is_no_state_dict_is_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="holds no state dict"):
        read_state_dict(tmp_path / "other.pt")


@pytest.mark.parametrize("name", ["missing.pt", "missing.safetensors", "."])
def test_a_path_that_is_no_file_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="There is no file"):
        read_state_dict(tmp_path / name)
