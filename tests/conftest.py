"""For all tests: which need a browser or a large network, how many threads a worker has, and which tests it gets."""

from __future__ import annotations

import os
from typing import Any

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch is imported: workers share the cores
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

LARGE = (
    "test_published.py",
    "test_vit.py",
    "test_efficientvit.py",
    "test_tiny_vit.py",
    "test_three_calls.py",
    "test_graphs.py",
    "test_exported.py",
)
"""Files whose tests make networks of published size, or export some."""

FIRST = (
    "onnx/test_exported.py",
    "onnx/test_graphs.py",
    "batch/test_cluster.py",
    "hostile/",
    "cli/test_batch.py",
)
"""What takes longest, begun first so that no worker is left with it at the end; `check.sh quick` leaves it out."""

REAL_APP = "real app"
TOGETHER = {
    "hostile/": "hostile",
    "web/test_real_api.py": REAL_APP,
    "web/test_real_page.py": REAL_APP,
    "web/test_journey.py": REAL_APP,
    "web/test_samplers_page.py": REAL_APP,
}
"""Files that share a server: one worker starts it for all of them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `check.sh quick` leaves out, and put in order what workers begin."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.flaky(reruns=2))  # machines that run browsers may be busy; told at the end
        if item.path.name in LARGE:
            item.add_marker(pytest.mark.large)
        if any(f"tests/{name}" in item.nodeid for name in FIRST):
            item.add_marker(pytest.mark.long)
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> tuple[bool, int]:
    """Tests without a browser, the slowest first; then those with one, which leave an event loop in their process."""
    is_late = item.get_closest_marker("browser") is not None or _scope(item.nodeid) == REAL_APP
    place = next((place for place, name in enumerate(FIRST) if f"tests/{name}" in item.nodeid), len(FIRST))
    return is_late, place


def _scope(nodeid: str) -> str:
    """What one worker does: the tests of a file, or of files that share a server."""
    file = nodeid.partition("::")[0]
    return next((scope for part, scope in TOGETHER.items() if f"tests/{part}" in file), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each worker whole files, in the order that they have here: what a file's tests share is made once."""
    from xdist.scheduler import LoadScopeScheduling

    class WholeFiles(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist is not typed
        def _split_scope(self, nodeid: str) -> str:
            return _scope(nodeid)

    config.option.loadscopereorder = False
    return WholeFiles(config, log)
