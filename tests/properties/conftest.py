"""Properties are tried on the same examples in every run, few enough for a quick check."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("checks", derandomize=True, max_examples=60, deadline=None, database=None)
settings.load_profile("checks")
