"""Hostile and damaged checkpoints of detectors: nothing in them runs, and one sentence says what is wrong."""

from __future__ import annotations

import builtins
import copy
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mobilesamv2.errors import WeightsError
from mobilesamv2.models.detector.ultralytics_import import ultralytics_module
from mobilesamv2.weights import read_state_dict
from mobilesamv2.weights.detector_files import read_detector
from mobilesamv2.weights.detector_pickle import is_pickled_ultralytics
from mobilesamv2.weights.detector_program import follow, read_program

from ..detector_checkpoints import pickled, save_checkpoint, small_network, write_program

TASKS = ultralytics_module("ultralytics.nn.tasks")
LAYERS = ultralytics_module("ultralytics.nn.modules.conv")


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self.what = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> Any:
        return self.what


class Stranger(nn.Module):
    """A module of no package that anybody allowed."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        raise AssertionError("it was made")


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that hostile code would make."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "trap"


@pytest.fixture
def network() -> Any:
    """A small part of Ultralytics, enough for a file to be taken for a checkpoint of it."""
    return LAYERS.Conv(3, 8)


def read(path: Path) -> tuple[Any, dict[str, Tensor]]:
    return read_detector(path, read_state_dict=read_state_dict)


HOSTILE: dict[str, Callable[[Path], Any]] = {
    "system": lambda trap: Call(os.system, f"touch {trap}"),
    "eval": lambda trap: Call(builtins.eval, f"open({str(trap)!r}, 'w')"),
    "exec": lambda trap: Call(builtins.exec, f"open({str(trap)!r}, 'w')"),
    "open": lambda trap: Call(open, str(trap), "w"),
    "import": lambda trap: Call(__import__, "this"),
    "torch.load": lambda trap: Call(torch.load, str(trap.with_name("second.pt")), None, None),
    "torch.hub.load": lambda trap: Call(torch.hub.load, str(trap.parent), "model"),
    "getattr of a function": lambda trap: Call(getattr, os.path.join, "__globals__"),
    "getattr of a class": lambda trap: Call(getattr, nn.Module, "__init__"),
    "getattr of a method": lambda trap: Call(getattr, nn.Module, "register_module"),
    "a call of a class": lambda trap: Call(TASKS.DetectionModel, "yolov8n.yaml"),
    "a call of a class with its own layers": lambda trap: Call(
        TASKS.DetectionModel, {"nc": 1, "activation": f"open({str(trap)!r}, 'w')", "backbone": [], "head": []}
    ),
    "a class that loads another file": lambda trap: Call(
        ultralytics_module("ultralytics.nn.distill_model").DistillationModel,
        str(trap.with_name("second.pt")),
        LAYERS.Conv(3, 8),
    ),
    "a call by way of torch": lambda trap: Call(
        torch._tensor._rebuild_from_type_v2, TASKS.DetectionModel, torch.Tensor, ("yolov8n.yaml",), {}
    ),
    "a module of a stranger": lambda trap: Stranger(),
    "a state of a stranger": lambda trap: Call(
        ultralytics_module("ultralytics.nn.distill_model").DistillationModel.__new__,
        ultralytics_module("ultralytics.nn.distill_model").DistillationModel,
        state={"student_model": LAYERS.Conv(3, 8)},
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("beside", ["a network", "nothing"])
def test_nothing_in_a_hostile_checkpoint_runs(what: str, beside: str, trap: Path, network: Any) -> None:
    torch.save({"model": Call(os.system, f"touch {trap}")}, trap.with_name("second.pt"))
    content: dict[str, Any] = {"model": network} if beside == "a network" else {}
    torch.save({**content, "more": HOSTILE[what](trap)}, trap.with_name("bad.pt"))
    with pytest.raises(WeightsError) as caught:
        read(trap.with_name("bad.pt"))
    assert not trap.exists()
    assert "bad.pt" in str(caught.value)
    assert str(caught.value).count(". ") <= 1
    assert "weights_only=False" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_call_that_was_refused_is_named(trap: Path, network: Any) -> None:
    torch.save({"model": network, "more": HOSTILE["system"](trap)}, trap.with_name("bad.pt"))
    with pytest.raises(WeightsError, match=r'bad\.pt would run "(posix|nt)\.system" when it is read'):
        read(trap.with_name("bad.pt"))


def test_activations_are_not_evaluated(trap: Path) -> None:
    network = small_network()
    network.yaml["activation"] = f"open({str(trap)!r}, 'w')"
    path = save_checkpoint(trap.with_name("bad.pt"), network)
    with pytest.raises(WeightsError, match="its activation is not known"):
        read(path)
    assert not trap.exists()


def test_no_method_or_hook_of_a_loaded_network_is_called(trap: Path) -> None:
    network = copy.deepcopy(small_network())  # its activation is one that all networks share
    expected = {name: value.half() for name, value in network.state_dict().items()}
    network.half()
    for part in network.modules():  # any of these would raise when it is called without what it wants
        part.__dict__["state_dict"] = part.__dict__["float"] = part.__dict__["named_parameters"] = LAYERS.Concat()
        part._state_dict_pre_hooks[0] = LAYERS.Concat()
        part._state_dict_hooks[0] = LAYERS.Concat()
    torch.save({"model": None, "ema": network}, trap.with_name("odd.pt"))
    found = read(trap.with_name("odd.pt"))[1]
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name].float(), expected[name].float()) for name in expected)


def test_a_network_within_itself_is_refused(trap: Path, network: Any) -> None:
    network.add_module("again", network)
    torch.save({"model": network}, trap.with_name("bad.pt"))
    with pytest.raises(WeightsError, match="nested too deeply"):
        read(trap.with_name("bad.pt"))


def test_tensors_of_another_kind_are_refused(trap: Path, network: Any) -> None:
    network.conv.weight = nn.Parameter(torch.zeros(2, 3).to_sparse(), requires_grad=False)
    torch.save({"model": network}, trap.with_name("bad.pt"))
    with pytest.raises(WeightsError, match=r"bad\.pt"):
        read(trap.with_name("bad.pt"))


@pytest.mark.parametrize("content", [{"model": None}, {"model": 3, "ema": "x"}, {}, []], ids=str)
def test_a_checkpoint_without_a_network_is_refused(content: Any, trap: Path) -> None:
    names = ultralytics_module("ultralytics.utils").IterableSimpleNamespace(a=1)
    whole = {**content, "train_args": names} if isinstance(content, dict) else [names]
    torch.save(whole, trap.with_name("bad.pt"))
    with pytest.raises(WeightsError, match=r"bad\.pt"):
        read(trap.with_name("bad.pt"))


def test_a_pickle_without_an_archive_is_refused_and_does_not_run(trap: Path) -> None:
    trap.with_name("bad.pt").write_bytes(pickled({"model": Call(os.system, f"touch {trap}")}))
    with pytest.raises(WeightsError, match=r"bad\.pt"):
        read(trap.with_name("bad.pt"))
    assert not trap.exists()


@pytest.mark.parametrize("legacy", ["stream", "tar", "torchscript"])
def test_older_containers_are_refused_and_do_not_run(legacy: str, trap: Path) -> None:
    path = trap.with_name("bad.pt")
    hostile = {"model": Call(os.system, f"touch {trap}")}
    if legacy == "stream":
        torch.save(hostile, path, _use_new_zipfile_serialization=False)
    elif legacy == "tar":
        with tarfile.open(path, "w") as archive:
            for name in ("sys_info", "pickle", "storages", "tensors"):
                content = pickled(hostile)
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    else:
        write_program(path, b"\x80\x02cultralytics.nn.tasks\nDetectionModel\n.")
    with pytest.raises(WeightsError, match=r"bad\.pt"):
        read(path)
    assert not trap.exists()


@pytest.mark.parametrize("kept", [0, 1, 100, 3000])
def test_a_checkpoint_that_is_cut_short_is_refused(kept: int, trap: Path, network: Any) -> None:
    torch.save({"model": network}, trap.with_name("whole.pt"))
    trap.with_name("bad.pt").write_bytes(trap.with_name("whole.pt").read_bytes()[:kept])
    with pytest.raises(WeightsError, match=r"bad\.pt"):
        read(trap.with_name("bad.pt"))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_newer_protocols_are_refused(protocol: int, trap: Path, network: Any) -> None:
    torch.save({"model": network}, trap.with_name("bad.pt"), pickle_protocol=protocol)
    with pytest.raises(WeightsError, match=r"bad\.pt"):
        read(trap.with_name("bad.pt"))


def test_what_ultralytics_allows_is_taken_back(trap: Path, network: Any) -> None:
    before = set(torch.serialization.get_safe_globals())
    torch.save({"model": network}, trap.with_name("part.pt"))
    with pytest.raises(WeightsError, match="no detection head"):
        read(trap.with_name("part.pt"))
    assert set(torch.serialization.get_safe_globals()) == before
    with pytest.raises(WeightsError, match="no plain checkpoint"):
        read_state_dict(trap.with_name("part.pt"))


def test_a_plain_state_dict_is_no_pickle_of_ultralytics(trap: Path, network: Any) -> None:
    torch.save(network.state_dict(), trap.with_name("plain.pt"))
    torch.save({"model": network}, trap.with_name("whole.pt"))
    assert not is_pickled_ultralytics(trap.with_name("plain.pt"))
    assert is_pickled_ultralytics(trap.with_name("whole.pt"))
    assert not is_pickled_ultralytics(trap.with_name("nothing.pt"))


def test_calls_are_followed_through_the_memo_and_attributes_kept_with_getattr(trap: Path) -> None:
    program = follow(pickled([Call(os.getpid), Call(getattr, Call(os.getpid), "forward"), Call(os.getpid)]))
    assert program is not None
    pid = (f"{os.getpid.__module__}.getpid", "")
    assert program.calls == (pid, pid, ("__builtin__.getattr", "forward"), pid)


@pytest.mark.parametrize(
    "program",
    [b"", b"\x80\x02", b"\x80\x02R.", b"\x80\x02h\x05.", b"\x80\x02t.", b"\x80\x02)0.", b"\xff\xff"],
)
def test_a_program_that_no_checkpoint_has_is_not_followed(program: bytes, trap: Path) -> None:
    assert follow(program) is None
    assert read_program(write_program(trap.with_name("odd.pt"), program)) is None
