"""Requirements, constraints, the Space's front matter, the README's commands, the examples' credits."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version
from PIL import Image

from mobilesamv2 import zoo
from mobilesamv2.web.settings import HOSTED_MODEL

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SPACE_COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
# "Supported versions" of the documentation of ZeroGPU, autumn 2026.
ZERO_GPU_TORCH = ("2.8.0", "2.9.1", "2.10.0", "2.11.0")


def _front_matter() -> dict[str, Any]:
    parts = README.split("---\n", 2)
    assert parts[0] == "", "the front matter must be the first thing in README.md"
    values = yaml.safe_load(parts[1])
    assert isinstance(values, dict)
    return values


def _lines(name: str, *, python: str = "3.11") -> list[Requirement]:
    text = (ROOT / name).read_text(encoding="utf-8")
    stripped = (line.split("#")[0].strip() for line in text.splitlines())
    lines = [Requirement(line) for line in stripped if line]
    return [line for line in lines if line.marker is None or line.marker.evaluate({"python_version": python})]


def _name(requirement: Requirement) -> str:
    return re.sub(r"[-_.]+", "-", requirement.name).lower()


REQUIREMENTS = {_name(line): line for line in _lines("requirements.txt")}
SPACE_REQUIREMENTS = {_name(line): line for line in _lines("requirements.txt", python="3.12")}
CONSTRAINTS = {_name(line): line for line in _lines("constraints.txt")}


def _pinned(name: str) -> str:
    (specifier,) = CONSTRAINTS[name].specifier
    assert specifier.operator == "=="
    return specifier.version


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_the_tested_version_is_within_the_required_range(name: str) -> None:
    assert REQUIREMENTS[name].specifier.contains(_pinned(name))


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_constraints_pin_one_public_version_each(name: str) -> None:
    assert not Version(_pinned(name)).local


def test_torch_is_tested_at_2_13() -> None:
    assert _pinned("torch") == "2.13.0"


@pytest.mark.parametrize("version", ZERO_GPU_TORCH)
def test_requirements_admit_every_torch_of_zero_gpu(version: str) -> None:
    assert SPACE_REQUIREMENTS["torch"].specifier.contains(version)


def test_a_space_gets_no_torch_newer_than_zero_gpu_runs() -> None:
    # It takes the newest version that the range admits.
    newest = max(map(Version, ZERO_GPU_TORCH))
    assert not SPACE_REQUIREMENTS["torch"].specifier.contains(f"2.{newest.minor + 1}.0")


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_constraints_and_requirements_agree_on_every_python(python: str) -> None:
    requirements, constraints = (_lines(name, python=python) for name in ("requirements.txt", "constraints.txt"))
    pinned = {_name(line): line.specifier for line in constraints}
    assert len(pinned) == len(constraints), "one version of each for one Python"
    assert {_name(line) for line in requirements} == set(REQUIREMENTS)
    for line in requirements:
        (pin,) = pinned[_name(line)]
        assert line.specifier.contains(pin.version), line


def test_requirements_leave_pydantic_to_gradio() -> None:
    # gradio[mcp], which a Space installs, allows only some versions of it.
    assert "pydantic" not in REQUIREMENTS


def test_the_space_installs_the_gradio_that_is_tested() -> None:
    version = str(_front_matter()["sdk_version"])
    assert version == _pinned("gradio")
    assert REQUIREMENTS["gradio"].specifier.contains(version)


def test_the_front_matter_is_what_a_space_accepts() -> None:
    values = _front_matter()
    assert values["sdk"] == "gradio"
    assert values["python_version"] == "3.12"
    assert (ROOT / values["app_file"]).is_file()
    assert 0 < len(values["short_description"]) <= 60
    assert values["license"] == "agpl-3.0"
    assert {values["colorFrom"], values["colorTo"]} <= SPACE_COLOURS
    assert values["emoji"]
    assert values["models"]
    assert values["tags"]
    assert values["suggested_hardware"] == "zero-a10g"
    assert "hardware" not in values  # a Space ignores it; the hardware is chosen on its settings page


def test_a_space_has_the_files_of_the_model_it_starts_with() -> None:
    values = _front_matter()
    preloaded = {
        (repo, name)
        for line in values["preload_from_hub"]
        for repo, names in [line.split(" ")[:2]]
        for name in names.split(",")
    }
    entry = zoo.MODELS[HOSTED_MODEL]
    files = [*entry.files.values(), *zoo.DETECTORS[entry.detector].files.values()]
    assert preloaded == {(file.repo, file.filename) for file in files}
    assert set(values["models"]) == {repo for repo, _ in preloaded}


SPACE_ADDS = ("uvicorn", "websockets", "spaces", "datasets")
"""What the builder of a Gradio Space installs in the same command as requirements.txt, besides Gradio."""


@pytest.mark.slow
def test_what_a_space_installs_can_be_resolved_for_its_python(tmp_path: Path) -> None:
    values = _front_matter()
    asked = [f"gradio[oauth,mcp]=={values['sdk_version']}", *SPACE_ADDS]
    options = ["--dry-run", "--quiet", "--only-binary=:all:", f"--python-version={values['python_version']}"]
    options += [f"--target={tmp_path}", f"--report={tmp_path / 'report.json'}"]
    # pip would read markers as for the Python that runs it.
    asked += [f"{line.name}{line.specifier}" for line in SPACE_REQUIREMENTS.values()]
    command = [sys.executable, "-m", "pip", "install", *options, *asked]
    try:
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    except subprocess.TimeoutExpired:
        pytest.skip("the package index does not answer within five minutes")
    if run.returncode and not re.search(r"ResolutionImpossible|conflicting dependencies", run.stderr):
        pytest.skip(f"the package index cannot be used: {run.stderr.strip().splitlines()[-1]}")
    assert run.returncode == 0, run.stderr
    found = json.loads((tmp_path / "report.json").read_text())["install"]
    versions = {_name(Requirement(each["metadata"]["name"])): each["metadata"]["version"] for each in found}
    assert versions["gradio"] == values["sdk_version"]
    assert {_name(line) for line in SPACE_REQUIREMENTS.values()} <= set(versions)
    assert Version(versions["torch"]).release[:2] in {Version(each).release[:2] for each in ZERO_GPU_TORCH}


def test_test_tools_are_pinned_too() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = [Requirement(line) for line in project["optional-dependencies"]["test"]]
    for requirement in extra:
        assert requirement.specifier.contains(_pinned(_name(requirement)))


def _code_block(heading: str) -> str:
    match = re.search(rf"^## {heading}\n.*?^```bash\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    assert match is not None, f"README.md has no command under {heading}"
    return match.group(1).strip()


def test_the_app_command_installs_the_tested_versions_and_starts_the_app() -> None:
    command = _code_block("Run it")
    assert "\n" not in command
    assert "-m venv" in command
    assert "-c constraints.txt" in command
    assert command.endswith("app.py")


def test_continuous_integration_runs_the_command_of_the_readme(tmp_path: Path) -> None:
    # A copy of the repository's two scripts, in which the README's command is another one.
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "run").write_bytes((ROOT / ".ci" / "run").read_bytes())
    for code in (0, 3):
        readme = README.replace("\nbash check.sh\n", f"\necho ran in $VENV; exit {code}\n")
        (tmp_path / "README.md").write_text(readme, encoding="utf-8")
        run = subprocess.run(["bash", ".ci/run"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert run.returncode == code
        assert re.search(r"^ran in /.*/venv$", run.stdout, flags=re.MULTILINE)


def test_continuous_integration_fails_when_the_readme_has_no_test_command(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "run").write_bytes((ROOT / ".ci" / "run").read_bytes())
    (tmp_path / "README.md").write_text("# Nothing here\n")
    run = subprocess.run(["bash", ".ci/run"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "no code block" in run.stderr


AUDITS = {
    "No known vulnerabilities found": (0, 0, "No dependency has a known weakness."),
    "Found 2 known vulnerabilities in 1 package": (1, 1, "Found 2 known vulnerabilities"),
    "ERROR: Max retries exceeded": (1, 0, "cannot be reached"),
    "numpy  Dependency not found and could not be audited": (0, 0, "Of 1 dependencies"),
}
"""What pip-audit prints: its exit status, that of `.ci/audit`, and what that says."""


@pytest.mark.parametrize("said", AUDITS)
def test_the_audit_fails_only_where_a_weakness_is_named(tmp_path: Path, said: str) -> None:
    status, expected, told = AUDITS[said]
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho '{said}'\nexit {status}\n", encoding="utf-8")
    python.chmod(0o755)
    run = subprocess.run(["bash", ROOT / ".ci" / "audit", python], capture_output=True, text=True, check=False)
    assert run.returncode == expected
    assert told in run.stdout + run.stderr


@pytest.mark.parametrize("script", ["check.sh", ".ci/run", ".ci/audit"])
def test_scripts_can_be_run_and_parse(script: str) -> None:
    assert os.stat(ROOT / script).st_mode & stat.S_IXUSR
    subprocess.run(["bash", "-n", script], cwd=ROOT, check=True)


def test_every_example_photograph_is_credited_and_moderate_in_size() -> None:
    credits_text = (ROOT / "examples" / "CREDITS.md").read_text(encoding="utf-8")
    photographs = sorted((ROOT / "examples" / "images").iterdir())
    assert len(photographs) >= 6
    credited = re.findall(r"^\| `([^`]+)` \|", credits_text, flags=re.MULTILINE)
    assert credited == [path.name for path in photographs]
    for path in photographs:
        with Image.open(path) as image:
            assert max(image.size) <= 1600, path.name
        assert path.stat().st_size < 1_000_000, path.name


def test_no_example_photograph_has_a_licence_that_forbids_changes_or_binds_them() -> None:
    credits_text = (ROOT / "examples" / "CREDITS.md").read_text(encoding="utf-8")
    rows = [line for line in credits_text.splitlines() if line.startswith("| `")]
    for row in rows:
        assert re.search(r"\[(CC0 1\.0|CC BY [234]\.0|public domain)\]\(https://", row), row


def test_paths_that_the_map_names_exist() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = contributing.split("## Where things are")[1].split("## ")[0]
    rows = re.findall(r"^\| (`.+?`) \|", block, flags=re.MULTILINE)
    named = [name for row in rows for name in row.split("`")[1::2]]
    assert len(named) > 20
    for name in named:
        within = ROOT if (ROOT / name).exists() else ROOT / "mobilesamv2"
        assert (within / name).exists(), name


def test_licence_names_itself_as_pyproject_does() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    notice = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert f"SPDX-License-Identifier: {project['license']}" in notice
    assert "https://www.gnu.org/licenses/agpl-3.0.html" in notice
