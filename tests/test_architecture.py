"""Imports point one way, heavy packages are known to few files, and the public names are these."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import mobilesamv2

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "mobilesamv2"
FILES = sorted(PACKAGE.rglob("*.py"))

# From the bottom up: a file may import from its own layer and from those below.
LAYERS = [
    ["errors", "arrays", "progress", "formatting", "geometry", "inference", "warning_filters"],
    ["types", "ops", "images"],
    ["nesting", "sampler_kinds", "seams"],
    ["filters"],
    ["request"],
    ["results"],
    ["stopwatch"],
    ["models"],
    ["prompts"],
    ["zoo"],
    ["weights"],
    ["build"],
    ["onnx"],
    ["postprocess", "promptable", "stored"],
    ["segmenter"],
    ["comparison", "raw_masks", "tiles"],
    ["loading"],
    ["render", "export", "evaluate"],
    ["batch"],
    ["web", "cli"],
    ["__main__"],
]
HEIGHT = {name: height for height, layer in enumerate(LAYERS) for name in layer}

# Rooms of `models/`: each may import itself and these. SAM's own rooms know nothing of nano, and kernels know no room.
ROOMS: dict[str, set[str]] = {
    "kernels": set(),
    "layers": {"kernels"},
    "preprocess": set(),
    "efficientnet_lite": {"kernels", "layers"},
    "encoders": {"kernels", "layers"},
    "prompt_encoder": {"layers"},
    "mask_decoder": {"kernels", "layers"},
    "nano": {"kernels", "layers", "preprocess", "efficientnet_lite"},
    "detector": {"efficientnet_lite"},
    "promptable": {"preprocess"},
    "sam": {"encoders", "prompt_encoder", "mask_decoder", "preprocess", "promptable"},
    "chunks": {"promptable", "sam"},
}
LONGEST_FILE = 350

# Packages that few may know: the files, or the folder, that may.
RESERVED = {
    "ultralytics": ("models/detector/", "weights/detector_"),
    "gradio": ("web/layout/",),
    "spaces": ("web/layout/",),
    "prometheus_client": ("web/metrics.py",),
    "starlette": ("web/layout/",),
    "huggingface_hub": ("weights/",),
    "supervision": ("export/detections.py",),
    "torchvision": (),
    "ray": ("batch/",),
    "pyarrow": ("batch/",),
    "onnx": ("onnx/",),
    "onnxruntime": ("onnx/",),
}

PUBLIC = {
    "Comparison",
    "Embedding",
    "InvalidImageError",
    "MaskFilters",
    "Masks",
    "MobileSamError",
    "NotEnoughMemoryError",
    "PartialMasks",
    "Progress",
    "PromptError",
    "Prompts",
    "Request",
    "SegmentationResult",
    "Segmenter",
    "Tiles",
    "UnknownModelError",
    "ViewFilters",
    "WeightsError",
    "WeightsUnreachableError",
    "__version__",
    "compare",
    "load",
    "models",
    "segment_in_tiles",
}


def imported(path: Path) -> Iterator[str]:
    """Full names of the modules a file imports, wherever in the file."""
    inside = ["mobilesamv2", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*inside[: len(inside) + 1 - node.level]] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if node.module:
                yield module
            else:
                yield from (f"{module}.{alias.name}" for alias in node.names)


def layer_of(module: str) -> str | None:
    """The part of this package a module belongs to, or None for a foreign one."""
    package, _, rest = module.partition(".")
    return rest.partition(".")[0] if package == "mobilesamv2" and rest else None


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", [p for p in FILES if p != PACKAGE / "__init__.py"], ids=relative)
def test_imports_point_down(path: Path) -> None:
    # What `python -m` runs stands above everything, wherever it is.
    own = "__main__" if path.name == "__main__.py" else path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert own in HEIGHT, f"{relative(path)} belongs to no layer: add it to LAYERS"
    for module in imported(path):
        layer = layer_of(module)
        if layer is not None:
            assert HEIGHT[layer] <= HEIGHT[own], f"{relative(path)} must not import {module}"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_reserved_packages_are_imported_only_where_they_belong(path: Path) -> None:
    for module in imported(path):
        package = module.partition(".")[0]
        allowed = RESERVED.get(package, ("",))
        assert relative(path).startswith(allowed), f"{relative(path)} must not import {module}"


def room_of(module: str) -> str | None:
    """The room of `models/` a module belongs to, or None for one that is elsewhere."""
    inside = module.removeprefix("mobilesamv2.models.")
    return None if inside == module else inside.partition(".")[0]


MODEL_FILES = [path for path in FILES if (PACKAGE / "models") in path.parents]


@pytest.mark.parametrize(
    "path", [p for p in MODEL_FILES if p.parent.name != "models" or p.stem != "__init__"], ids=relative
)
def test_rooms_of_models_know_only_those_they_may(path: Path) -> None:
    own = path.relative_to(PACKAGE / "models").parts[0].removesuffix(".py")
    assert own in ROOMS, f"{relative(path)} belongs to no room: add it to ROOMS"
    for module in imported(path):
        room = room_of(module)
        if room is not None:
            assert room in ROOMS[own] | {own}, f"{relative(path)} must not import {module}"


@pytest.mark.parametrize("pattern", ["*.py", "*.js", "*.css"])
def test_no_file_is_too_long_to_be_one_idea(pattern: str) -> None:
    lengths = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob(pattern)}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_no_two_files_import_each_other() -> None:
    names = {".".join(["mobilesamv2", *p.relative_to(PACKAGE).with_suffix("").parts]): p for p in FILES}
    below = {name: {m for m in imported(path) if m in names} for name, path in names.items()}

    def climb(name: str, seen: tuple[str, ...]) -> None:
        assert name not in seen, " imports ".join([*seen, name])
        for lower in below[name]:
            climb(lower, (*seen, name))

    for name in below:
        climb(name, ())


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, mobilesamv2; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {
        "torch",
        "numpy",
        "PIL",
        "cv2",
        "gradio",
        "spaces",
        "ultralytics",
        "huggingface_hub",
        "pycocotools",
    }
    assert heavy.isdisjoint(run.stdout.split())


def test_loading_the_whole_library_loads_neither_the_page_nor_torchvision() -> None:
    code = "import sys, mobilesamv2; mobilesamv2.load, mobilesamv2.compare; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"torch", "mobilesamv2.segmenter"} <= set(run.stdout.split())
    assert {"gradio", "spaces", "ultralytics", "torchvision"}.isdisjoint(run.stdout.split())


def test_the_public_names_are_these() -> None:
    assert set(mobilesamv2.__all__) == PUBLIC
    assert list(mobilesamv2.__all__) == sorted(mobilesamv2.__all__)
    assert set(dir(mobilesamv2)) >= PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_each_public_name_is_there(name: str) -> None:
    assert getattr(mobilesamv2, name) is not None


def test_a_name_that_does_not_exist_is_an_ordinary_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'mobilesamv2' has no attribute 'segment'"):
        mobilesamv2.segment  # noqa: B018


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert mobilesamv2.__version__ == project["version"]


def test_every_subpackage_is_installed_and_the_weights_with_them() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = {path.parent for path in FILES}
    found = {".".join(["mobilesamv2", *folder.relative_to(PACKAGE).parts]) for folder in folders}
    assert set(setuptools["packages"]) == found | {"mobilesamv2.embedded"}
    assert setuptools["package-dir"] == {"mobilesamv2.embedded": "weights"}
    assert "*.safetensors" in setuptools["package-data"]["mobilesamv2.embedded"]
