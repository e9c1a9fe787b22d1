"""Nothing that a checkpoint holds is ever run: not by what the package calls, and not by trying it."""

from __future__ import annotations

import ast
import dataclasses
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants as hub_constants
from safetensors.torch import save_file

import mobilesamv2
from mobilesamv2 import zoo
from mobilesamv2.cli import main
from mobilesamv2.errors import WeightsError
from mobilesamv2.models.sam import Sam
from mobilesamv2.weights import convert
from tests.fake_hub import FakeHub, running_hub
from tests.tiny import TINY, tiny_sam

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [*sorted((ROOT / "mobilesamv2").rglob("*.py")), ROOT / "app.py"]

UNPICKLERS = {
    "pickle",
    "_pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
    "torch.hub",
}
"""Modules whose readers run what they read; of `pickle` only the errors are used."""
HARMLESS = {"pickle.UnpicklingError"}
DANGEROUS_NUMPY = {"allow_pickle"}


def called(node: ast.Call) -> str:
    """What a call calls, as it is written: "torch.load"."""
    return ast.unparse(node.func)


def violations(source: str) -> list[str]:
    """What in a program might run code from a file, in words."""
    tree = ast.parse(source)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in UNPICKLERS:
            found.append(f"takes names from {node.module}")
        if isinstance(node, ast.ImportFrom) and node.module in ("torch", "torch.serialization"):
            found += [f"takes {alias.name} out of torch" for alias in node.names if alias.name == "load"]
        if isinstance(node, ast.Import):
            found += [
                f"imports {alias.name} as {alias.asname}"
                for alias in node.names
                if alias.name in UNPICKLERS - {"pickle"} or (alias.name in ("pickle", "torch") and alias.asname)
            ]
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "pickle":
            name = f"pickle.{node.attr}"
            found += [name] if name not in HARMLESS else []
        if isinstance(node, ast.keyword) and node.arg in DANGEROUS_NUMPY:
            found.append(f"{node.arg} is given")
        if (
            isinstance(node, ast.Attribute)
            and node.attr == "load"
            and ast.unparse(node.value)
            in (
                "torch",
                "torch.serialization",
                "torch.jit",
                "torch.package",
            )
        ):
            calls = [call for call in ast.walk(tree) if isinstance(call, ast.Call) and call.func is node]
            if not calls:
                found.append(f"{ast.unparse(node)} is handed on")
        if isinstance(node, ast.Call):
            found += list(_call_violations(node))
    return found


def _call_violations(node: ast.Call) -> list[str]:
    name, options = called(node), {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    if name in ("torch.load", "torch.serialization.load") and options.get("weights_only") != "True":
        return [f"{name} without weights_only=True"]
    if name.startswith(("torch.jit.load", "torch.package", "torch.hub")):
        return [f"{name} runs what it reads"]
    if name.endswith("torch_safe_load") and options.get("safe_only") != "True":
        return [f"{name} without safe_only=True"]
    if name.rpartition(".")[2] in (
        "attempt_load_one_weight",
        "attempt_load_weights",
        "load_checkpoint",
        "YOLO",
    ):
        return [f"{name} unpickles"]
    if name in ("eval", "exec", "compile", "__import__"):
        return [f"{name} runs text"]
    return []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_in_the_package_unpickles(path: Path) -> None:
    assert violations(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle\npickle.loads(b'')",
        "import pickle\npickle.Unpickler(f).load()",
        "import pickle as harmless\nharmless.loads(b'')",
        "from pickle import loads",
        "import dill",
        "import torch\ntorch.load('a')",
        "import torch\ntorch.load('a', weights_only=False)",
        "import torch\ntorch.load('a', weights_only=flag)",
        "import torch\ntorch.load('a', **options)",
        "import torch\nread = torch.load\nread('a')",
        "import torch as t\nt.load('a')",
        "from torch import load",
        "import torch\ntorch.jit.load('a')",
        "import torch\ntorch.hub.load('a', 'b')",
        "tasks.torch_safe_load('a')",
        "tasks.torch_safe_load('a', safe_only=False)",
        "from ultralytics import YOLO\nYOLO('a.pt')",
        "import numpy as np\nnp.load('a', allow_pickle=True)",
        "eval('1')",
    ],
)
def test_the_test_above_sees_what_it_must_see(source: str) -> None:
    assert violations(source)


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.load('a', weights_only=True)",
        "import pickle\ntry:\n    pass\nexcept pickle.UnpicklingError:\n    pass",
        "tasks.torch_safe_load('a', safe_only=True)",
        "import json\njson.load(f)",
        "model.eval()",
    ],
)
def test_the_test_above_lets_safe_programs_pass(source: str) -> None:
    assert violations(source) == []


