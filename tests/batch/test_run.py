"""What a run does around its workers: Ray is a stand-in that does every part in this process."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from mobilesamv2.batch import run
from mobilesamv2.batch.rows import rows_of
from mobilesamv2.batch.run import Tally, run_batch
from mobilesamv2.batch.sources import SourceError
from mobilesamv2.batch.store import BatchError, Store
from mobilesamv2.progress import run_to_end

from .fakes import RayInProcess, photograph, plan, ray_in_process, work

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason='Ray: pip install -e ".[batch]"')


@pytest.fixture(autouse=True)
def ray(monkeypatch: pytest.MonkeyPatch) -> RayInProcess:
    """Ray with two workers, which take turns."""
    return ray_in_process(monkeypatch)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Forty pictures, of which one is broken."""
    for number in range(40):
        photograph(tmp_path / "in" / f"{number:02}.png")
    (tmp_path / "in" / "07.png").write_bytes(b"no picture")
    return tmp_path / "in"


def sources_in(output: Path) -> list[str]:
    parts = (output / "results").glob("*.parquet")
    return sorted(row["source"] for path in parts for row in rows_of(path.read_bytes(), ["source"]))


def test_updates_tell_how_far_a_run_is_and_what_failed(source: Path, tmp_path: Path) -> None:
    begun = plan(source, output=tmp_path / "out")
    updates = run_batch(begun, work())
    seen = [(tally.done, len(errors)) for tally, errors in updates]
    assert seen[0] == (0, 0)
    assert seen[-1][0] == 40
    assert [done for done, _ in seen] == list(range(0, 41, 2)), "each worker has eight parts or more"
    assert sum(errors for _, errors in seen) == 1
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["done"], summary["errors"], summary["is_complete"]) == (40, 1, True)


def test_parts_have_the_size_that_was_asked_where_there_are_enough(source: Path, tmp_path: Path) -> None:
    run_to_end(run_batch(plan(source, output=tmp_path / "out", part_size=1), work()))
    assert len(list((tmp_path / "out" / "results").iterdir())) == 40


def test_names_are_given_to_ray_by_and_by(
    source: Path, tmp_path: Path, ray: RayInProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_PARTS_AT_ONCE", 7)
    run_to_end(run_batch(plan(source, output=tmp_path / "out"), work()))
    assert ray.given == [7, 7, 6]
    assert sources_in(tmp_path / "out") == [str(source / f"{number:02}.png") for number in range(40)]


def test_a_stopped_run_goes_on_with_new_pictures_too(source: Path, tmp_path: Path) -> None:
    begun = plan(source, f"{source}/*.png", output=tmp_path / "out")
    updates = run_batch(begun, work())
    for tally, _ in updates:
        if tally.done >= 10:
            break
    updates.close()
    assert not json.loads((tmp_path / "out" / "summary.json").read_text())["is_complete"]
    photograph(source / "new.png")
    tally = run_to_end(run_batch(begun, work()))
    assert (tally.done_before, tally.done, tally.is_complete) == (10, 31, True)
    assert tally.errors + tally.errors_before == 1
    names = [f"{number:02}.png" for number in range(40)] + ["new.png"]
    assert sources_in(tmp_path / "out") == [str(source / name) for name in names]


def test_what_failed_is_tried_again_only_on_demand(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    run_to_end(run_batch(plan(source, output=output), work()))
    photograph(source / "07.png")
    assert run_to_end(run_batch(plan(source, output=output), work())).total == 0
    tally = run_to_end(run_batch(plan(source, output=output, retry_errors=True), work()))
    assert (tally.total, tally.errors, tally.errors_before) == (1, 0, 0)
    assert len(sources_in(output)) == len(set(sources_in(output))) == 40


def test_results_within_the_source_are_not_segmented(source: Path) -> None:
    begun = plan(source, output=source / "out")
    for _ in range(2):
        tally = run_to_end(run_batch(begun, work(label_maps=True)))
        assert tally.done + tally.done_before == 40


def test_a_run_that_lost_its_folder_ends_and_leaves_the_other_s_summary(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    updates = run_batch(plan(source, output=output), work())
    next(updates)
    later = Store.opened(str(output), {"model": "fake"})
    later.write("summary.json", b"the other's")
    with pytest.raises(BatchError, match="Another run has opened"):
        run_to_end(updates)
    assert (output / "summary.json").read_bytes() == b"the other's"


def test_a_source_without_pictures_ends_a_run_before_it_begins(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no file or folder"):
        run_to_end(run_batch(plan(tmp_path / "none", output=tmp_path / "out"), work()))


def test_a_tally_of_nothing_has_no_rate() -> None:
    assert (Tally().rate, Tally().seconds_left) == (0.0, None)
    assert Tally(total=30, done=10, seconds=5).seconds_left == 10
