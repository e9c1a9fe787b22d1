"""Finding, verifying, fetching and reading checkpoint files; the hub is a fake one on this machine."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants as hub_constants
from safetensors.torch import save_file
from torch import Tensor, nn

from mobilesamv2.errors import WeightsError
from mobilesamv2.weights import download, find, folders, load_strictly, read_state_dict, verify
from mobilesamv2.zoo import WeightsFile
from tests.fake_hub import COMMIT, FakeHub, running_hub

CONTENT = b"the weights of a small model"
REPO = "someone/some-model"


def entry(content: bytes = CONTENT, **changes: Any) -> WeightsFile:
    values: dict[str, Any] = {
        "filename": "small.pt",
        "repo": REPO,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return WeightsFile(**{**values, **changes})


@pytest.fixture(autouse=True)
def empty_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No pauses, no cached files, no folder of weights, the network allowed, and no hub to be found by accident."""
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("MOBILESAMV2_WEIGHTS_DIR", str(tmp_path / "weights"))
    for name in ("MOBILESAMV2_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with running_hub(FakeHub(files={f"{REPO}/small.pt": CONTENT})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        yield hub


def test_a_file_is_fetched_from_the_hub_once(hub: FakeHub) -> None:
    path = find(entry())
    assert path.read_bytes() == CONTENT
    asked = len(hub.requests)
    assert asked > 0
    assert find(entry()) == path
    assert len(hub.requests) == asked


def test_a_mirror_may_be_named_with_a_slash_at_the_end(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"{hub.address}/")
    find(entry())
    assert {request.split()[1] for request in hub.requests} == {f"/{REPO}/resolve/main/small.pt"}


def test_the_pinned_revision_is_asked_for(hub: FakeHub) -> None:
    find(entry(revision=COMMIT))
    assert {request.split()[1] for request in hub.requests} == {f"/{REPO}/resolve/{COMMIT}/small.pt"}


def test_a_file_in_a_folder_of_the_repository_is_found(hub: FakeHub) -> None:
    hub.files[f"{REPO}/checkpoints/small.pt"] = CONTENT
    assert find(entry(filename="checkpoints/small.pt")).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, r"small\.pt of someone/some-model at http://\S+ does not exist \(HTTP 404\)"),
        (401, r"may not be read without permission \(HTTP 401\); log in"),
        (403, r"may not be read without permission \(HTTP 403\); log in"),
        (500, r"could not be fetched \(HTTP 500\); try again later"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence_that_names_the_embedded_model(
    status: int, expected: str, hub: FakeHub
) -> None:
    hub.status = status
    with pytest.raises(WeightsError, match=expected) as caught:
        find(entry())
    assert_one_sentence(caught.value)
    assert 'use the model "nano", which needs no network' in str(caught.value)


def test_a_file_that_the_repository_does_not_have_is_said_not_to_exist(hub: FakeHub) -> None:
    hub.files.clear()
    with pytest.raises(WeightsError, match="does not exist"):
        find(entry())


def test_without_a_network_one_sentence_names_the_embedded_model() -> None:
    with pytest.raises(WeightsError, match=r"small\.pt could not be fetched from http://127") as caught:
        find(entry())
    assert_one_sentence(caught.value)
    assert 'use the model "nano", which needs no network' in str(caught.value)


def test_without_a_network_the_hub_is_asked_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(*_arguments: Any, **_options: Any) -> str:
        raise AssertionError("the download, which tries again and again, must not begin")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(WeightsError, match="could not be fetched"):
        find(entry())


@pytest.mark.parametrize("variable", ["MOBILESAMV2_OFFLINE", "HF_HUB_OFFLINE"])
def test_a_switched_off_network_is_not_used(
    variable: str, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(WeightsError, match="not on this machine and the network is switched off"):
        find(entry())
    assert hub.requests == []


def test_offline_a_file_fetched_before_is_found(hub: FakeHub) -> None:
    path = find(entry())
    assert find(entry(), offline=True) == path


def test_a_file_that_is_offered_with_another_hash_is_not_fetched(hub: FakeHub) -> None:
    hub.files[f"{REPO}/small.pt"] = CONTENT.replace(b"small", b"wrong")
    with pytest.raises(WeightsError, match=r"offers another small\.pt .* SHA-256 \w{8}…, expected \w{8}…\."):
        find(entry())
    assert not any(request.startswith("GET") for request in hub.requests)
    hub.files[f"{REPO}/small.pt"] = CONTENT
    assert find(entry()).read_bytes() == CONTENT


def test_a_damaged_file_in_the_cache_is_refused_and_deleting_it_helps(hub: FakeHub) -> None:
    damaged = find(entry()).resolve()
    damaged.write_bytes(CONTENT[:-1])
    with pytest.raises(WeightsError, match=f"has 27 bytes, expected 28. Delete {damaged} and run again"):
        find(entry())
    damaged.unlink()
    assert find(entry()).read_bytes() == CONTENT


def test_a_download_that_ends_early_is_refused(hub: FakeHub) -> None:
    hub.sent = 10
    with pytest.raises(WeightsError, match="could not be fetched") as caught:
        find(entry())
    assert_one_sentence(caught.value)
    hub.sent = None
    assert find(entry()).read_bytes() == CONTENT


def test_a_server_that_is_no_hub_is_one_sentence(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "nonsense://nowhere")
    with pytest.raises(WeightsError, match="could not be fetched from nonsense://nowhere"):
        find(entry())


def test_a_folder_of_weights_comes_before_the_hub(hub: FakeHub, tmp_path: Path) -> None:
    own = tmp_path / "weights" / "small.pt"
    own.parent.mkdir()
    own.write_bytes(CONTENT)
    assert find(entry()) == own
    assert hub.requests == []


def test_a_wrong_file_in_a_folder_of_weights_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "weights" / "small.pt"
    own.parent.mkdir()
    own.write_bytes(b"something else, of another size")
    with pytest.raises(WeightsError, match=f"expected 28. Delete {own}"):
        find(entry())


def test_a_missing_embedded_file_is_never_looked_for_on_the_hub(hub: FakeHub) -> None:
    with pytest.raises(WeightsError, match="should have come with the package"):
        find(entry(repo=None))
    assert hub.requests == []


def test_an_unknown_size_and_hash_are_not_compared(tmp_path: Path) -> None:
    file = tmp_path / "any.pt"
    file.write_bytes(b"anything")
    verify(file, entry(bytes=None, sha256=None))


def test_embedded_weights_are_beside_the_package_in_a_checkout() -> None:
    assert Path(__file__).resolve().parent.parent / "weights" in folders()


# Reading -------------------------------------------------------------------------------------------------------


STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.tensor([1.0, 2.0])}


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def same(found: dict[str, Tensor], expected: dict[str, Tensor] = STATE) -> bool:
    return list(found) == list(expected) and all(torch.equal(found[key], expected[key]) for key in expected)


def assert_one_sentence(error: Exception) -> None:
    assert "\n" not in str(error)
    assert str(error).endswith(".")


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


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")  # torch, before it refuses
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
    with pytest.raises(WeightsError, match="damaged") as caught:
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


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")  # torch, before it refuses
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


@pytest.mark.parametrize("content", [[torch.zeros(1)], torch.zeros(3), {}, {"a": 3}, {1: torch.zeros(1)}])
def test_what_is_no_state_dict_is_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="holds no state dict"):
        read_state_dict(tmp_path / "other.pt")


