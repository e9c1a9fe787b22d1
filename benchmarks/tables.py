"""Puts the committed results into README.md, docs/batch.md and docs/seconds.md: python -m benchmarks.tables

What lies between `<!-- NAME -->` and `<!-- end -->` there is the table of `results/NAME.json`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from .harness import RESULTS, table

DOCS = Path(__file__).parents[1] / "docs"
PAGES = (Path(__file__).parent / "README.md", DOCS / "batch.md", DOCS / "seconds.md")
SECTION = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(text: str) -> str:
    """A text with the tables of the results that it names."""

    def fill(found: re.Match[str]) -> str:
        result = json.loads((RESULTS / f"{found[2]}.json").read_text(encoding="utf-8"))
        return f"{found[1]}{table(result['rows'])}\n{found[3]}"

    return SECTION.sub(fill, text)


def put(document: Path, name: str, text: str) -> None:
    """Replace what lies between `<!-- NAME -->` and `<!-- end -->` in a document.

    Raises:
        ValueError: if it has no such place.
    """
    before = document.read_text(encoding="utf-8")
    if name not in {found[1] for found in SECTION.findall(before)}:
        raise ValueError(f"{document} has no place for {name}: <!-- {name} -->, then <!-- end -->.")
    after = SECTION.sub(lambda found: f"{found[1]}{text}\n{found[3]}" if found[2] == name else found[0], before)
    document.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
