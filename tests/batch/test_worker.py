"""What a worker makes of a part, on a model that needs no time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from mobilesamv2.batch.rows import rows_of, schema
from mobilesamv2.batch.sources import read_named
from mobilesamv2.batch.store import Store, part_name
from mobilesamv2.batch.worker import Report, Worker, read_ahead
from mobilesamv2.errors import WeightsError
from mobilesamv2.export import annotation_records

from .fakes import DEADLY_WIDTH, FakeSegmenter, photograph, work

pytest.importorskip("pyarrow")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.opened(str(tmp_path / "out"), {})


def rows_in(store: Store, names: list[str]) -> list[dict[str, Any]]:
    content = store.read(part_name(names))
    assert content is not None
    return rows_of(content)


def test_a_row_holds_the_record_and_the_masks_as_masks_json_does(store: Store, tmp_path: Path) -> None:
    name = str(photograph(tmp_path / "a.png"))
    report = Worker(work(), store).do_part([name])
    assert (report.pictures, report.errors, report.problem) == (1, [], None)
    (row,) = rows_in(store, [name])
    result = FakeSegmenter().segment_everything(read_named(name), request=work().request)
    assert row["source"] == name
    assert json.loads(row["record"]) == result.to_record()
    assert row["annotations"] == annotation_records(result.masks)
    assert row["prompt_list"] == result.prompts.to_list()
    assert (row["error"], row["label_map"]) == (None, None)
    assert coco_mask.decode(row["annotations"][0]["segmentation"]).sum() == 20


def test_the_schema_has_every_key_of_a_mask_and_of_a_prompt(tmp_path: Path) -> None:
    read = read_named(str(photograph(tmp_path / "a.png")))
    result = FakeSegmenter().segment_everything(read, request=work().request)
    for column, records in (
        ("annotations", annotation_records(result.masks)),
        ("prompt_list", result.prompts.to_list()),
    ):
        kind = schema().field(column).type.value_type
        assert {kind.field(index).name for index in range(kind.num_fields)} == set(records[0])


def test_a_picture_that_cannot_be_read_is_a_row_with_its_error(store: Store, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(photograph(tmp_path / "b.png").read_bytes()[:60])
    names = [str(broken), str(tmp_path / "b.png"), str(tmp_path / "none.png")]
    report = Worker(work(), store).do_part(names)
    rows = rows_in(store, names)
    assert [row["source"] for row in rows] == names
    assert [row["error"] is None for row in rows] == [False, True, False]
    assert report.errors == [(row["source"], row["error"]) for row in (rows[0], rows[2])]
    assert "damaged" in rows[0]["error"]
    assert rows[0]["annotations"] is None


def test_label_maps_lie_where_the_rows_say(store: Store, tmp_path: Path) -> None:
    name = str(photograph(tmp_path / "a.png"))
    Worker(work(label_maps=True), store).do_part([name])
    (row,) = rows_in(store, [name])
    with Image.open(tmp_path / "out" / row["label_map"]) as image:
        assert image.size == (20, 12)
        assert image.getextrema() == (0, 2)


def test_a_part_that_is_there_is_not_made_again(store: Store, tmp_path: Path) -> None:
    names = [str(photograph(tmp_path / "a.png")), str(tmp_path / "none.png")]
    first = Worker(work(), store).do_part(names)
    (tmp_path / "a.png").unlink()
    again = Worker(work(), store).do_part(names)
    assert (again.pictures, again.errors) == (first.pictures, first.errors)
    assert rows_in(store, names)[0]["error"] is None


def test_a_picture_that_kills_its_worker_is_left_out_in_the_end(store: Store, tmp_path: Path) -> None:
    names = [str(photograph(tmp_path / f"{width}.png", width=width)) for width in (20, DEADLY_WIDTH, 21)]
    deaths = 0
    while True:
        try:
            report = Worker(work(), store).do_part(names)
            break
        except SystemExit:
            deaths += 1
    assert deaths == 4
    assert report.errors == [(names[1], "The worker died each time it came to this picture.")]
    assert {row["source"]: row["error"] is None for row in rows_in(store, names)} == {
        names[0]: True,
        names[1]: False,
        names[2]: True,
    }
    assert not store.fs.find(f"{store.root}/unfinished")


def test_what_a_worker_died_of_once_is_no_picture_s_fault(store: Store, tmp_path: Path) -> None:
    names = [str(photograph(tmp_path / "a.png", width=DEADLY_WIDTH))]
    for _ in range(3):
        with pytest.raises(SystemExit):
            Worker(work(), store).do_part(names)
    photograph(tmp_path / "a.png")
    assert Worker(work(), store).do_part(names).errors == []


def test_a_model_that_cannot_be_loaded_is_the_problem_of_the_run(store: Store) -> None:
    def fail() -> FakeSegmenter:
        raise WeightsError("There are no weights.")

    assert Worker(work(fail), store).do_part(["a.png"]).problem == "There are no weights."


def test_results_that_cannot_be_written_are_the_problem_of_the_run(store: Store, tmp_path: Path) -> None:
    Store.opened(str(tmp_path / "out"), {})
    report = Worker(work(), store).do_part([str(photograph(tmp_path / "a.png"))])
    assert report.problem is not None
    assert report.problem.startswith("Another run has opened")


def test_a_report_survives_its_way_to_the_driver() -> None:
    report = Report(pictures=3, errors=[("a\udce9", "b")], problem="c")
    assert Report.from_text(report.to_text()) == report


@pytest.mark.parametrize("threads", [1, 3])
def test_pictures_are_read_ahead_in_order_and_not_all_at_once(
    tmp_path: Path, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr("mobilesamv2.batch.worker.read_named", begun.append)
    names = [str(number) for number in range(8)]
    readings = read_ahead(names, threads=threads)
    first, _ = next(readings)
    assert first == "0"
    assert len(begun) <= 1 + threads
    assert [name for name, _ in readings] == names[1:]
    assert begun == names
