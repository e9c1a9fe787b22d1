"""The examples of docs/batch.md: commands that the program takes, and a program that reads what is written."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from mobilesamv2.batch.rows import schema
from mobilesamv2.batch.store import Store
from mobilesamv2.batch.worker import Worker
from mobilesamv2.cli import _parser
from tests.batch.fakes import photograph, work

pytest.importorskip("pyarrow")

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "batch.md").read_text(encoding="utf-8")


def test_the_commands_are_taken() -> None:
    (block,) = re.findall(r"```bash\n(.*?)```", TEXT, flags=re.DOTALL)
    commands = [shlex.split(line, comments=True) for line in block.splitlines() if line.startswith("mobilesamv2")]
    assert len(commands) >= 5
    for command in commands:
        assert _parser().parse_args(command[1:]).sources


def test_the_table_has_every_column() -> None:
    table = TEXT.split("| column | type |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)`", table, flags=re.MULTILINE) == schema().names


def test_every_number_of_a_mask_is_named() -> None:
    (row,) = re.findall(r"^\| `annotations`.*$", TEXT, flags=re.MULTILINE)
    kind = schema().field("annotations").type.value_type
    assert all(f"`{kind.field(index).name}`" in row for index in range(kind.num_fields))


def test_the_results_can_be_read_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names = [str(photograph(tmp_path / "a.png")), str(tmp_path / "none.png")]
    Worker(work(), Store.opened("out", {})).do_part(names)
    (program,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    exec(program, {})  # it is our own text
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{names[0]} 2 0.08")
    assert second.startswith(f"{names[1]} There is no file")
