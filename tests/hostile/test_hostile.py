"""Every hostile input is refused in a sentence or read rightly, and the table of docs/reliability.md says which."""

from __future__ import annotations

import re
from pathlib import Path

from mobilesamv2.web.text.page import UNEXPECTED

from .report import DOCUMENT, with_table
from .server import Server
from .table import find

GRADIOS_OWN = re.compile(r"gradio\.exceptions\.Error: 'File .* is not in the cache folder and cannot be accessed\.'")
"""Gradio itself refuses files within an event, in a sentence and with a traceback in the log."""


def test_hostile_input_is_refused_in_a_sentence_or_read_and_does_no_harm(server: Server, tmp_path: Path) -> None:
    # One test for one pass over all inputs: processes that share the tests would each send them all.
    found = find(server, tmp_path)
    assert len(found.rows) >= 80
    assert len({(row.group, row.what) for row in found.rows}) == len(found.rows)
    for row in found.rows:
        for told in (row.page, row.terminal):
            assert UNEXPECTED[:40] not in told, row.what
            assert told != "None", row.what
            assert "Traceback" not in told, row.what
            assert not re.match(r"HTTP 5|exit code (?!0|1:|2:)", told), row.what
    assert found.is_well, "The page answers as it did before."
    assert found.forbidden == (), "Nothing beside the uploads was read, and no address was asked."
    assert found.log.count("Traceback") == len(GRADIOS_OWN.findall(found.log))
    document = DOCUMENT.read_text(encoding="utf-8")
    assert with_table(document, found.rows) == document, "run python -m tests.hostile"