@pytest.mark.parametrize("name", ["missing.pt", "missing.safetensors", "."])
def test_a_path_that_is_no_file_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="There is no file"):
        read_state_dict(tmp_path / name)


# Loading -------------------------------------------------------------------------------------------------------


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))


def test_a_fitting_state_is_loaded_whole() -> None:
    ours, theirs = network(), network()
    load_strictly(ours, theirs.state_dict(), source="it")
    assert same(dict(ours.state_dict()), dict(theirs.state_dict()))


def test_the_prefix_of_distributed_training_is_taken_off() -> None:
    ours, theirs = network(), network()
    load_strictly(ours, {f"module.{key}": value for key, value in theirs.state_dict().items()}, source="it")
    assert same(dict(ours.state_dict()), dict(theirs.state_dict()))


def test_half_precision_weights_are_loaded_in_the_precision_of_the_module() -> None:
    ours, theirs = network(), network().half()
    load_strictly(ours, theirs.state_dict(), source="it")
    assert ours[0].weight.dtype == torch.float32
    assert torch.equal(ours[0].weight, theirs[0].weight.float())


def test_counters_of_batch_norms_may_be_missing() -> None:
    state = {key: value for key, value in network().state_dict().items() if "num_batches" not in key}
    ours = network()
    load_strictly(ours, state, source="it")
    assert torch.equal(ours[0].weight, state["0.weight"])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda state: state.pop("1.bias"), r"other\.pt was made .*: 1 tensors missing \(1\.bias\)"),
        (lambda state: state.update(head=torch.zeros(1)), r"1 tensors left over \(head\)"),
        (
            lambda state: state.update({"0.bias": torch.zeros(5)}),
            r"1 tensors of another shape \(0\.bias \(5,\) instead of \(4,\)\)",
        ),
        (lambda state: state.clear(), r"6 tensors missing \(0\.weight, 0\.bias, 1\.weight, …\)"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(
    change: Callable[[dict[str, Tensor]], Any], expected: str
) -> None:
    ours, state = network(), dict(network().state_dict())
    before = {key: value.clone() for key, value in ours.state_dict().items()}
    change(state)
    with pytest.raises(WeightsError, match=expected):
        load_strictly(ours, state, source="other.pt")
    assert same(dict(ours.state_dict()), before)
