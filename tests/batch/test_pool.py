"""How many workers suit which machines, and how many cores each has."""

from __future__ import annotations

import os

import pytest

from mobilesamv2.batch.cluster import Pool, pool_of, ray_data


@pytest.mark.parametrize(
    ("machines", "workers", "expected"),
    [
        ([(4, 0)], None, Pool(workers=4, cpus=1, gpus=0)),
        ([(4, 0)], 1, Pool(workers=1, cpus=4, gpus=0)),
        ([(4, 0)], 3, Pool(workers=3, cpus=1, gpus=0)),
        ([(4, 0)], 9, Pool(workers=9, cpus=1, gpus=0)),
        ([(16, 0), (16, 0), (0, 0)], 6, Pool(workers=6, cpus=5, gpus=0)),
        ([(16, 2)], None, Pool(workers=2, cpus=8, gpus=1)),
        ([(64, 0), (16, 4)], None, Pool(workers=4, cpus=4, gpus=1)),
        ([(64, 0), (16, 4)], 2, Pool(workers=2, cpus=4, gpus=1)),
        ([(2, 4)], 9, Pool(workers=4, cpus=1, gpus=1)),
        ([], None, Pool(workers=1, cpus=1, gpus=0)),
    ],
)
def test_every_worker_fits_on_a_machine(machines: list[tuple[int, int]], workers: int | None, expected: Pool) -> None:
    assert pool_of(machines, workers=workers, use_gpus=None) == expected


def test_gpus_are_left_alone_where_the_cpu_is_asked_for() -> None:
    assert pool_of([(8, 2)], workers=None, use_gpus=False) == Pool(workers=8, cpus=1, gpus=0)


def test_ray_sends_no_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    ray_data()
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
