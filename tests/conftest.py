"""For all tests: which need a browser or a large network, and how many threads a worker has."""

from __future__ import annotations

import os

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `check.sh quick` leaves out."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
            item.add_marker(
                pytest.mark.flaky(reruns=2)
            )  # machines that run browsers may be busy; told at the end
        if item.path.name in LARGE:
            item.add_marker(pytest.mark.large)
