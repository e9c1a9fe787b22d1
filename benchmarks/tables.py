"""Puts the committed results into README.md and docs/batch.md: python -m benchmarks.tables

What lies between `<!-- NAME -->` and `<!-- end -->` there is the table of `results/NAME.json`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from .harness import RESULTS, table

PAGES = (Path(__file__).parent / "README.md", Path(__file__).parents[1] / "docs" / "batch.md")
SECTION = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(text: str) -> str:
    """A text with the tables of the results that it names."""

    def fill(found: re.Match[str]) -> str:
        result = json.loads((RESULTS / f"{found[2]}.json").read_text(encoding="utf-8"))
        return f"{found[1]}{table(result['rows'])}\n{found[3]}"

    return SECTION.sub(fill, text)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
