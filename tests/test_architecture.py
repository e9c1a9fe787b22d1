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
    ["filters"],
    ["request"],
    ["results"],
    ["stopwatch"],
    ["models"],
    ["prompts"],
    ["zoo"],
    ["weights"],
    ["build"],
    ["postprocess", "promptable", "stored"],
    ["segmenter"],
    ["comparison", "raw_masks"],
    ["loading"],
    ["render", "export", "evaluate"],
    ["web", "cli"],
    ["__main__"],
]
HEIGHT = {name: height for height, layer in enumerate(LAYERS) for name in layer}

# Packages that few may know: the files, or the folder, that may.
RESERVED = {
    "ultralytics": ("models/detector/", "weights/detector_"),
    "gradio": ("web/layout/",),
    "spaces": ("web/layout/",),
    "huggingface_hub": ("weights/",),
    "torchvision": (),
}

PUBLIC = {
    "Comparison",
    "Embedding",
    "InvalidImageError",
    "MaskFilters",
    "Masks",
    "MobileSamError",
    "PartialMasks",
    "Progress",
    "PromptError",
    "Prompts",
    "Request",
    "SegmentationResult",
    "Segmenter",
    "UnknownModelError",
    "ViewFilters",
    "WeightsError",
    "WeightsUnreachableError",
    "__version__",
    "compare",
    "load",
    "models",
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
