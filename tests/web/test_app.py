"""`app.py` where the page cannot start."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from mobilesamv2.errors import WeightsError
from mobilesamv2.web import layout

APP = Path(__file__).resolve().parents[2] / "app.py"


def test_an_app_without_its_checkpoints_ends_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise WeightsError("nano.safetensors is not in weights/.")

    monkeypatch.setattr(layout, "make_demo", fail)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(APP), run_name="__main__")
    assert ended.value.code == "The page cannot start. nano.safetensors is not in weights/."
