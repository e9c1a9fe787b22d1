from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import tables
from benchmarks.harness import RESULTS


@pytest.mark.parametrize("page", tables.PAGES, ids=lambda page: page.name)
def test_a_page_shows_the_committed_results(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert tables.with_tables(text) == text, "run python -m benchmarks.tables"


def test_every_committed_result_is_shown() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in tables.PAGES)
    shown = set(tables.SECTION.findall(text))
    assert {name for _, name, _ in shown} == {path.stem for path in RESULTS.glob("*.json")}


@pytest.mark.parametrize("page", tables.PAGES, ids=lambda page: page.name)
def test_all_results_of_a_page_are_of_one_machine_with_the_same_versions(page: Path) -> None:
    names = {name for _, name, _ in tables.SECTION.findall(page.read_text(encoding="utf-8"))}
    machines = [json.loads((RESULTS / f"{name}.json").read_text())["machine"] for name in names]
    assert machines
    assert all(machine == machines[0] for machine in machines)


def test_a_section_is_replaced_by_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "speed.json").write_text(json.dumps({"rows": [{"what": "decoder", "ms": 12.3}]}))
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    text = "before\n<!-- speed -->\nold\n<!-- end -->\nafter"
    expected = "before\n<!-- speed -->\n| what | ms |\n|---|---|\n| decoder | 12.3 |\n<!-- end -->\nafter"
    assert tables.with_tables(text) == expected
    assert tables.with_tables(expected) == expected
