"""What the benchmarks say is made of: ratios, tables, and the comparison with committed results."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import torch

from benchmarks import regression
from benchmarks.decoder import multiply_adds
from benchmarks.harness import Paired, paired, report
from mobilesamv2.models.kernels.linear import activated_linear
from mobilesamv2.models.kernels.parallel import in_parallel


def test_a_ratio_is_the_median_over_neighbours_and_not_that_of_medians() -> None:
    times = Paired(first=(1.0, 2.0, 10.0), second=(3.0, 4.0, 80.0))  # the machine grew slower on the way
    assert times.first_seconds == 2
    assert times.second_seconds == 4
    assert times.ratio == 3


def test_two_things_run_in_turns_after_warming_up() -> None:
    seen = []
    times = paired(lambda: seen.append("a"), lambda: seen.append("b"), rounds=2, warm_up=1)
    assert seen == ["a", "b"] * 3
    assert len(times.first) == len(times.second) == 2


def test_a_report_prints_a_table_and_writes_rows_with_the_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    into = tmp_path / "new" / "result.json"
    report("speed", [{"what": "decoder", "times faster": 6.54321}], into=into, rate=3)
    written = json.loads(into.read_text())
    assert written["rows"] == [{"what": "decoder", "times faster": 6.54321}]
    assert written["rate"] == 3
    assert written["machine"]["torch"] == torch.__version__
    assert "| decoder | 6.54 |" in capsys.readouterr().out


def test_multiply_adds_of_a_linear_layer_are_counted_fused_or_not() -> None:
    x, weight = torch.randn(5, 7, 11), torch.randn(13, 11)
    plain = multiply_adds(lambda: torch.nn.functional.linear(x, weight))
    assert plain == 5 * 7 * 11 * 13
    assert multiply_adds(lambda: activated_linear(x, weight, None, "gelu")) == plain


def test_multiply_adds_of_pieces_in_parallel_are_counted() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        a = torch.randn(4, 4)
        assert multiply_adds(lambda: in_parallel([lambda: a @ a] * 3)) == 3 * 4**3
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("ratio", "slower"), [(5.0, False), (3.8, False), (3.6, True)])
def test_a_ratio_far_below_the_committed_one_is_told(
    ratio: float,
    slower: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "decoder.json").write_text(json.dumps({"rows": [{"what": "64 boxes", "times faster": 5.0}]}))
    monkeypatch.setattr(regression, "RESULTS", tmp_path)
    monkeypatch.setattr(regression, "BENCHMARKS", ("decoder",))
    monkeypatch.setattr("sys.argv", ["regression"])

    def run(command: list[str], **_: object) -> None:
        into = command[command.index("--into") + 1]
        report("decoder", [{"what": "64 boxes", "times faster": ratio}], into=tmp_path / "now.json")
        (tmp_path / "now.json").rename(into)

    monkeypatch.setattr(subprocess, "run", run)
    if slower:
        with pytest.raises(SystemExit, match="Slower than before: decoder, 64 boxes"):
            regression.main()
    else:
        regression.main()
    assert f"{ratio:.2f} times faster, committed 5.00" in capsys.readouterr().out