# Hostile files -------------------------------------------------------------------------------------------------


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def hostile_contents(bomb: Hostile, state: dict[str, torch.Tensor]) -> dict[str, Any]:
    return {
        "bare": bomb,
        "beside tensors": {**state, "extra": bomb},
        "wrapped": {"model": state, "optimizer": bomb},
        "in the wrapper": {"state_dict": {**state, "extra": bomb}},
        "decoder": {"PromtEncoder": bomb, "MaskDecoder": state},
        "Ultralytics": {"epoch": -1, "model": bomb, "ema": None, "train_args": {}},
    }


CONTENTS = ("bare", "beside tensors", "wrapped", "in the wrapper", "decoder", "Ultralytics")
FORMS = ("zip", "legacy", "pickle")
PLACES = ("model", "encoder", "decoder", "detector", "converted", "command line", "folder", "hub")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole tiny model."""
    path = tmp_path_factory.mktemp("good") / "tiny.safetensors"
    save_file(tiny_sam().state_dict(), path)
    return path


@pytest.fixture
def tiny_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows of the zoo with a tiny network: one whose hash nobody knows, and one in two files."""
    for name in ("mobilesam", "mobilesamv2-tinyvit"):
        entry = zoo.MODELS[name]
        files = {
            part: dataclasses.replace(file, filename=f"{part}.pt", bytes=None, sha256=None)
            for part, file in entry.files.items()
        }
        monkeypatch.setitem(
            zoo.MODELS, name, dataclasses.replace(entry, config=TINY, files=files, detector="nano-objects")
        )
    for variable in ("MOBILESAMV2_OFFLINE", "HF_HUB_OFFLINE", "MOBILESAMV2_WEIGHTS_DIR"):
        monkeypatch.delenv(variable, raising=False)


def read_in(place: str, path: Path, good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a file read in one of the places where files are read."""
    if place == "model":
        mobilesamv2.load("mobilesam", weights=path, device="cpu")
    elif place in ("encoder", "decoder"):
        pair = {"encoder": good, "decoder": good} | {place: path}
        mobilesamv2.load("mobilesamv2-tinyvit", weights=pair, device="cpu")
    elif place == "detector":
        mobilesamv2.load("mobilesam", weights=good, detector=path, device="cpu")
    elif place == "converted":
        convert({"whole": path}, path.with_name("new.safetensors"))
    elif place == "command line":
        assert main(["weights", "convert", str(path), str(path.with_name("new.safetensors"))]) == 1
        raise WeightsError("as a sentence on stderr")
    elif place == "folder":
        path.rename(path.with_name("whole.pt"))
        monkeypatch.setenv("MOBILESAMV2_WEIGHTS_DIR", str(path.parent))
        mobilesamv2.load("mobilesam", device="cpu")
    else:
        monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(path.with_name("cache")))
        files = {"dhkim2810/MobileSAM/whole.pt": path.read_bytes()}
        with running_hub(FakeHub(files=files)) as hub:
            monkeypatch.setenv("HF_ENDPOINT", hub.address)
            mobilesamv2.load("mobilesam", device="cpu")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")  # torch, before it refuses
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", PLACES)
def test_code_in_a_checkpoint_is_not_run_in_any_place(
    place: str, form: str, good: Path, tiny_rows: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trace = tmp_path / "it-ran"
    state = {name: value.clone() for name, value in tiny_sam().state_dict().items()}
    for name, content in hostile_contents(Hostile(trace), state).items():
        folder = tmp_path / name
        folder.mkdir()
        file = folder / "given.pt"
        if form == "pickle":
            file.write_bytes(pickle.dumps(content))
        else:
            torch.save(content, file, _use_new_zipfile_serialization=form == "zip")
        with pytest.raises(WeightsError) as caught:
            read_in(place, file, good, monkeypatch)
        assert "\n" not in str(caught.value)
        assert "weights_only" not in str(caught.value)
        assert not trace.exists(), f"{place}, {form}, {name}"


def test_the_tiny_rows_of_the_tests_above_load_what_is_good(good: Path, tiny_rows: None) -> None:
    pair = {"encoder": good, "decoder": good}
    for name, weights in (("mobilesam", good), ("mobilesamv2-tinyvit", pair)):
        assert isinstance(mobilesamv2.load(name, weights=weights, device="cpu").sam, Sam)
