"""Properties are tried on the same examples in every run, few enough for a quick check.

With MOBILESAMV2_FUZZ=N in the environment every property is tried on N random examples instead; what fails is kept in
.hypothesis/ and tried first the next time. What was found that way stands as examples beside the properties.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("checks", derandomize=True, max_examples=60, deadline=None, database=None)
settings.register_profile(
    "by hand",
    max_examples=int(os.environ.get("MOBILESAMV2_FUZZ") or 60),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("by hand" if os.environ.get("MOBILESAMV2_FUZZ") else "checks")


@pytest.fixture(scope="session")
def folder_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples: a folder for each would be thousands."""
    return tmp_path_factory.mktemp("examples")
